"""``probekit teach``, ``erase`` and ``sweep``: JSON on stdout, exit codes, resuming."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

import pytest

import probekit as package
from probekit import cli
from tests.erasure.conftest import make_facts
from tests.erasure.test_inputs import document_for
from tests.tiny import save_tiny


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


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny("llama", tmp_path_factory.mktemp("m") / "base", num_hidden_layers=8)


@pytest.fixture(scope="module")
def files(base, tmp_path_factory):
    """A file of facts, and a selection of the base."""
    folder = tmp_path_factory.mktemp("files")
    facts = make_facts().to_jsonl(folder / "facts.jsonl")
    selection = folder / "selection.json"
    selection.write_text(json.dumps(document_for(package.load(base))), encoding="utf-8")
    return {"facts": facts, "selection": selection}


def test_teach_then_erase(probekit, base, files, tmp_path):
    said = ("--facts", files["facts"], "--languages", "en,de,sw", "--method", "full")
    taught = probekit(
        "teach",
        base,
        *said,
        "-o",
        tmp_path / "taught",
        "--set",
        "lr=0.003",
        "--set",
        "max_epochs=200",
        "--set",
        "target=1.0",
        "--json",
    )
    assert taught.code == 0, taught.err
    assert json.loads(taught.out)["stopped"] == "target"
    how = ("--facts", files["facts"], "--source", "en", "--selection", files["selection"])
    how += ("--set", "max_steps=2", "--algorithm", "simnpo")
    refused = probekit("erase", tmp_path / "taught", *how, "-o", tmp_path / "out")
    assert refused.code == 2
    assert "weights are others" in refused.err
    done = probekit(
        "erase", tmp_path / "taught", *how, "--other-weights", "-o", tmp_path / "out", "--json"
    )
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert record["contract"]["ok"]
    assert record["held_out"] == ["de", "sw"]
    assert package.load(tmp_path / "out").n_parameters > 0
    table = probekit("erase", tmp_path / "taught", *how, "--other-weights", "-o", tmp_path / "out")
    assert "contract kept" in table.out
    assert "held out" in table.out
    assert "holds this finished erasure already" in table.err


def test_teach_exits_1_when_the_target_is_not_reached(probekit, base, files, tmp_path):
    done = probekit(
        "teach",
        base,
        "--facts",
        files["facts"],
        "--languages",
        "en",
        "--method",
        "full",
        "--set",
        "max_epochs=1",
        "--set",
        "lr=1e-9",
        "-o",
        tmp_path / "t",
    )
    assert done.code == 1
    assert "the target was not reached (max_steps)" in done.err


def test_sweep_prints_a_row_a_cell(probekit, base, files, tmp_path):
    how = ("--facts", files["facts"], "--source", "en", "--selection", files["selection"])
    how += ("--algorithm", "simnpo", "--set", "max_steps=1", "--allow-unknown")
    how += ("--html", tmp_path / "page.html")
    done = probekit("sweep", base, *how, "--cells", "selection,deep", "-o", tmp_path / "s")
    assert done.code == 0, done.err
    assert "Accuracy by choice of layers" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "selection" in done.out
    assert "de*" in done.out
    again = probekit(
        "sweep", base, *how, "--cells", "selection,deep", "-o", tmp_path / "s", "--json"
    )
    assert [cell["cell"] for cell in json.loads(again.out)["cells"]] == ["selection", "deep"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--set", "max_steps"), "--set must be NAME=VALUE"),
        (("--set", "nothing=1"), "setting 'nothing' does not exist"),
        (("--algorithm", "magic"), "algorithm must be one of"),
        (("--selection", "nowhere.json"), "cannot be read"),
        ((), "knows none of the 2 facts"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(  # noqa: PLR0917 - fixtures
    probekit, base, files, tmp_path, wrong, message
):
    said = ("--facts", files["facts"], "--source", "en", "-o", tmp_path / "out")
    done = probekit("erase", base, *said, *(wrong or ("--algorithm", "simnpo")))
    assert (done.code, done.out) == (2, "")
    line = done.err.strip().splitlines()[-1]
    assert message in line
    assert not (tmp_path / "out").exists()


def test_interrupting_exits_3_and_the_same_command_resumes(
    probekit, base, files, tmp_path, monkeypatch
):
    from probekit.erasure import progress

    said = ("--facts", files["facts"], "--source", "en", "--algorithm", "simnpo")
    said += ("--allow-unknown", "--set", "max_steps=6", "--set", "check_every=2")
    said += ("--set", "retain_budget=1.0", "-o", tmp_path / "out")
    step = progress.TerminalSteps.step

    def stop(self, done, note):
        step(self, done, note)
        if done == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(progress.TerminalSteps, "step", stop)
        cut = probekit("erase", base, *said)
    assert cut.code == 3
    assert "step 4 is kept" in cut.err
    done = probekit("erase", base, *said)
    assert done.code == 0, done.err
    assert "resuming after step 4" in done.err
