"""Killed, stopped, full or damaged: the same call ends in the same bytes, and redoes no more.

A run is killed in a forked child, by SIGKILL to itself at a chosen moment: no clean-up code runs
then, as in a power cut.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from probekit import Study, open_run
from probekit.capture import engine, shards
from probekit.capture.engine import Silent
from probekit.errors import InterruptedRun, RunError, StorageError, StudyError
from probekit.runs import writer
from probekit.studies import runner

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def killed(work):
    """Run ``work`` in a child that must be ended by SIGKILL."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "the child came to its end"
    assert os.WTERMSIG(status) == signal.SIGKILL


class Until(Silent):
    """Dies after so many tokens."""

    def __init__(self, n_tokens):
        self.left = n_tokens

    def advance(self, n_tokens):
        self.left -= n_tokens
        if self.left <= 0:
            die()


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def results(folder):
    return contents(folder / "results.zarr")


def shard_files(folder):
    """Whole shards: name → (inode, time of change)."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (folder / "shards").glob("[0-9]*")
    }


def resume(study, folder):
    """Resume and keep the shards, to see which were made again."""
    return study.model_copy(update={"keep_shards": True}).run(folder)


@needs_fork
@pytest.mark.parametrize("seed", range(6))
def test_killed_while_reading(study, finished_run, tmp_path, seed):
    total = finished_run.manifest.tokens["total"]
    moment = random.Random(seed).randint(1, total)
    folder = tmp_path / "run"
    killed(lambda: study.run(folder, progress=Until(moment)))
    with pytest.raises(RunError, match="not finished: resume with 'probekit run"):
        open_run(folder)
    before = shard_files(folder)
    run = resume(study, folder)
    assert results(folder) == results(finished_run.folder)
    assert run.manifest.passed["resumed_shards"] == len(before)
    after = shard_files(folder)
    assert len(after) == 3
    assert {name: after[name] for name in before} == before
    assert open_run(folder).manifest.files.keys() == finished_run.manifest.files.keys()


def before_rename(name):
    """Patch for the child: die between writing a file called ``name`` and its rename."""
    rename = Path.replace

    def replace(self, target):
        if Path(target).name == name:
            die()
        return rename(self, target)

    Path.replace = replace


def before_results():
    Path.rename = lambda _self, _target: die()


def within_results():
    writer._write_by_layer = lambda *_: die()


def before_clean_up():
    runner._drop_shards = lambda *_: die()


@needs_fork
@pytest.mark.parametrize(
    "moment",
    [
        lambda: before_rename("identity.json"),
        lambda: before_rename("000001.safetensors"),
        within_results,
        before_results,
        lambda: before_rename("manifest.json"),
        before_clean_up,
    ],
    ids=["claim", "shard", "in results", "before results", "manifest", "clean-up"],
)
def test_killed_at_the_worst_moments(study, finished_run, tmp_path, moment):
    folder = tmp_path / "run"

    def work():
        moment()
        study.run(folder)

    killed(work)
    study.run(folder)
    assert results(folder) == results(finished_run.folder)
    run = open_run(folder)
    assert run.manifest.files == finished_run.manifest.files
    assert not (folder / "shards").exists()
    assert not list(folder.rglob("*.partial"))


@needs_fork
@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_byte_costs_its_shard_only(study, finished_run, tmp_path, seed):
    folder = tmp_path / "run"
    within = Until(finished_run.manifest.tokens["total"])
    killed(lambda: study.run(folder, progress=within))
    before = shard_files(folder)
    assert len(before) == 2
    damaged = folder / "shards" / "000001.safetensors"
    whole = bytearray(damaged.read_bytes())
    whole[random.Random(seed).randrange(len(whole))] ^= 1
    damaged.write_bytes(whole)
    run = resume(study, folder)
    assert run.manifest.passed["resumed_shards"] == 1
    assert shard_files(folder)["000000.safetensors"] == before["000000.safetensors"]
    assert results(folder) == results(finished_run.folder)


def test_a_finished_folder_is_opened_and_nothing_in_it_changes(study, run_copy, monkeypatch):
    before = contents(run_copy)

    def never(*_args, **_options):
        raise AssertionError

    monkeypatch.setattr(runner, "capture", never)
    monkeypatch.setattr(runner, "claim_folder", never)
    run = study.run(run_copy)
    assert run.manifest == open_run(run_copy).manifest
    assert contents(run_copy) == before


def test_a_finished_folder_that_was_altered_is_refused(study, run_copy):
    (run_copy / "study.yaml").write_text("model: other\n")
    with pytest.raises(RunError, match=r"was altered: 'study.yaml'"):
        study.run(run_copy)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"seed": 5}, "seed: 0 there, 5 here"),
        ({"pooling": "last"}, "observers: "),
        ({"bootstrap": 41}, "bootstrap: 40 there, 41 here"),
        ({"limit": 9}, "tokens: .*corpus: "),
    ],
)
def test_another_study_in_the_folder_is_refused_and_named(study, run_copy, fields, says):
    before = contents(run_copy)
    with pytest.raises(StudyError, match=rf"another study's run \(.*{says}.*--output"):
        study.model_copy(update=fields).run(run_copy)
    assert contents(run_copy) == before


def test_another_model_in_the_folder_is_refused(study, run_copy, tmp_path):
    from tests.tiny import save_tiny

    other = save_tiny("llama", tmp_path / "other", seed=1, num_hidden_layers=4)
    with pytest.raises(StudyError, match="weights: "):
        study.model_copy(update={"model": str(other)}).run(run_copy)


def test_a_folder_of_other_things_is_left_alone(study, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StudyError, match=r"holds other files \(thesis.tex\)"):
        study.run(tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"precious"}


@pytest.mark.parametrize("damage", ["", "{", "[]", "3", "[1]", "null"])
def test_a_damaged_identity_is_refused(study, run_copy, damage):
    (run_copy / "identity.json").write_text(damage)
    with pytest.raises(StudyError, match=r"damaged identity.json|another study"):
        study.run(run_copy)


def test_the_output_must_be_a_folder_that_can_be_made(study, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="is a file"):
        study.run(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot be written"):
        study.run(tmp_path / "file" / "below")
    with pytest.raises(StorageError, match="cannot be written: File name too long"):
        study.run(tmp_path / ("x" * 300))


def test_a_full_disk_is_told_before_anything_is_written(study, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1_000_000))
    with pytest.raises(StorageError, match=r"needs about \d+ MB and the disk has 1 MB free"):
        study.run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("n_good", [0, 1, 2])
def test_a_disk_that_fills_while_reading_loses_nothing(
    study, finished_run, tmp_path, monkeypatch, n_good
):
    write, written = shards.write_atomically, []

    def fills(path, content):
        if path.suffix == ".safetensors":
            if len(written) >= n_good:
                raise OSError(errno.ENOSPC, "No space left on device")
            written.append(path.name)
        write(path, content)

    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(shards, "write_atomically", fills)
        with pytest.raises(StorageError, match=r"the disk is full.*finished shards are kept"):
            study.run(folder)
    before = shard_files(folder)
    assert list(before) == written
    run = resume(study, folder)
    assert run.manifest.passed["resumed_shards"] == n_good
    assert before.items() <= shard_files(folder).items()
    assert results(folder) == results(finished_run.folder)


def test_a_disk_that_fills_while_results_are_written_loses_nothing(
    study, finished_run, tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(writer, "_write_by_layer", full)
        with pytest.raises(StorageError, match="the disk is full"):
            study.run(folder)
    assert len(shard_files(folder)) == 3
    run = study.run(folder)
    assert run.manifest.passed["resumed_shards"] == 3
    assert results(folder) == results(finished_run.folder)


def test_ctrl_c_while_measuring_is_resumable(study, finished_run, tmp_path, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(runner, "analyse", stop)
        with pytest.raises(InterruptedRun, match=r"shards are kept in .* the same command resumes"):
            study.run(folder)
    assert resume(study, folder).manifest.passed["resumed_shards"] == 3
    assert results(folder) == results(finished_run.folder)


STOPPED_BY_SIGNAL = """
import os, signal, sys
from probekit.capture import engine
forward, seen, name = engine._Reader._forward, [], sys.argv.pop()
# a shell starts what it puts in the background deaf to Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)

