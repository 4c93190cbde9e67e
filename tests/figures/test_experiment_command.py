"""``probekit experiment --html``: the page is written, and a place for it is refused early."""

from __future__ import annotations

import pytest

import probekit.experiment as package
from probekit.experiment import Outcome
from tests.erasure.test_cli_erasure import probekit
from tests.figures.erasures_experiment import make_experiment

__all__ = ["probekit"]  # the fixture that calls the command


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "plan.yaml"
    file.write_text("languages: [en, de]\nsources: [[en]]\nalgorithms: {rmu: {}}\n", "utf-8")
    return file


def test_the_page_is_written_also_into_the_folder_that_is_made(
    probekit, plan, tmp_path, monkeypatch
):
    def carry_out(asked, folder, *, progress=None):
        folder.mkdir()
        return Outcome(make_experiment(), folder)

    monkeypatch.setattr(package, "run_plan", carry_out)
    page = tmp_path / "out" / "page.html"
    done = probekit("experiment", plan, "-o", tmp_path / "out", "--html", page)
    assert done.code == 0, done.err
    text = page.read_text("utf-8")
    assert "Forgotten and kept, by place" in text
    assert "rmu" in done.out


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_done(
    probekit, plan, tmp_path, monkeypatch
):
    monkeypatch.setattr(package, "run_plan", pytest.fail)
    done = probekit(
        "experiment", plan, "-o", tmp_path / "out", "--html", tmp_path / "no" / "p.html"
    )
    assert done.code == 2
    assert "must lie in a folder that exists" in done.err
