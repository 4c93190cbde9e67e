"""``Jobs``: the studies of a folder of runs: one at a time, the others in a queue.

Status files lie in ``.jobs`` inside the folder of runs; every change is made under a file lock, so
several servers over one folder agree. A thread a running study waits for its end, however many
browsers look.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError
from probekit_app.jobs import process
from probekit_app.jobs.job import STAGES, Job, read_job
from probekit_app.jobs.names import checked_name, is_name

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

    from probekit import Study

FOLDER = ".jobs"
#: ``-P``: the folder in which a server was started is no place to import from.
COMMAND = (sys.executable, "-P", "-m", "probekit")
GRACE = 20.0
LOG_BYTES = 6000
MOST_QUEUED = 20


class Jobs:
    """Starts, stops and lists studies.

    Parameters
    ----------
    root
        The folder of runs.
    command
        What ``run study.yaml -o …`` is appended to.
    grace
        Seconds that a cancelled study has before it is told more firmly.
    """

    def __init__(
        self, root: Path, *, command: Sequence[str] = COMMAND, grace: float = GRACE
    ) -> None:
        self.root, self._command, self._grace = root.resolve(), tuple(command), grace
        self.folder = self.root / FOLDER
        self._lock = threading.RLock()
        self._held = 0
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._watchers: dict[str, threading.Thread] = {}

    def recover(self) -> None:
        """Find studies that an earlier server left running or waiting."""
        if self.folder.is_dir():
            with self._locked():
                for job in self._all():
                    if self._settled(job).state == "running":
                        self._watch(job)
                self._advance()

    def listed(self) -> list[Job]:
        """Every job as it is now, newest first."""
        if not self.folder.is_dir():
            return []
        with self._locked():
            found = [self._settled(job) for job in self._all()]
            self._advance()
            found = [self._now(read_job(self._status(job.name))) for job in found]
        return sorted(found, key=lambda job: (-job.asked, job.name))

    def start(self, name: str, study: Study, *, seconds: dict[str, float] | None = None) -> Job:
        """Start a study under a new name, or put it in the queue behind the one that runs.

        Raises
        ------
        InputError
            The name is taken or no name; too many are waiting; it would run code of a model's own.
        """
        if study.trust_remote_code:
            msg = "trust_remote_code must be false here. Use 'probekit run' in a terminal instead."
            raise InputError(msg)
        with self._locked():
            self._check_new(name)
            self._write(self.study_file(name), study.to_yaml())
            self._log(name).unlink(missing_ok=True)
            job = Job(name=name, state="queued", asked=time.time(), seconds=seconds or {})
            self._save(job)
            self._advance()
            return self.get(name)

    def cancel(self, name: str) -> threading.Thread | None:
        """Stop a job: one that waits leaves the queue, one that runs is told to end.

        Returns the thread that sees to the latter, for those who want to wait.
        """
        with self._locked():
            job = self._settled(self._find(name))
            if job.state == "queued":
                self._save(job.with_(state="interrupted", message="taken out of the queue"))
            if job.state != "running":
                return None
            self._save(job.with_(cancelled=True))
            self._watch(job)
        seen = {"grace": self._grace}
        ending = threading.Thread(
            target=process.stop, args=(job.pid, job.born), kwargs=seen, daemon=True
        )
        ending.start()
        return ending

    def resume(self, name: str) -> Job:
        """Start a stopped study again with the same command: it goes on where it stopped.

        Raises
        ------
        InputError
            It runs, waits or is finished.
        """
        with self._locked():
            job = self._settled(self._find(name))
            if not job.can_resume or not self.study_file(name).is_file():
                msg = f"job {name!r} must be interrupted or failed to go on. It is {job.state}."
                raise InputError(msg)
            self._save(Job(name=name, state="queued", asked=time.time(), seconds=job.seconds))
            self._advance()
            return self.get(name)

    def forget(self, name: str) -> None:
        """Take a job that is over off the list; its run, finished or not, stays where it is.

        Raises
        ------
        InputError
            It runs or waits.
        """
        with self._locked():
            job = self._settled(self._find(name))
            if not job.is_over:
                msg = f"job {name!r} must be over to be removed. It is {job.state}: cancel it."
                raise InputError(msg)
            for path in (self._status(name), *self._files(name)):
                path.unlink(missing_ok=True)

    def get(self, name: str) -> Job:
        """One job as it is now.

        Raises
        ------
        InputError
            There is none of that name.
        """
        with self._locked():
            return self._now(self._settled(self._find(name)))

    def join(self, name: str) -> Job:
        """Wait for the end of a job that this server watches."""
        watcher = self._watchers.get(name)
        if watcher is not None:
            watcher.join()
        return self.get(name)

    # ------------------------------------------------------------------ files

    def study_file(self, name: str) -> Path:
        """The study that a job runs."""
        return self.folder / f"{name}.yaml"

    def _status(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _progress(self, name: str) -> Path:
        return self.folder / f"{name}.progress"

    def _files(self, name: str) -> tuple[Path, ...]:
        return self.study_file(name), self._log(name), self._progress(name)

    def _all(self) -> list[Job]:
        files = (path for path in self.folder.glob("*.json") if is_name(path.stem))
        return [read_job(path) for path in sorted(files)]

    def _find(self, name: str) -> Job:
        if not is_name(name) or not self._status(name).is_file():
            msg = f"there is no job {name[:80]!r}. Choose one of the list."
            raise InputError(msg)
        return read_job(self._status(name))

    def _save(self, job: Job) -> None:
        self._write(self._status(job.name), job.to_json())

    def _write(self, path: Path, text: str) -> None:
        """Whole or not at all."""
        scratch = path.with_name(f".{path.name}.partial")
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time in this server, and among servers over the same folder."""
        import fcntl

        with self._lock:
            if self._held:
                yield
                return
            self.folder.mkdir(exist_ok=True)
            with (self.folder / "lock").open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self._held += 1
                try:
                    yield
                finally:
                    self._held -= 1

    # ------------------------------------------------------------------ what happens

    def _check_new(self, name: str) -> None:
        checked_name(name, self.root)
        if self._status(name).exists():
            msg = f"name must be new. Got {name!r}, which a job on the list has. Choose another."
            raise InputError(msg)
        waiting = sum(job.state == "queued" for job in self._all())
        if waiting >= MOST_QUEUED:
            msg = f"the queue holds {waiting} studies. Wait for one to end, or cancel some."
            raise InputError(msg)

    def _advance(self) -> None:
        """Start the study that waits longest, when none runs."""
        jobs = [self._settled(job) for job in self._all()]
        waiting = sorted((job for job in jobs if job.state == "queued"), key=lambda job: job.asked)
        if waiting and not any(job.state == "running" for job in jobs):
            self._launch(waiting[0])

    def _launch(self, job: Job) -> None:
        study, progress = self.study_file(job.name), self._progress(job.name)
        progress.unlink(missing_ok=True)
        words = ["run", str(study), "-o", str(self.root / job.name)]
        words += ["--progress-file", str(progress)]
        try:
            child = process.start((*self._command, *words), self._log(job.name))
        except OSError as error:
            self._save(job.with_(state="failed", message=f"it cannot be started: {error.strerror}"))
            return
        self._children[child.pid] = child
        now = {"started": time.time(), "pid": child.pid, "born": process.birth(child.pid)}
        running = job.with_(state="running", **now)
        self._save(running)
        self._watch(running)

    def _watch(self, job: Job) -> None:
        """Wait for the end of a study in a thread, then let the next one begin."""
        watcher = self._watchers.get(job.name)
        if watcher is not None and watcher.is_alive():
            return
        watcher = threading.Thread(target=self._until_over, args=(job,), daemon=True)
        self._watchers[job.name] = watcher
        watcher.start()

    def _until_over(self, job: Job) -> None:
        process.wait(job.pid, job.born)
        with contextlib.suppress(OSError), self._locked():  # the folder can have been removed
            for found in self._all():
                self._settled(found)
            self._advance()

    def _settled(self, job: Job) -> Job:
        """The job, with its end written down when its process is gone."""
        if process.is_alive(job.pid, job.born):
            return job
        child = self._children.pop(job.pid, None)
        # its threads can outlive the first of them by a moment
        code = None if child is None else child.wait()
        if job.state != "running":  # or another server over this folder wrote its end down
            return job
        told = self._told(job)
        state, message = self._ending(job, told, code)
        over = self._now(job).with_(state=state, message=message, log=self._tail(job.name))
        self._save(over)
        return over

    def _ending(self, job: Job, told: dict[str, Any], code: int | None) -> tuple[Any, str]:
        said = str(told.get("message", ""))
        if told.get("state") == "finished" or (self.root / job.name / "manifest.json").is_file():
            return "finished", ""
        if job.cancelled or told.get("state") == "interrupted":
            return "interrupted", "stopped; what was read is kept, and it can go on"
        if told.get("state") == "failed":
            return "failed", said
        lines = self._tail(job.name).strip().splitlines()
        if code is not None and code > 0 and lines:
            return "failed", lines[-1]
        how = f" (signal {-code})" if code is not None and code < 0 else ""
        return "failed", f"it was ended from outside{how}, as when memory runs out. It can go on."

    def _now(self, job: Job) -> Job:
        """The job with what its process says of itself."""
        if job.state != "running":
            return job
        told = self._told(job)
        known = {"done": int, "total": int, "stage": str, "message": str}
        changes = {key: told[key] for key, kind in known.items() if type(told.get(key)) is kind}
        if changes.get("stage") not in STAGES:
            changes["stage"] = "loading"
        return job.with_(**changes, log=self._tail(job.name))

    def _told(self, job: Job) -> dict[str, Any]:
        try:
            told = json.loads(self._progress(job.name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def _tail(self, name: str) -> str:
        """The end of what a job printed."""
        try:
            with self._log(name).open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - LOG_BYTES))
                return file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