def stop(self, rows):
    seen.append(1)
    if len(seen) == 5:
        os.kill(os.getpid(), getattr(signal, name))
    forward(self, rows)

engine._Reader._forward = stop
from probekit.cli import main
main()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_exits_3_and_says_how_to_resume(study, finished_run, tmp_path, name):
    (tmp_path / "study.yaml").write_text(study.to_yaml())
    command = ["run", str(tmp_path / "study.yaml"), "-o", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_BY_SIGNAL, *command, name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "The same command resumes" in done.stderr
    kept = len(shard_files(tmp_path / "run"))
    assert kept >= 1
    run = Study.from_yaml(tmp_path / "study.yaml").run(tmp_path / "run")
    assert run.manifest.passed["resumed_shards"] == kept
    assert results(tmp_path / "run") == results(finished_run.folder)


def test_shards_of_an_earlier_budget_are_said(study, tmp_path, monkeypatch):
    """Shards made after memory ran out say so; the run lists every budget."""
    import torch

    forward = engine._Reader._forward

    def scarce(self, rows):
        if sum(len(text.ids) for text in rows) > 200:
            raise torch.OutOfMemoryError
        forward(self, rows)

    monkeypatch.setattr(engine._Reader, "_forward", scarce)
    run = study.model_copy(update={"token_budget": 512}).run(tmp_path / "run")
    assert run.manifest.passed["token_budgets"] == [256]
