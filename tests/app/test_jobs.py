"""Jobs as plain functions: start, queue, cancel, resume, a server that comes back, hostile names.

Most children here are stand-ins that wait for a signal; three are real ``probekit run`` over a
tiny model. Nothing sleeps: a test waits for a process, or reads a pipe that the child writes to.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from probekit import Study, open_run
from probekit.errors import InputError
from probekit_app.jobs import Job, Jobs, process
from probekit_app.jobs.job import FORMAT, read_job
from probekit_app.jobs.jobs import COMMAND
from probekit_app.jobs.names import checked_name

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")

INT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
#: Stands in for ``probekit run``: waits until it is told to stop.
WAITS = (sys.executable, "-I", "-S", "-c", INT + "signal.pause()")
#: Does not listen to Ctrl-C, and says so when it does not.
DEAF = (
    sys.executable,
    "-I",
    "-S",
    "-c",
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "open(sys.argv[-1] + '.deaf', 'w').write('x'); signal.pause()",
)
#: ``probekit run`` that says when its first shard is whole, and stays there.
PAUSED = (
    sys.executable,
    "-c",
    INT + "import contextlib, os, sys; from probekit.capture.shards import ShardStore\n"
    "pipe, write = sys.argv.pop(1), ShardStore.write\n"
    "def tell():\n"
    "    with contextlib.suppress(OSError):\n"
    "        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))\n"
    "def stay(*a, **k):\n"
    "    write(*a, **k); tell(); signal.pause()\n"
    "ShardStore.write = stay\n"
    "from probekit.cli import main\n"
    "try: main()\n"
    "finally: tell()",
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def waiting(root):
    """Jobs whose children wait; none is left behind."""
    jobs = Jobs(root, command=WAITS, grace=5)
    yield jobs
    end(jobs)


def end(jobs):
    """Stop whatever still runs, the queue first."""
    for job in sorted(jobs.listed(), key=lambda job: job.state != "queued"):
        if not job.is_over:
            jobs.cancel(job.name)
            jobs.join(job.name)


def states(jobs):
    return {job.name: job.state for job in jobs.listed()}


def results(folder):
    files = (folder / "results.zarr").rglob("*")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


def test_a_started_study_ends_as_the_same_run(root, study, finished_run):
    jobs = Jobs(root)
    job = jobs.start("first", study, seconds={"load": 1.0, "pass": 1.0, "measures": 1.0})
    assert job.state == "running"
    over = jobs.join("first")
    assert (over.state, over.share) == ("finished", 1.0), over.log
    assert results(root / "first") == results(finished_run.folder)
    assert open_run(root / "first").manifest.model["id"] == finished_run.manifest.model["id"]
    told = json.loads((jobs.folder / "first.progress").read_text("utf-8"))
    assert (told["state"], told["stage"]) == ("finished", "finishing")


@pytest.fixture
def paused(root, tmp_path):
    """Jobs whose study stays after its first shard, and the pipe that says so."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    jobs = Jobs(root, command=(*PAUSED, str(pipe)), grace=30)
    yield jobs, pipe
    end(jobs)


def test_a_cancelled_study_keeps_its_shards_and_resumes_to_the_same_bytes(
    root, study, finished_run, paused
):
    jobs, pipe = paused
    jobs.start("first", study)
    pipe.read_text("utf-8")
    now = jobs.get("first")
    assert (now.state, now.stage) == ("running", "reading")
    assert now.done < now.total == finished_run.manifest.tokens["total"]
    jobs.cancel("first").join()
    over = jobs.join("first")
    assert over.state == "interrupted", over.log
    assert "interrupted" in over.log
    kept = sorted(path.name for path in (root / "first" / "shards").glob("[0-9]*"))
    assert kept == ["000000.safetensors"]
    again = Jobs(root, command=COMMAND)  # a server that was started anew
    assert again.resume("first").state == "running"
    assert again.join("first").state == "finished"
    assert results(root / "first") == results(finished_run.folder)
    assert open_run(root / "first").manifest.passed["resumed_shards"] == 1


def test_one_runs_and_the_others_wait_in_order(waiting):
    for name in ("a", "b", "c"):
        waiting.start(name, Study())
    assert states(waiting) == {"a": "running", "b": "queued", "c": "queued"}
    assert waiting.cancel("b") is None
    waiting.cancel("a").join()
    waiting.join("a")
    assert states(waiting) == {"a": "interrupted", "b": "interrupted", "c": "running"}


def test_a_server_that_starts_again_finds_the_child_and_the_queue(waiting):
    first = waiting.start("a", Study())
    waiting.start("b", Study())
    again = Jobs(waiting.root, command=WAITS, grace=5)
    again.recover()
    assert again.get("a").pid == first.pid
    assert states(again) == states(waiting) == {"a": "running", "b": "queued"}
    again.cancel("a").join()
    again.join("a")
    assert states(again)["b"] == states(waiting)["b"] == "running"
    waiting.join("a")
    end(again)
    waiting.listed()


def test_a_number_that_another_process_has_now_is_not_trusted(root):
    """The status file names this very process, born at another time: it must not be stopped."""
    jobs = Jobs(root, command=WAITS)
    jobs.folder.mkdir()
    job = Job(name="a", state="running", pid=os.getpid(), born="another", started=1.0)
    (jobs.folder / "a.json").write_text(job.to_json(), "utf-8")
    assert jobs.cancel("a") is None
    found = jobs.get("a")
    assert found.state == "failed"
    assert "ended from outside" in found.message
    assert process.is_alive(os.getpid(), process.birth(os.getpid()))
    assert not process.is_alive(os.getpid(), "another")


