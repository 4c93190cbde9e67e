"""Progress as a file: whole at any moment, ends in a word, never stops a run."""

from __future__ import annotations

import json
import shutil

import pytest

from probekit.cli.app import with_progress
from probekit.errors import InputError, InterruptedRun, StudyError
from probekit.studies.progress_file import FORMAT, FileProgress


class Heard:
    """Keeps what it is told."""

    def __init__(self):
        self.said = []

    def start(self, **known):
        self.said.append(known)

    def advance(self, n):
        self.said.append(n)

    def say(self, message):
        self.said.append(message)

    def close(self):
        self.said.append("closed")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "progress"


def read(path):
    return json.loads(path.read_text("utf-8"))


def test_every_stage_is_written_and_passed_on(path):
    heard = Heard()
    told = FileProgress(path, heard)
    assert (read(path)["format"], read(path)["stage"]) == (FORMAT, "loading")
    told.start(n_tokens=100, done=20)
    assert (read(path)["stage"], read(path)["done"], read(path)["total"]) == ("reading", 20, 100)
    told.advance(50)
    told.advance(50)
    told.say("ü")
    assert (read(path)["done"], read(path)["message"]) == (100, "ü")
    seen = [(row, read(path)["done"]) for row in told.layers(range(3), total=3)]
    assert seen == [(0, 0), (1, 1), (2, 2)]
    assert (read(path)["stage"], read(path)["done"]) == ("measuring", 3)
    told.step("cka", done=1, total=2)
    assert (read(path)["stage"], read(path)["message"]) == ("finishing", "cka")
    told.close()
    assert heard.said == [{"n_tokens": 100, "done": 20}, 50, 50, "ü", "closed"]


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    told = FileProgress(folder / "progress", Heard())
    shutil.rmtree(folder)
    told.start(n_tokens=1, done=0)
    told.end("finished", "")
    assert not folder.exists()


def test_its_folder_must_exist(tmp_path):
    with pytest.raises(InputError, match="--progress-file"):
        FileProgress(tmp_path / "no" / "progress", Heard())


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (None, "finished", ""),
        (InterruptedRun("stopped"), "interrupted", "stopped"),
        (KeyboardInterrupt(), "interrupted", "The same command resumes"),
        (StudyError("wrong"), "failed", "StudyError: wrong"),
        (ZeroDivisionError("x"), "failed", "ZeroDivisionError"),
    ],
)
def test_the_end_is_written_down(path, error, state, words):
    def work(_told):
        if error is not None:
            raise error

    if error is None:
        with_progress(work, file=path)
    else:
        with pytest.raises(type(error)):
            with_progress(work, file=path)
    assert read(path)["state"] == state
    assert words in read(path)["message"]


def test_a_run_tells_its_file(study, path, tmp_path):
    seen = []

    class Follows(Heard):
        def advance(self, n):
            seen.append(read(path)["stage"])

    told = FileProgress(path, Follows())
    study.run(tmp_path / "run", progress=told)
    assert set(seen) == {"reading"}
    assert (read(path)["stage"], read(path)["total"]) == ("finishing", 4)
