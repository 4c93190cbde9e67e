"""The command line: every bad input is one line and exit 2, nothing written; JSON has its keys."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest

from probekit import cli
from probekit.errors import ModelError
from tests.texts import parallel
from tests.tiny import save_tiny

COMMANDS = (
    "pack",
    "unpack",
    "facts",
    "teach",
    "erase",
    "sweep",
    "verify",
    "dashboard",
    "diff",
    "run",
    "preflight",
    "demo",
    "show",
    "select",
    "export",
    "ablate",
    "doctor",
    "lens",
    "concept",
    "tune-lens",
)
ROW = [
    "layer",
    "depth",
    "cka",
    "cka_low",
    "cka_high",
    "cka_null95",
    "cka_biased",
    "lrds",
    "sads",
    "lrds_ratio",
    "p_at_1",
]


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def probekit(capfd, monkeypatch):
    """Call the command in this process, as its entry point does."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["probekit", *map(str, arguments)])
        monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Done(left.value.code or 0, *capfd.readouterr())

    return call


@pytest.fixture
def run_into(probekit, model_folder, tmp_path):
    """``probekit run`` on the tiny model, into a folder of its own."""
    folder = tmp_path / "run"

    def call(*arguments):
        return probekit("run", "--model", model_folder, *arguments, "-o", folder)

    call.folder = folder
    return call


