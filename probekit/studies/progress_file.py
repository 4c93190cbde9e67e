"""Progress as a file that another process reads: one JSON object, replaced whole, twice a second.

``{"format": …, "state": "running", "stage": "reading", "done": 120, "total": 480, "message": …}``.
It ends in ``finished``, ``interrupted`` or ``failed``. A file that cannot be written stops no run.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FORMAT = "probekit-progress/1"
#: Stages in their order. ``finishing`` counts analyses, ``measuring`` layers, ``reading`` tokens.
STAGES = ("loading", "reading", "measuring", "finishing")
PERIOD = 0.5


class FileProgress:
    """Writes how far a run is; passes everything on to the progress it stands before.

    Parameters
    ----------
    path
        The file.
    inner
        Told the same, as in bars on a terminal.

    Raises
    ------
    InputError
        The file's folder does not exist.
    """

    def __init__(self, path: Path, inner: Any) -> None:
        if not path.absolute().parent.is_dir():
            msg = (
                f"progress file {str(path)!r} must lie in a folder that exists. "
                "Make it, or leave out --progress-file."
            )
            raise InputError(msg)
        self._path, self._inner, self._written = path, inner, 0.0
        self._now: dict[str, Any] = {
            "format": FORMAT,
            "pid": os.getpid(),
            "state": "running",
            "stage": STAGES[0],
            "done": 0,
            "total": 0,
            "message": "",
        }
        self._write()

    def start(self, *, n_tokens: int, done: int) -> None:
        """The pass begins."""
        self._inner.start(n_tokens=n_tokens, done=done)
        self._tell(stage="reading", done=done, total=n_tokens)

    def advance(self, n_tokens: int) -> None:
        """``n_tokens`` more were read; a shard read twice never makes it more than all."""
        self._inner.advance(n_tokens)
        self._now["done"] = min(self._now["done"] + n_tokens, self._now["total"])
        if time.monotonic() - self._written >= PERIOD:
            self._write()

    def say(self, message: str) -> None:
        """Something the user should know."""
        self._inner.say(message)
        self._tell(message=message)

    def layers(self, rows: Iterable[int], *, total: int) -> Iterator[int]:
        """Iterate rows; one is done when the next is asked for."""
        self._tell(stage="measuring", done=0, total=total)
        inner = getattr(self._inner, "layers", None)
        for done, row in enumerate(rows if inner is None else inner(rows, total=total), start=1):
            yield row
            self._tell(done=done)

    def step(self, name: str, *, done: int, total: int) -> None:
        """The ``done + 1``-th of ``total`` analyses puts its results together."""
        self._tell(stage="finishing", done=done, total=total, message=name)

    def end(self, state: str, message: str) -> None:
        """Nothing more will come."""
        self._tell(state=state, message=message)

    def close(self) -> None:
        """Close what it stands before."""
        self._inner.close()

    def _tell(self, **changes: Any) -> None:
        self._now.update(changes)
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        scratch = self._path.with_name(f".{self._path.name}.partial")
        with suppress(OSError):
            scratch.write_text(json.dumps(self._now, ensure_ascii=False), encoding="utf-8")
            scratch.replace(self._path)
