"""What the benchmarks share: taking turns, ratios with their spread, machine facts, the table.

Costs what the contestants cost, ``1 + repeats`` times.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

PACKAGES = ("torch", "transformers", "nnsight", "transformer-lens", "numpy")

Seconds = dict[str, list[float]]


class Row(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    benchmark, what
        Where the number comes from and what it says.
    value
        The number with its unit.
    target, met
        What it should be, and whether it is; None where there is no target.
    """

    benchmark: str
    what: str
    value: str
    target: str | None = None
    met: bool | None = None


def seconds_of(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def take_turns(contestants: Mapping[str, Callable[[], object]], *, repeats: int) -> Seconds:
    """Seconds of every contestant in every round: A B C, B C A, …, after a round of warm-up.

    The first place moves on, so that nobody always runs after the same neighbour.
    """
    names = list(contestants)
    for name in names:
        contestants[name]()
    seconds: Seconds = {name: [] for name in names}
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(seconds_of(contestants[name]))
    return seconds


def speed_ratio(seconds: Seconds, name: str, base: str) -> dict[str, float]:
    """How many times as fast ``name`` is as ``base``: median, least and most over the rounds.

    The ratio is taken inside each round: drift from one round to the next cancels.
    """
    ratios = [b / a for a, b in zip(seconds[name], seconds[base], strict=True)]
    return {"median": median(ratios), "low": min(ratios), "high": max(ratios)}


def spread(ratio: Mapping[str, float]) -> str:
    """Write a ratio with its spread."""
    return f"{ratio['median']:.2f}× ({ratio['low']:.2f} – {ratio['high']:.2f})"


def at_least(row: Row, value: float, *, target: float, unit: str = "×") -> Row:
    """Give a row the target that its value reaches ``target`` or more."""
    return row._replace(target=f"≥ {target:g}{unit}", met=value >= target)


def at_most(row: Row, value: float, *, target: float, unit: str = "×") -> Row:
    """Give a row the target that its value stays at ``target`` or less."""
    return row._replace(target=f"≤ {target:g}{unit}", met=value <= target)


def machine() -> dict[str, Any]:
    """Cores, threads, versions and load, without the machine's name."""
    import torch

    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def _processor() -> str:
    """Name the processor as the kernel does, else as Python does."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out in columns."""
    head = ("benchmark", "what", "value", "target", "")
    cells = [
        (row.benchmark, row.what, row.value, row.target or "", _verdict(row.met)) for row in rows
    ]
    widths = [max(len(line[i]) for line in (head, *cells)) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *cells)
    ]
    return "\n".join((lines[0], "-" * max(map(len, lines)), *lines[1:]))


def _verdict(met: bool | None) -> str:  # noqa: FBT001 - a verdict, not a switch
    return "" if met is None else ("met" if met else "missed")
