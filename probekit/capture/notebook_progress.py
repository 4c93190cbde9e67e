"""Progress in a notebook: one bar that is redrawn in place, and plain text where HTML is not shown.

Costs at most ten small messages to the notebook a second. Nothing of IPython is imported.
"""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from probekit.capture.engine import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from probekit.capture.engine import Progress

PERIOD = 0.1
_BAR = "width:22em;max-width:60%;vertical-align:middle"


class NotebookProgress:
    """One bar below the cell: reading in tokens, measuring in layers, finishing in analyses."""

    def __init__(self) -> None:
        self._display: ModuleType = sys.modules["IPython"].display
        self._handle: Any = None
        self._stage, self._unit = "starting", ""
        self._done, self._total, self._before = 0, 0, 0
        self._said: list[str] = []
        self._began = self._stage_began = time.monotonic()
        self._drawn = 0.0

    def start(self, *, n_tokens: int, done: int) -> None:
        """Open the bar of the pass."""
        if done:
            self.say(f"resuming: {done:,} of {n_tokens:,} tokens were read before")
        self.stage("reading", unit="tokens", done=done, total=n_tokens)

    def advance(self, n_tokens: int) -> None:
        """Move the bar; a shard read twice never moves it past its end."""
        self._done = min(self._done + n_tokens, self._total)
        self._draw()

    def say(self, message: str) -> None:
        """One line below the bar."""
        self._said.append(message)
        self._draw(now=True)

    def layers(self, rows: Iterable[int], *, total: int) -> Iterator[int]:
        """Iterate rows; one is done when the next is asked for."""
        self.stage("measuring", unit="layers", done=0, total=total)
        for row in rows:
            yield row
            self.advance(1)

    def step(self, name: str, *, done: int, total: int) -> None:
        """The analysis of that name is put together."""
        if self._stage != "finishing":
            self.stage("finishing", unit="analyses", done=0, total=total)
        self._unit, self._done = f"analyses: {name}", done
        self._draw()

    def reach(self, done: int, *, unit: str) -> None:
        """So many are done; the words may have changed."""
        self._unit, self._done = unit, done
        self._draw()

    def close(self, word: str = "done") -> None:
        """Take the bar away; what was said, and how long it took, stay."""
        if self._handle is not None:
            self._said.insert(0, f"{word} in {time.monotonic() - self._began:,.0f} s")
            self._total = 0
            self._draw(now=True)

    def stage(self, stage: str, *, unit: str, done: int, total: int) -> None:
        """Begin the bar anew, of so many things."""
        self._stage, self._unit, self._done, self._total = stage, unit, done, total
        self._before, self._stage_began = done, time.monotonic()
        self._draw(now=True)

    def _draw(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._drawn < PERIOD:
            return
        self._drawn = time.monotonic()
        bundle = {"text/plain": self._text(), "text/html": self._html()}
        if self._handle is None:
            self._handle = self._display.display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def _line(self) -> str:
        """``reading 1,200 of 4,800 tokens, 310 a second``; nothing without a bar."""
        if not self._total:
            return ""
        line = f"{self._stage} {self._done:,} of {self._total:,} {self._unit}"
        seconds = time.monotonic() - self._stage_began
        if self._stage != "reading" or seconds < 1:
            return line
        return f"{line}, {(self._done - self._before) / seconds:,.0f} a second"

    def _text(self) -> str:
        share = f" ({self._done / self._total:.0%})" if self._total else ""
        return "\n".join(line for line in (self._line() + share, *self._said) if line)

    def _html(self) -> str:
        said = "".join(f"<div>{escape(message)}</div>" for message in self._said)
        if not self._total:
            return said
        line = escape(self._line())
        bar = (
            f'<progress value="{self._done}" max="{self._total}" aria-label="{escape(self._stage)}"'
            f' style="{_BAR}"></progress>'
        )
        return f"<div><div>{bar} <span>{line}</span></div>{said}</div>"


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this: it would show a bar. Imports nothing."""
    ipython = sys.modules.get("IPython")
    find: Callable[[], Any] | None = getattr(ipython, "get_ipython", None)
    shell = None if find is None else find()
    return getattr(shell, "kernel", None) is not None


@contextmanager
def standing(progress: Progress | None) -> Iterator[Progress]:
    """Yield the progress that was given, else a bar in a notebook, else a silent one."""
    if progress is not None or not in_notebook():
        yield progress or Silent()
        return
    bar = NotebookProgress()
    try:
        with warnings.catch_warnings():
            # tqdm, which comes with transformers, misses a widget that no bar here needs
            warnings.filterwarnings("ignore", message="IProgress not found")
            yield bar
    except BaseException:
        bar.close("stopped")
        raise
    bar.close()
