"""Progress of steps: what the loops tell, and one bar a stage on stderr."""

from __future__ import annotations

import sys
from typing import Any, Protocol


class StepProgress(Protocol):
    """Told about steps as they are made."""

    def start(self, what: str, *, total: int, done: int) -> None:
        """A stage of ``total`` steps begins, ``done`` of them made before."""

    def step(self, done: int, note: str) -> None:
        """``done`` steps are made."""

    def say(self, message: str) -> None:
        """Something the user should know."""


class SilentSteps:
    """No progress."""

    def start(self, what: str, *, total: int, done: int) -> None:
        """Say nothing."""

    def step(self, done: int, note: str) -> None:
        """Say nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""


class TerminalSteps:
    """A bar on stderr where it is a terminal; otherwise only what ``say`` is told."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task: Any = None

    def start(self, what: str, *, total: int, done: int) -> None:
        """Open a bar; the one before is taken away."""
        self._bar.start()
        if self._task is not None:
            self._bar.remove_task(self._task)
        if done:
            self.say(f"{what}: resuming after step {done} of at most {total}")
        self._task = self._bar.add_task(what, total=total, completed=done, note="")

    def step(self, done: int, note: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, note=note)

    def say(self, message: str) -> None:
        """One line on stderr."""
        self._console.print(message, highlight=False, soft_wrap=True, markup=False)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()