def refused(done, says):
    assert done.code == 2, done
    assert done.out == ""
    assert done.err.count("\n") == 1, done.err
    assert re.search(says, done.err), done.err


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Corpus files, each with one fault."""
    folder = tmp_path_factory.mktemp("broken")
    lines = parallel(10)._lines
    rows = [json.loads(line) for line in lines()]

    def write(name, change):
        changed = json.loads(json.dumps(rows))
        change(changed)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in changed)
        (folder / name).write_text(text, encoding="utf-8")

    write("empty.jsonl", lambda rows: rows[3]["text"].update(de="  "))
    write("twice.jsonl", lambda rows: rows[3].update(unit="u1"))
    write("few.jsonl", lambda rows: rows.__delitem__(slice(7, None)))
    write("one.jsonl", lambda rows: [row.update(text={"en": row["text"]["en"]}) for row in rows])
    write("hole.jsonl", lambda rows: rows[3]["text"].pop("de"))
    write("label.jsonl", lambda rows: rows[3].pop("labels"))
    write("code.jsonl", lambda rows: [row["text"].update(qqqq="x") for row in rows])
    (folder / "latin.jsonl").write_bytes(b'{"unit": "a", "text": {"en": "caf\xe9", "de": "x"}}\n')
    wide = "".join(f"u{i},text {i},Text {i},t\n" for i in range(9))
    (folder / "wide.csv").write_text("id,en,de,topic\n" + wide)
    return folder


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("empty.jsonl", [], r"CorpusError: .*'u3'"),
        ("twice.jsonl", [], r"CorpusError: .*'u1'"),
        ("few.jsonl", [], "at least 8 units. Got 7"),
        ("one.jsonl", [], "at least 2 languages. Got 1"),
        ("hole.jsonl", [], "u3"),
        ("label.jsonl", [], "half"),
        ("code.jsonl", [], "qqqq"),
        ("latin.jsonl", [], "UTF-8"),
        ("wide.csv", ["--unit", "key"], "key"),
        ("wide.csv", ["--unit", "id", "--labels", "mood"], "mood"),
        ("none.jsonl", [], "none.jsonl"),
    ],
)
def test_a_bad_corpus(run_into, broken, name, options, says):
    refused(run_into("--corpus", broken / name, *options), says)
    assert not run_into.folder.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--languages", "en,xx"], "xx"),
        (["--languages", "en"], "at least 2 languages"),
        (["--languages", ""], "LanguageError"),
        (["--languages", "en,de,en"], "more than once"),
        (["--max-tokens", "0"], "max_tokens.*Got 0"),
        (["--max-tokens", "9999"], "Use --max-tokens 256"),
        (["--limit", "0"], "limit.*Got 0"),
        (["--dtype", "int4"], "dtype.*Got 'int4'"),
        (["--device", "abacus"], "device.*Got 'abacus'"),
        (["--pooling", "max"], "pooling.*Got 'max'"),
        (["--backend", "jax"], "backend.*Got 'jax'"),
        (["--missing", "guess"], "missing.*Got 'guess'"),
        (["--stack", "middle"], "stack.*Got 'middle'"),
        (["--seed", "-1"], "seed.*Got -1"),
        (["--corpus", "babel"], "Got 'babel'"),
        (["--unit", "id"], "CorpusError: .*key 'unit'"),
        (["--adapter", "./nowhere"], "nowhere"),
    ],
)
def test_a_bad_option(run_into, corpus_file, options, says):
    refused(run_into("--corpus", corpus_file, *options), says)
    assert not run_into.folder.exists()


def test_a_model_that_is_not_there(probekit, corpus_file, tmp_path):
    done = probekit("run", "--model", "./none", "--corpus", corpus_file, "-o", tmp_path / "run")
    refused(done, r"ModelError: model './none' does not exist")
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_no_language_model(probekit, corpus_file, tmp_path):
    import transformers

    config = transformers.ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    config.architectures = ["ViTForImageClassification"]
    config.save_pretrained(tmp_path / "vit")
    done = probekit(
        "run", "--model", tmp_path / "vit", "--corpus", corpus_file, "-o", tmp_path / "r"
    )
    refused(done, "not a causal, masked or sequence-to-sequence")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("text", ["colour: red\n", "pooling: max\n", "- 1\n", "a: ["])
def test_a_bad_study_file(probekit, tmp_path, text):
    (tmp_path / "study.yaml").write_text(text)
    refused(probekit("run", tmp_path / "study.yaml", "-o", tmp_path / "run"), "StudyError: ")
    assert not (tmp_path / "run").exists()


def test_the_folder_of_another_study(probekit, study, run_copy, tmp_path):
    (tmp_path / "study.yaml").write_text(study.to_yaml())
    done = probekit("run", tmp_path / "study.yaml", "--seed", 7, "-o", run_copy)
    refused(done, "another study's run .*seed: 0 there, 7 here")


@pytest.mark.parametrize("command", ["show", "select"])
def test_a_folder_that_is_no_whole_run(probekit, run_copy, tmp_path, command):
    refused(probekit(command, tmp_path / "none"), "does not exist")
    refused(probekit(command, tmp_path), "has no manifest.json")
    chunk = sorted((run_copy / "results.zarr" / "cka" / "mean").glob("[0-9]*"))[0]
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-1] + b"\x07")
    refused(probekit(command, run_copy), "was altered: 'results.zarr/cka/mean/0'")
    chunk.unlink()
    refused(probekit(command, run_copy), "lacks the file 'results.zarr/cka/mean/0'")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rule", "vibes"], "vibes"),
        (["--rule", "mute", "--alpha", "0"], "alpha"),
        (["--rule", "mute", "--alpha", "-1"], "alpha"),
        (["--rule", "mute", "--alpha", "nan"], "alpha"),
    ],
)
def test_a_bad_rule(probekit, finished_run, options, says):
    refused(probekit("select", finished_run.folder, *options), f"RuleError: .*{says}")


@pytest.mark.parametrize(
    "arguments", [["--colour"], ["run", "--colour", "red"], ["run"], ["fly"], ["show"]]
)
def test_usage_errors_exit_2(probekit, arguments):
    done = probekit(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err


def test_help_lists_the_commands_and_version_is_the_packages(probekit):
    import probekit as package

    done = probekit("--help")
    assert done.code == 0
    assert all(re.search(rf"^\s+{name}\b", done.out, re.MULTILINE) for name in COMMANDS)
    assert probekit("--version") == (0, package.__version__ + "\n", "")


@pytest.mark.parametrize("command", ["run", "show"])
def test_json_of_a_run(probekit, study, run_copy, tmp_path, command):
    (tmp_path / "study.yaml").write_text(study.to_yaml())
    arguments = [run_copy] if command == "show" else [tmp_path / "study.yaml", "-o", run_copy]
    done = probekit(command, *arguments, "--json")
    assert done.code == 0
    content = json.loads(done.out)
    assert list(content) == ["run", "layers", "selection"]
    assert [list(row) for row in content["layers"]] == [ROW] * 5
    assert content["run"]["folder"] == str(run_copy)
    assert content["selection"]["schema_version"] == "layer-selection/1"


def test_select_prints_a_document_and_reasons_apart(probekit, finished_run):
    bare, flagged = (probekit("select", finished_run.folder, *more) for more in ([], ["--json"]))
    assert bare == flagged
    document = json.loads(bare.out)
    assert document == finished_run.select().to_document()
    warnings = [f"warning: {text}" for text in finished_run.select().warnings]
    assert bare.err.splitlines() == [*document["selection"]["reasons"], *warnings]
    assert bare.code == (1 if document["selection"]["status"] == "no_signal" else 0)


def test_the_table_of_a_run(probekit, finished_run):
    done = probekit("show", finished_run.folder)
    assert done.code == 0
    assert done.err == ""
    for row in finished_run.table():
        assert f"{row['cka']:.3f}" in done.out
    assert "12 units × 3 languages" in " ".join(done.out.split())  # lines wrap


def test_show_writes_one_page_that_needs_no_network(probekit, finished_run, tmp_path):
    assert probekit("show", finished_run.folder, "--html", tmp_path / "page.html").code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.findall(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["']?https?:""", page)
    assert page.count("Plotly.newPlot(") >= 2
    done = probekit("show", finished_run.folder, "--html", tmp_path / "no" / "page.html")
    refused(done, "StorageError: page .* cannot be written")


