"""Requests to the live lens, one read at a time, a few waiting, the last ones kept to be fetched.

One thread asks the model's process; it starts with the first request. Whatever goes wrong ends as
words in the request that it happened to.
"""

from __future__ import annotations

import atexit
import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from probekit_app.live import limits
from probekit_app.live.child import WORKER, Child, ChildError

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

#: Requests whose grids are kept after they are read.
KEPT = 16
Stage = Literal["waiting", "loading", "reading", "done", "failed"]


class BusyError(Exception):
    """As many requests wait as may."""


@dataclass
class Reading:
    """A request on its way.

    Attributes
    ----------
    texts
        What is to be read.
    ticket
        Its name, which nobody can guess.
    stage, problem
        How far it is; why it failed.
    found
        An answer of each text that has been read: ``{"grid": …}`` or ``{"problem": …}``.
    """

    texts: tuple[str, ...]
    ticket: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    stage: Stage = "waiting"
    problem: str = ""
    found: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.stage in {"done", "failed"}


class LiveLens:
    """The live lens of a workbench.

    Parameters
    ----------
    model
        What to load at the first request.
    command
        What starts the model's process.
    time_limit, load_limit
        Seconds for a request, and for loading.
    most_waiting
        Requests that may wait.
    """

    def __init__(
        self,
        model: str,
        *,
        command: Sequence[str] = WORKER,
        time_limit: float = limits.TIME_LIMIT,
        load_limit: float = limits.LOAD_LIMIT,
        most_waiting: int = limits.MOST_WAITING,
    ) -> None:
        self.model, self.most_waiting = model, most_waiting
        self.time_limit, self.load_limit = time_limit, load_limit
        self.child = Child(model, command=command)
        self._kept: OrderedDict[str, Reading] = OrderedDict()
        self._waiting: deque[Reading] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, texts: Sequence[str]) -> Reading:
        """Put texts at the end of the queue; returns at once.

        Raises
        ------
        BusyError
            The queue is full.
        """
        reading = Reading(tuple(texts))
        with self._changed:
            if len(self._waiting) >= self.most_waiting:
                msg = (
                    f"The live lens is busy: {len(self._waiting)} requests are waiting, as many as "
                    "may. Try again in a while."
                )
                raise BusyError(msg)
            self._waiting.append(reading)
            self._kept[reading.ticket] = reading
            self._forget()
            self._start()
            self._changed.notify_all()
        return reading

    def reading(self, ticket: str) -> Reading | None:
        """A request by its ticket; None when it is no longer kept."""
        with self._changed:
            return self._kept.get(ticket)

    def before(self, reading: Reading) -> int:
        """Requests that are read before it."""
        with self._changed:
            return self._waiting.index(reading) + 1 if reading in self._waiting else 0

    def wait(self, reading: Reading, *, seconds: float) -> None:
        """Wait until a request is over, for a limited time."""
        with self._changed:
            self._changed.wait_for(lambda: reading.is_over, timeout=seconds)

    def close(self) -> None:
        """End the model's process and take no more requests."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        self.child.close()
        atexit.unregister(self.close)

    def _start(self) -> None:
        if self._thread is None:
            atexit.register(self.close)
            self._thread = threading.Thread(target=self._work, name="live-lens", daemon=True)
            self._thread.start()

    def _forget(self) -> None:
        """Let go of the oldest requests that are over."""
        over = [ticket for ticket, reading in self._kept.items() if reading.is_over]
        for ticket in over[: max(0, len(over) - KEPT)]:
            del self._kept[ticket]

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                reading = self._waiting.popleft()
            try:
                self._read(reading)
            except ChildError as error:
                self._set(reading, "failed", problem=str(error))
            except Exception as error:  # this thread must live as long as the workbench
                log.exception("the live lens failed")
                self.child.end()
                problem = f"The live lens failed ({type(error).__name__}); the log says more."
                self._set(reading, "failed", problem=problem)

    def _read(self, reading: Reading) -> None:
        self._set(reading, "loading")
        self.child.start(limit=self.load_limit)
        self._set(reading, "reading")
        end = time.monotonic() + self.time_limit
        for text in reading.texts:
            message = {"text": text, "top": limits.TOP, "cells": limits.MOST_CELLS}
            left = end - time.monotonic()
            found = self.child.ask(message, limit=max(0.0, left))
            with self._changed:
                reading.found.append(found)
                self._changed.notify_all()
        self._set(reading, "done")

    def _set(self, reading: Reading, stage: Stage, *, problem: str = "") -> None:
        with self._changed:
            reading.stage, reading.problem = stage, problem
            self._changed.notify_all()
