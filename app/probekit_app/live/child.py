"""A process that answers JSON lines: started when first asked, killed when it is too slow.

Whoever holds it asks one thing at a time; after an end, expected or not, the next request starts a
new one. Costs nothing until then.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKER = (sys.executable, "-m", "probekit_app.live.worker")
_END = None


class ChildError(Exception):
    """The process ended, could not start, or took too long; the text is for whoever asked."""


class Child:
    """The process of one model.

    Parameters
    ----------
    model
        What it is to load.
    command
        What starts it.
    """

    def __init__(self, model: str, *, command: Sequence[str] = WORKER) -> None:
        self.model, self.command = model, tuple(command)
        self.loaded: dict[str, Any] = {}
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Its number, while there is one that runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self, *, limit: float) -> dict[str, Any]:
        """Start it if it does not run; what it says of the model that it has loaded.

        Raises
        ------
        ChildError
            The model cannot be loaded, or not within ``limit`` seconds.
        """
        if self.pid is not None and self.loaded:
            return self.loaded
        self.end()
        with self._lock:
            self._process = self._started()
        self._send({"model": self.model})
        said = self._receive(limit, doing="loading the model")
        if "problem" in said:
            self.end()
            raise ChildError(said["problem"])
        self.loaded = said
        return said

    def ask(self, message: dict[str, Any], *, limit: float) -> dict[str, Any]:
        """Its answer to a message.

        Raises
        ------
        ChildError
            It ended, or did not answer within ``limit`` seconds; it is killed then.
        """
        self._send(message)
        return self._receive(limit, doing="reading the text")

    def end(self) -> None:
        """Kill it; the next start is a new one."""
        with self._lock:
            process, self._process, self.loaded = self._process, None, {}
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close(pipe)

    def close(self) -> None:
        """Kill it for good."""
        self._closed = True
        self.end()

    def _started(self) -> subprocess.Popen[str]:
        if self._closed:
            msg = "The workbench is being closed."
            raise ChildError(msg)
        self._answers = queue.Queue()
        try:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                env={**os.environ, "PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "utf-8"},
                start_new_session=True,  # Ctrl-C is for the server, which then ends this
            )
        except OSError as error:
            msg = f"The model's process cannot be started: {error.strerror}."
            raise ChildError(msg) from error
        threading.Thread(target=_pump, args=(process, self._answers), daemon=True).start()
        return process

    def _send(self, message: dict[str, Any]) -> None:
        process = self._process
        try:
            assert process is not None
            assert process.stdin is not None
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
        except (AssertionError, OSError, ValueError) as error:
            msg = self._ended("before it was asked")
            raise ChildError(msg) from error

    def _receive(self, limit: float, *, doing: str) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=limit)
        except queue.Empty:
            self.end()
            msg = (
                f"The model took longer than {limit:g} seconds for {doing} and was stopped; the "
                "next text starts it again. Try a shorter text."
            )
            raise ChildError(msg) from None
        if line is _END:
            msg = self._ended(f"while {doing}")
            raise ChildError(msg)
        found: dict[str, Any] = json.loads(line)
        return found

    def _ended(self, when: str) -> str:
        process = self._process
        code = None
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout=1)
        self.end()
        how = f" (code {code})" if code is not None else ""
        return f"The model's process ended {when}{how}; the next text starts it again."


def _pump(process: subprocess.Popen[str], answers: queue.Queue[str | None]) -> None:
    """Put what it says into a queue, which can be waited on for a limited time."""
    assert process.stdout is not None
    with suppress(ValueError):  # it was closed while being read
        for line in process.stdout:
            answers.put(line)
    answers.put(_END)


def _close(pipe: Any) -> None:
    with suppress(OSError):  # what was still to be written has nobody to read it
        pipe.close()