def test_a_process_that_is_gone_has_no_birth():
    child = subprocess.Popen(WAITS)
    born = process.birth(child.pid)
    assert born
    child.kill()
    assert process.wait(child.pid, born)
    assert process.birth(child.pid) == ""
    child.wait()
    assert process.birth(0) == process.birth(-1) == ""


def test_a_study_that_is_killed_says_so_and_can_go_on(waiting):
    job = waiting.start("a", Study())
    os.kill(job.pid, signal.SIGKILL)
    over = waiting.join("a")
    assert over.state == "failed"
    assert "signal 9" in over.message
    assert waiting.resume("a").state == "running"


def test_a_deaf_study_is_told_more_firmly(root, tmp_path):
    jobs = Jobs(root, command=DEAF, grace=0.2)
    jobs.start("a", Study())
    assert jobs.cancel("a") is not None
    assert jobs.join("a").state == "interrupted"


def test_a_study_that_cannot_start_says_why(root):
    jobs = Jobs(root, command=("/no/such/program",))
    found = jobs.start("a", Study())
    assert (found.state, found.message) == (
        "failed",
        "it cannot be started: No such file or directory",
    )


def test_bad_input_is_the_reason_that_is_shown(root):
    jobs = Jobs(root, command=(sys.executable, "-c", "import sys; sys.exit('CorpusError: no')"))
    jobs.start("a", Study())
    over = jobs.join("a")
    assert (over.state, over.message) == ("failed", "CorpusError: no")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc",
        "a b",
        "a/b",
        "a\\b",
        ".hidden",
        "-o",
        "a\n",
        "é",
        "a.",
        "x" * 300,
        "a\0b",
        "<script>",
        "$(id)",
        "taken",
        "link",
    ],
)
def test_hostile_names_are_refused_in_one_line_and_make_nothing(waiting, name, tmp_path):
    (waiting.root / "taken").mkdir()
    (waiting.root / "link").symlink_to(tmp_path)
    before = sorted(waiting.root.iterdir())
    with pytest.raises(InputError, match="name must") as raised:
        waiting.start(name, Study())
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 250
    assert [p for p in sorted(waiting.root.iterdir()) if p.name != ".jobs"] == before
    assert waiting.listed() == []
    for act in (waiting.cancel, waiting.resume, waiting.forget, waiting.get):
        with pytest.raises(InputError, match="there is no job"):
            act(name)


def test_a_good_name_is_taken_as_it_is(root):
    for name in ("a", "gemma-3_270m.v2", "0", "x" * 80):
        assert checked_name(name, root) == name


def test_a_name_on_the_list_is_taken_until_it_is_removed(waiting):
    waiting.start("a", Study())
    with pytest.raises(InputError, match="a job on the list has"):
        waiting.start("a", Study())
    with pytest.raises(InputError, match="must be over to be removed"):
        waiting.forget("a")
    with pytest.raises(InputError, match="must be interrupted or failed"):
        waiting.resume("a")
    waiting.cancel("a").join()
    waiting.join("a")
    waiting.forget("a")
    assert states(waiting) == {}
    assert waiting.start("a", Study()).state == "running"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": "probekit-job/9"}',
        json.dumps({"format": FORMAT, "name": "b", "state": "running"}),
        json.dumps({"format": FORMAT, "name": "a", "state": "flying"}),
        json.dumps({"format": FORMAT, "name": "a", "state": "running", "pid": "1; rm"}),
        json.dumps({"format": FORMAT, "name": "a", "state": "running", "seconds": [1]}),
        "\udcff",
    ],
)
def test_a_corrupt_status_file_is_one_line_of_the_list(waiting, text):
    waiting.folder.mkdir()
    (waiting.folder / "a.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    (found,) = waiting.listed()
    assert found.state == "damaged"
    assert "cannot be read" in found.message
    assert waiting.start("b", Study()).state == "running"
    waiting.forget("a")
    assert list(states(waiting)) == ["b"]


def test_corrupt_progress_is_no_progress(waiting):
    waiting.start("a", Study())
    for text in ("", "[1]", '{"stage": "sleeping", "done": "x", "total": -1}', "\0"):
        (waiting.folder / "a.progress").write_text(text, "utf-8")
        now = waiting.get("a")
        assert (now.state, now.stage, now.done) == ("running", "loading", 0)


def test_code_of_a_model_is_never_run_from_here(waiting):
    with pytest.raises(InputError, match="trust_remote_code"):
        waiting.start("a", Study(trust_remote_code=True))
    assert waiting.listed() == []


def test_a_job_is_read_back_as_it_was_written(tmp_path):
    job = Job(name="a", state="queued", asked=1.5, seconds={"load": 2.0}, message="ü <b>")
    (tmp_path / "a.json").write_text(job.to_json(), "utf-8")
    assert read_job(tmp_path / "a.json") == job


def test_shares_grow_with_the_stages_and_time_left_shrinks():
    job = Job(
        name="a", state="running", started=100.0, seconds={"load": 10, "pass": 60, "measures": 30}
    )
    stages = [("loading", 0, 0), ("reading", 30, 60), ("measuring", 0, 4), ("measuring", 4, 4)]
    stages += [("finishing", 8, 9)]
    shares = [job.with_(stage=s, done=d, total=t).share for s, d, t in stages]
    assert shares == sorted(shares)
    assert shares[:3] == pytest.approx([0.0, 0.4, 0.7])
    half = job.with_(stage="reading", done=30, total=60)
    # 40 s spent on 40 % and a plan of 100 s agree that 60 s are left
    assert half.remaining(140.0) == pytest.approx(60.0)
    assert half.remaining(180.0) > 60.0
    assert job.with_(stage="loading").remaining(100.0) == 100.0
