"""Progress of steps: what the loops tell, one bar a stage on stderr, one bar in a notebook."""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from probekit.capture.notebook_progress import NotebookProgress, standing

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


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


class NotebookSteps:
    """The bar of a notebook cell: steps of one stage after another, what was said below it."""

    def __init__(self, bar: NotebookProgress) -> None:
        self._bar = bar

    def start(self, what: str, *, total: int, done: int) -> None:
        """Begin the bar anew."""
        self._bar.stage(what, unit="steps", done=done, total=total)

    def step(self, done: int, note: str) -> None:
        """Move the bar."""
        self._bar.reach(done, unit=f"steps: {note}" if note else "steps")

    def say(self, message: str) -> None:
        """One line below the bar."""
        self._bar.say(message)


def told_in_notebooks(work: Callable[P, R]) -> Callable[P, R]:
    """A function that shows its steps where a notebook runs it and no ``progress`` is given."""

    @wraps(work)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs.get("progress") is not None:
            return work(*args, **kwargs)
        with standing(None) as bar:
            if isinstance(bar, NotebookProgress):
                kwargs["progress"] = NotebookSteps(bar)
            return work(*args, **kwargs)

    return call


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
