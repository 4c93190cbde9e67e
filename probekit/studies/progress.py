"""Progress in a terminal: one bar a stage on stderr, with tokens a second and time left."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class TerminalProgress:
    """Bars on stderr where it is a terminal; otherwise only what ``say`` is told."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("[progress.description]{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task: Any = None

    def start(self, *, n_tokens: int, done: int) -> None:
        """Open the bar of the pass."""
        self._bar.start()
        if done:
            self.say(f"resuming: {done:,} of {n_tokens:,} tokens were read before")
        self._task = self._bar.add_task("reading", total=n_tokens, completed=done, rate="")

    def advance(self, n_tokens: int) -> None:
        """Move the bar of the pass; a shard read twice never moves it back."""
        self._bar.update(self._task, advance=n_tokens)
        speed = self._bar.tasks[self._task].speed
        if speed:
            self._bar.update(self._task, rate=f"{speed:,.0f} tokens/s")

    def say(self, message: str) -> None:
        """One line on stderr."""
        self._console.print(message, highlight=False, soft_wrap=True)

    def layers(self, rows: Iterable[int], *, total: int) -> Iterator[int]:
        """Iterate rows under a second bar."""
        self._bar.start()
        task = self._bar.add_task("measuring", total=total, rate="layers")
        for row in rows:
            yield row
            self._bar.update(task, advance=1)

    def close(self) -> None:
        """Take the bars away."""
        self._bar.stop()
