"""``probekit verify``: exit codes, JSON, the page, a folder of a sweep's cell."""

from __future__ import annotations

import json
import shutil

import pytest

import probekit as package
from probekit.erasure import Report, erase
from probekit.erasure.target import Target
from tests.erasure.test_cli_erasure import probekit
from tests.erasure.verifying import colours, taught_on
from tests.tiny import save_tiny, tiny_subject

__all__ = ["probekit"]  # the fixture that calls the command


def saved(subject, folder):
    subject.model.save_pretrained(folder)
    subject.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Base, a model that never knew, a delta of an erasure that did nothing much, facts."""
    folder, facts = tmp_path_factory.mktemp("verify"), colours()
    base = saved(taught_on(tiny_subject("llama"), facts), folder / "base")
    others = [q for q in facts if q.part != "forget"]
    never = saved(taught_on(tiny_subject("llama"), others), folder / "never")
    names = ("model.layers.1.mlp.down_proj.weight",)
    how = {"source": ["en"], "algorithm": "simnpo", "max_steps": 1, "lr": 1e-6}
    erase(
        package.load(base),
        facts,
        selection=Target(names),
        folder=folder / "cell",
        delta=True,
        **how,
    )
    facts.to_jsonl(folder / "facts.jsonl")
    return folder, base, never


#: Eight facts cannot exclude that half of them is still known: the bar is low here.
FAST = ("--checks", "choices,rounding", "--source", "en", "--set", "tolerance=0.9")


def test_a_leak_exits_1_and_writes_both_files(probekit, places, tmp_path):
    folder, base, _ = places
    files = ("--html", tmp_path / "page.html", "-o", tmp_path / "report.json")
    done = probekit(
        "verify", base, folder / "cell", "--facts", folder / "facts.jsonl", *FAST, *files, "--json"
    )
    assert done.code == 1, done.err
    assert "can still be had in de, en" in done.err
    report = Report.from_json(json.loads(done.out))
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == report.to_json()
    assert report.record["contract"]["moved"] == ["model.layers.1.mlp.down_proj.weight"]
    assert report.record["contract"]["checked"], "the cell's own record says what may move"
    assert report.record["held_out"] == ["de"]
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "no effect" in page
    assert "Attacks by language" in page
    assert 'src="http' not in page


def test_nothing_to_find_exits_0(probekit, places):
    folder, base, never = places
    done = probekit("verify", base, never, "--facts", folder / "facts.jsonl", *FAST)
    assert done.code == 0, done.err
    assert "erased" in done.out
    assert "contract not checked" in done.out
    assert "not run: lens (not asked for)" in done.out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--checks", "magic"), "checks must be one of"),
        (("--set", "bits=5"), "bits must be one of"),
        (("--source", "sw"), "Got 'sw'"),
        (("--html", "nowhere/at/all.html"), "must lie in a folder that exists"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(probekit, places, wrong, message):
    folder, base, never = places
    done = probekit("verify", base, never, "--facts", folder / "facts.jsonl", *wrong)
    assert (done.code, done.out) == (2, "")
    assert message in done.err.strip().splitlines()[-1]


def test_controls_of_a_sweep_stand_in_the_report(probekit, places, tmp_path):
    folder, base, never = places
    cells = [{"cell": "selection", "folder": "."}, {"cell": "deep", "folder": "cell"}]
    (folder / "sweep.json").write_text(json.dumps({"cells": cells}))
    told = ("--facts", folder / "facts.jsonl", *FAST, "--controls")
    page = ("--html", tmp_path / "page.html")
    done = probekit("verify", base, never, *told, folder, "--json", *page)
    assert done.code == 0, done.err
    beside = json.loads(done.out)["controls"]
    assert list(beside) == ["deep"]
    deep = beside["deep"]
    assert deep["kept"]["forget"]["en"]["success"] == 1
    assert deep["contract"]["checked"], "the cell's own record says what was to move"
    assert deep["contract"]["moved"] == ["model.layers.1.mlp.down_proj.weight"]
    assert deep["judged"]["en"]["best_attack"]["success"] == 1
    assert abs(deep["fluency"]["en"]["rise"]) < 0.1
    assert "the same base erased elsewhere" in (tmp_path / "page.html").read_text("utf-8")
    shown = " ".join(probekit("verify", base, never, *told, folder).out.split())
    assert "the same base erased elsewhere: share still answered, verdict, best attack" in shown
    assert "choices" in shown.partition("erased elsewhere")[2]
    refused = probekit("verify", base, never, *told, tmp_path)
    assert refused.code == 2
    assert "must be a folder of 'probekit sweep'" in refused.err


def test_a_control_that_moved_more_than_it_was_to_is_said_so(probekit, places, tmp_path):
    folder, base, never = places
    cell = tmp_path / "cell"
    shutil.copytree(folder / "cell", cell)
    record = json.loads((cell / "erasure.json").read_text("utf-8"))
    record["target"]["names"] = ["model.layers.0.mlp.down_proj.weight"]
    (cell / "erasure.json").write_text(json.dumps(record))
    (tmp_path / "sweep.json").write_text(
        json.dumps({"cells": [{"cell": "deep", "folder": "cell"}]})
    )
    told = ("--facts", folder / "facts.jsonl", *FAST, "--controls", tmp_path)
    done = probekit("verify", base, never, *told)
    assert done.code == 0, "the erased model itself is judged"
    assert "control deep: contract BROKEN" in " ".join(done.out.split())


def test_another_model_is_refused(probekit, places, tmp_path):
    folder, base, _ = places
    other = save_tiny("llama", tmp_path / "other", num_hidden_layers=2)
    done = probekit("verify", base, other, "--facts", folder / "facts.jsonl", *FAST)
    assert done.code == 2
    assert "was not made from" in done.err
