"""How long each stage of an experiment took, added up over all sittings: ``times.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from probekit.capture.shards import storage_errors, write_atomically

TIMES = "times.json"


@dataclass(frozen=True)
class Times:
    """Seconds by stage, kept in the folder of an experiment.

    They stay out of ``experiment.json``, which is the same whoever makes it.
    """

    folder: Path

    def read(self) -> dict[str, float]:
        """Seconds by stage: ``teach``, ``select``, then the arms by name; empty before any."""
        try:
            known = json.loads((self.folder / TIMES).read_text(encoding="utf-8"))
            return {str(stage): float(seconds) for stage, seconds in known.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def forget(self, name: str) -> None:
        """A stage is made anew: what an earlier one of that name took is another's."""
        self._write({stage: each for stage, each in self.read().items() if stage != name})

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time of the block to a stage, also where the block is stopped midway."""
        began = monotonic()
        try:
            yield
        finally:
            known = self.read()
            known[name] = round(known.get(name, 0.0) + monotonic() - began, 3)
            self._write(known)

    def _write(self, known: dict[str, float]) -> None:
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / TIMES, f"{json.dumps(known, indent=1)}\n".encode())


def time_line(seconds: dict[str, float], arms: Sequence[str]) -> str:
    """One line: teaching, selecting, the arms by algorithm, all; what has no time is counted."""
    if not seconds:
        return ""
    groups: dict[str, list[float]] = {}
    for stage, each in seconds.items():
        groups.setdefault(stage.partition(".")[0], []).append(each)
    parts = []
    for name, spent in groups.items():
        counted = "" if name in seconds else f" ({len(spent)} arms)"
        parts.append(f"{name}{counted} {sum(spent):,.0f} s")
    without = sum(name not in seconds for name in arms)
    rest = f"; arms whose time was not kept: {without}" if without else ""
    whole = f"in all {sum(seconds.values()):,.0f} s{rest}"
    return f"Time, over all sittings: {', '.join(parts)}; {whole}."