def test_a_model_of_two_blocks_is_shown_without_a_selection(probekit, corpus_file, tmp_path):
    save_tiny("llama", tmp_path / "model", num_hidden_layers=2)
    given = ["--model", tmp_path / "model", "--corpus", corpus_file, "-o", tmp_path / "run"]
    done = probekit("run", *given)
    assert (done.code, done.err) == (0, "")
    assert "no selection: evidence.n_blocks must be at least 3" in done.out
    assert json.loads(probekit("show", tmp_path / "run", "--json").out)["selection"] is None
    assert probekit("show", tmp_path / "run", "--html", tmp_path / "p.html").code == 0
    refused(probekit("select", tmp_path / "run"), "at least 3")


def test_doctor_passes_a_healthy_model_in_json_and_table(probekit, model_folder):
    done = probekit("doctor", model_folder, "--json")
    assert done.code == 0, done
    assert isinstance(json.loads(done.out), dict)
    assert "capture parity" in probekit("doctor", model_folder).out
    refused(probekit("doctor", model_folder, "--dtype", "int4"), "dtype")


def test_doctor_exits_1_on_findings(probekit, model_folder, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    sick = shutil.copytree(model_folder, tmp_path / "sick")
    weights = load_file(sick / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"][0, 0] = torch.nan
    save_file(weights, sick / "model.safetensors", metadata={"format": "pt"})
    done = probekit("doctor", sick, "--json")
    assert done.code == 1
    assert "failed: " in done.err


def test_nan_in_a_model_stops_a_run_in_one_line(probekit, model_folder, corpus_file, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    sick = shutil.copytree(model_folder, tmp_path / "sick")
    weights = load_file(sick / "model.safetensors")
    weights["model.layers.2.mlp.down_proj.weight"][0, 0] = torch.nan
    save_file(weights, sick / "model.safetensors", metadata={"format": "pt"})
    done = probekit("run", "--model", sick, "--corpus", corpus_file, "-o", tmp_path / "run")
    assert done.code == 1
    assert re.fullmatch(r"NumericalError: .*at layer 2, unit 'u0' in 'en'.*\n", done.err)


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 3), (ModelError("no\nsuch"), 2)],
)
def test_any_command_reports_in_one_line(probekit, monkeypatch, finished_run, error, code):
    def stop(*_args, **_options):
        raise error

    monkeypatch.setattr("probekit.runs.open_run", stop)
    done = probekit("show", finished_run.folder)
    assert done.code == code
    assert done.err.count("\n") == 1


def test_the_module_runs_as_a_command():
    code = "import sys; sys.argv = ['probekit', '--version']; from probekit.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_remedies_are_said_as_they_are_typed():
    said = cli.as_options("Name it in labels=['a'], ignore=['b'], missing='drop-unit' or unit=...")
    assert said == "Name it in --labels a, --ignore b, --missing drop-unit or --unit"


def test_a_column_can_be_left_out(probekit, study, corpus, tmp_path):
    rows = [f"unit,notes,{','.join(corpus.languages)}"]
    for i, unit in enumerate(corpus.units):
        rows.append(",".join([unit, "n", *(f'"{corpus.texts[c][i]}"' for c in corpus.languages)]))
    file = tmp_path / "wide.csv"
    file.write_text("\n".join(rows), encoding="utf-8")
    arguments = ("run", "--model", study.model, "--corpus", file, "-o", tmp_path / "run")
    refused(probekit(*arguments), "--ignore notes")
    assert not (tmp_path / "run").exists()
    assert probekit(*arguments, "--ignore", "notes").code == 0


def test_a_run_resumes_from_any_folder(probekit, study, tmp_path, monkeypatch):
    run = tmp_path / "run"
    relative = os.path.relpath(study.corpus)
    assert probekit("run", "--model", study.model, "--corpus", relative, "-o", run).code == 0
    (run / "manifest.json").unlink()
    monkeypatch.chdir(tmp_path)
    assert probekit("run", run / "study.yaml", "-o", run).code == 0


def test_a_backend_that_refuses_the_model_leaves_nothing(probekit, tmp_path):
    save_tiny("xlm-roberta", tmp_path / "model")
    corpus = parallel(10).to_jsonl(tmp_path / "c.jsonl")
    target = tmp_path / "run"
    run = ("run", "--model", tmp_path / "model", "--corpus", corpus, "-o", target)
    refused(probekit(*run, "--backend", "transformer_lens"), "default backend 'hooks'")
    assert not target.exists()
