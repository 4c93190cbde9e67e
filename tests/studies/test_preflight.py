"""Preflight: what it counts is what the run counts; what it estimates is called so."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from probekit.cli import app
from probekit.errors import LanguageError, ModelError
from probekit.models import load
from probekit.models.outline import outline
from probekit.studies import preflight as module
from probekit.studies.preflight import preflight
from tests.tiny import save_tiny


@pytest.fixture(scope="module")
def found(study, tmp_path_factory):
    return preflight(study, tmp_path_factory.mktemp("out"))


def test_it_counts_what_the_run_counts(found, finished_run):
    manifest = finished_run.manifest
    assert found.n_tokens == manifest.tokens["total"]
    assert found.n_texts == 36
    assert list(found.languages) == manifest.corpus["languages"]
    assert found.n_parameters == manifest.model["n_parameters"]
    assert (found.n_blocks, found.d_model) == (4, 32)
    assert (found.dtype, found.device) == ("float32", "cpu")
    assert set(found.analyses) == set(finished_run.analyses)
    assert found.problems == ()


def test_it_refuses_what_the_run_would_leave_out(study, full_run, tmp_path):
    every = preflight(study.model_copy(update={"analyses": None}), tmp_path)
    assert set(every.analyses) == set(full_run.analyses)
    assert every.refused == full_run.manifest.estimators["left_out"]
    assert every.blocked == ()


def test_an_encoder_has_no_lens_and_a_study_that_asks_is_blocked(study, tmp_path):
    folder = save_tiny("bert", tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))
    asked = study.model_copy(update={"model": str(folder), "analyses": ("cka", "norms", "lens")})
    seen = preflight(asked, tmp_path)
    assert "no unembedding" in seen.refused["lens"]
    assert seen.blocked == ("lens",)
    assert "analysis 'lens'" in seen.problems[0]
    free = preflight(asked.model_copy(update={"analyses": None}), tmp_path)
    assert free.problems == ()
    assert "lens" not in free.analyses


def test_languages_left_out_are_still_offered(study, tmp_path):
    seen = preflight(study.model_copy(update={"languages": ("en", "sw")}), tmp_path)
    assert (seen.languages, seen.available) == (("en", "sw"), ("en", "de", "sw"))
    assert seen.n_texts == 24


def test_more_text_takes_more_of_everything(study, found, tmp_path):
    less = preflight(study.model_copy(update={"limit": 8}), tmp_path)
    assert less.n_tokens < found.n_tokens
    assert less.disk < found.disk
    assert less.memory <= found.memory


def test_what_does_not_fit_is_a_problem(study, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_disk_free", lambda _path: 1000)
    monkeypatch.setattr(module, "_memory_free", lambda: 1000)
    disk, memory = preflight(study, tmp_path).problems
    assert "the disk has 0 MB free" in disk
    assert "(estimate)" in memory


def test_what_the_run_would_refuse_it_refuses(study, tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        preflight(study.model_copy(update={"model": "/no/model"}), tmp_path)
    with pytest.raises(LanguageError, match="'xx'"):
        preflight(study.model_copy(update={"languages": ("en", "xx")}), tmp_path)


def test_nothing_is_written(study, tmp_path):
    preflight(study, tmp_path / "runs" / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_rate_is_that_of_this_machine():
    assert module.measured_rate("cpu", size=64, seconds=0.01) > 1e6


def test_the_command_prints_it(study, tmp_path, found):
    file = tmp_path / "study.yaml"
    file.write_text(study.to_yaml(), "utf-8")
    said = CliRunner().invoke(app, ["preflight", str(file), "-o", str(tmp_path), "--json"])
    assert said.exit_code == 0
    assert json.loads(said.stdout)["n_tokens"] == found.n_tokens
    text = CliRunner().invoke(app, ["preflight", str(file), "-o", str(tmp_path)]).stdout
    assert f"{found.n_tokens:,} tokens" in text
    assert "estimate" in text


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert", "t5", "opt-projected"])
def test_an_outline_has_the_anatomy_of_the_model(family, tmp_path):
    folder = save_tiny(family, tmp_path / family)
    drawn, loaded = outline(str(folder)), load(str(folder))
    assert drawn.anatomy == loaded.anatomy
    assert (drawn.n_parameters, drawn.dtype, drawn.device) == (
        loaded.n_parameters,
        loaded.dtype,
        loaded.device,
    )
    assert drawn.n_bytes == 4 * loaded.n_parameters
    assert drawn.tokenizer("a b")["input_ids"] == loaded.tokenizer("a b")["input_ids"]
    assert outline(str(folder), dtype="bfloat16").n_bytes == 2 * loaded.n_parameters


def test_an_outline_of_no_model_is_the_error_of_loading():
    with pytest.raises(ModelError, match="does not exist"):
        outline("/no/model")


def test_gaps_in_a_language_that_is_left_out_do_no_harm(study, tmp_path):
    file = tmp_path / "wide.csv"
    rows = [f"u{n},one {n} word,ein {n} wort,{'' if n == 3 else 'neno'}" for n in range(9)]
    file.write_text("\n".join(["id,en,de,sw", *rows]), "utf-8")
    update = {"corpus": str(file), "languages": ("en", "de"), "corpus_options": {"unit": "id"}}
    assert preflight(study.model_copy(update=update), tmp_path).available == ("en", "de")
