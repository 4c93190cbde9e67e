"""Runs are found inside the folder and nowhere else; what cannot be opened says why."""

from __future__ import annotations

import json
import shutil
import threading

import pytest

from probekit.errors import RunError
from probekit_app.runs_folder import KEPT_OPEN, RunsFolder


def test_runs_are_listed_also_one_level_down(runs):
    found = {each.name: each.status for each in RunsFolder(runs).listed()}
    assert found == {
        "base": "finished",
        "damaged": "damaged",
        "group/other": "finished",
        "half": "unfinished",
    }


def test_what_cannot_be_opened_says_the_way_out(runs):
    problems = {each.name: each.problem for each in RunsFolder(runs).listed()}
    assert "resume with 'probekit run" in problems["half"]
    assert "damaged manifest.json" in problems["damaged"]
    assert problems["base"] == ""


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "link",
        "base/..",
        "/etc",
        "",
        ".",
        "..",
        "base/../base",
        "group",
        "\x00",
        "a" * 5000,
    ],
)
def test_no_name_leads_outside(runs, name):
    folder = RunsFolder(runs)
    assert folder.open("base").name == "base"
    with pytest.raises(RunError, match="has no run"):
        folder.open(name)


def test_a_known_run_that_becomes_a_link_outside_is_refused(runs, tmp_path):
    root = shutil.copytree(runs, tmp_path / "runs", symlinks=True)
    outside = shutil.copytree(runs / "base", tmp_path / "secret")
    folder = RunsFolder(root)
    assert "base" in folder.finished()
    shutil.rmtree(root / "base")
    (root / "base").symlink_to(outside, target_is_directory=True)
    with pytest.raises(RunError, match="has no run"):
        folder.open("base")


def test_the_folder_may_itself_be_a_run(runs):
    folder = RunsFolder(runs / "base")
    assert folder.names() == ("base",)
    assert folder.open("base").run.languages == ("en", "de", "sw")
    with pytest.raises(RunError):
        folder.open("half")


def test_a_run_is_opened_once_until_it_changes(runs, tmp_path):
    root = shutil.copytree(runs / "base", tmp_path / "runs" / "one").parent
    folder = RunsFolder(root)
    first = folder.open("one")
    assert folder.open("one") is first
    manifest = root / "one" / "manifest.json"
    text = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**text, "format": "probekit-run/99"}), encoding="utf-8")
    with pytest.raises(RunError, match="format"):
        folder.open("one")
    (found,) = folder.listed()
    assert found.status == "damaged"


def test_a_deleted_run_is_one_clear_error(runs, tmp_path):
    root = shutil.copytree(runs / "base", tmp_path / "runs" / "one").parent
    folder = RunsFolder(root)
    folder.open("one")
    shutil.rmtree(root / "one")
    with pytest.raises(RunError, match="has no run 'one'"):
        folder.open("one")


def test_few_runs_stay_open(runs, tmp_path):
    for number in range(KEPT_OPEN + 3):
        shutil.copytree(runs / "base", tmp_path / f"run{number}")
    folder = RunsFolder(tmp_path)
    for name in folder.names():
        folder.open(name)
    assert len(folder._opened) == KEPT_OPEN


def test_threads_get_the_same_run(runs):
    folder, found = RunsFolder(runs), []
    threads = [threading.Thread(target=lambda: found.append(folder.open("base"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in found}) == 1


def test_a_folder_that_is_not_there_says_what_makes_one(tmp_path):
    with pytest.raises(RunError, match="probekit demo -o"):
        RunsFolder(tmp_path / "nowhere")
