"""``probekit diff``: 0 without a difference, 1 with one, 2 for bad input; JSON reads back."""

from __future__ import annotations

import json
import sys

import pytest

from probekit import cli
from probekit.runs.comparison import RunComparison
from tests.runs.planted_runs import band, planted_run


@pytest.fixture
def diff(capsys, monkeypatch):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["probekit", "diff", *map(str, arguments)])
        monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code or 0, *capsys.readouterr()

    return call


def test_a_run_against_itself_exits_0(diff, finished_run):
    code, out, _ = diff(finished_run.folder, finished_run.folder)
    assert code == 0
    assert "same weights, same text" in out
    assert "none of" in out
    assert "cka/mean" in out


def test_a_difference_exits_1_and_is_starred(diff, monkeypatch):
    made = {
        name: planted_run(name, {"cka": band([0.1, 0.2, value, 0.2, 0.1], 0.01)})
        for name, value in (("a", 0.2), ("b", 0.9))
    }
    monkeypatch.setattr("probekit.runs.open_run", lambda path: made[path.name])
    code, out, _ = diff("a", "b")
    assert code == 1
    assert "+0.700" in out
    assert "*" in out
    code, out, _ = diff("a", "b", "--analysis", "cka")
    assert code == 1
    assert [line.split()[:1] for line in out.splitlines()].count(["cka/mean"]) == 5


def test_json_reads_back(diff, finished_run):
    code, out, _ = diff(finished_run.folder, finished_run.folder, "--json")
    assert code == 0
    found = RunComparison.from_document(json.loads(out))
    assert found.to_json() == finished_run.diff(finished_run).to_json()


@pytest.mark.parametrize(
    ("more", "says"),
    [((), "does not exist"), (("--analysis", "lens"), "no analysis 'lens'")],
)
def test_bad_input_is_one_line_and_exit_2(diff, finished_run, tmp_path, more, says):
    other = finished_run.folder if more else tmp_path / "none"
    code, out, err = diff(finished_run.folder, other, *more)
    assert code == 2
    assert not out
    assert says in err
    assert err.count("\n") == 1
