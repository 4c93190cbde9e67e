"""The queue and its process: one at a time, bounded, timed, and alive after whatever happens."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from probekit_app.live import readings
from probekit_app.live.child import Child, ChildError
from probekit_app.live.readings import BusyError, LiveLens
from tests.app.live import FAKE

LONG = 60.0


@pytest.fixture
def lens():
    """Makes live lenses over the stand-in, and ends them."""
    made = []

    def make(model="fake", **options):
        made.append(LiveLens(model, command=FAKE, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def read(live, *texts):
    reading = live.submit(texts)
    live.wait(reading, seconds=LONG)
    return reading


def reached(live, reading, stage):
    with live._changed:
        return live._changed.wait_for(lambda: reading.stage == stage, timeout=LONG)


def is_over(pid):
    """Whether a process that need not be ours ends."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], LONG)[0])
    finally:
        os.close(handle)


def test_nothing_starts_before_it_is_asked(lens):
    live = lens()
    assert live.child.pid is None
    assert live._thread is None


def test_texts_are_read_in_order_by_one_process(lens):
    live = lens()
    first, second = read(live, "a", "ب", "ค"), read(live, "d")
    assert first.stage == second.stage == "done"
    assert [each["grid"]["text"] for each in first.found] == ["a", "ب", "ค"]
    pids = {each["grid"]["pid"] for each in (*first.found, *second.found)}
    assert pids == {live.child.pid}
    assert live.child.loaded["model"] == "fake"


def test_what_a_library_prints_is_no_answer(lens):
    assert read(lens(), "loud", "b").found[1]["grid"]["text"] == "b"


@pytest.mark.parametrize("how", ["itself", "killed"])
def test_a_process_that_ends_fails_its_request_and_no_other(lens, how):
    live = lens()
    if how == "itself":
        failed = read(live, "a", "die", "never")
        assert [each["grid"]["text"] for each in failed.found] == ["a"]
    else:
        failed = live.submit(["hang"])
        assert reached(live, failed, "reading")
        os.kill(live.child.pid, signal.SIGKILL)
        live.wait(failed, seconds=LONG)
    assert failed.stage == "failed"
    assert "process ended while reading the text" in failed.problem
    assert read(live, "b").found[0]["grid"]["text"] == "b"


def test_a_process_killed_while_idle_is_started_again(lens):
    live = lens()
    before = read(live, "a").found[0]["grid"]["pid"]
    os.kill(before, signal.SIGKILL)
    assert is_over(before)
    after = read(live, "b")
    assert after.stage == "done"
    assert after.found[0]["grid"]["pid"] != before


def test_a_request_has_a_time_limit(lens):
    live = lens(time_limit=0.2)
    failed = live.submit(["hang"])
    assert reached(live, failed, "reading")
    pid = live.child.pid
    live.wait(failed, seconds=LONG)
    assert failed.stage == "failed"
    assert "longer than" in failed.problem
    assert pid is None or is_over(pid)
    live.time_limit = LONG
    assert read(live, "b").stage == "done"


def test_loading_has_a_time_limit(lens):
    failed = read(lens(load_limit=0.0), "a")
    assert failed.stage == "failed"
    assert "loading the model" in failed.problem


def test_a_model_that_is_not_there_is_said(lens):
    live = lens("none")
    assert read(live, "a").problem == "no such model"
    assert read(live, "a").problem == "no such model"


def test_a_command_that_is_not_there_is_said():
    live = LiveLens("m", command=("/nonexistent-program",))
    assert "cannot be started" in read(live, "a").problem
    live.close()


def test_the_queue_is_bounded(lens):
    live = lens(most_waiting=2)
    assert reached(live, live.submit(["hang"]), "reading")
    waiting = [live.submit(["a"]), live.submit(["b"])]
    assert [live.before(each) for each in waiting] == [1, 2]
    with pytest.raises(BusyError, match="2 requests are waiting"):
        live.submit(["c"])
    os.kill(live.child.pid, signal.SIGKILL)
    live.wait(waiting[1], seconds=LONG)
    assert [each.stage for each in waiting] == ["done", "done"]


def test_only_the_last_readings_are_kept(lens, monkeypatch):
    monkeypatch.setattr(readings, "KEPT", 1)
    live = lens()
    tickets = [read(live, text).ticket for text in "abc"]
    live.submit(["d"])
    assert [live.reading(ticket) is not None for ticket in tickets] == [False, False, True]
    assert live.reading("guessed") is None


def test_a_close_ends_the_process_for_good(lens):
    live = lens()
    pid = read(live, "a").found[0]["grid"]["pid"]
    live.close()
    assert is_over(pid)
    with pytest.raises(ChildError, match="closed"):
        live.child.start(limit=LONG)


def test_an_unexpected_fault_leaves_the_queue_alive(lens, monkeypatch):
    live = lens()
    real = live.child.start

    def broken(**_):
        monkeypatch.setattr(live.child, "start", real)
        msg = "odd"
        raise LookupError(msg)

    monkeypatch.setattr(live.child, "start", broken)
    assert "LookupError" in read(live, "a").problem
    assert read(live, "b").stage == "done"


PARENT = """
import sys
from probekit_app.live.readings import LiveLens
from tests.app.live import FAKE
live = LiveLens("fake", command=FAKE)
reading = live.submit(["a", "hang"])
with live._changed:
    live._changed.wait_for(lambda: reading.found)
print(reading.found[0]["grid"]["pid"], flush=True)
{end}
"""


@pytest.mark.parametrize(
    ("end", "by"),
    [
        ("import time; time.sleep(600)", signal.SIGTERM),
        ("import time; time.sleep(600)", signal.SIGKILL),
        ("", None),
    ],
)
def test_no_process_outlives_the_workbench(end, by):
    code = PARENT.format(end=end)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        if by is not None:
            parent.send_signal(by)
        parent.wait(timeout=LONG)
    assert is_over(pid)


def test_a_child_that_was_never_started_cannot_be_asked():
    with pytest.raises(ChildError, match="before it was asked"):
        Child("m", command=FAKE).ask({}, limit=1)
