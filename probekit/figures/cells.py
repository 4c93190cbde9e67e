"""Intervals of the cells of a heatmap, kept beside its values for whoever reads its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def interval(low: ArrayLike, high: ArrayLike) -> dict[str, np.ndarray]:
    """What a heatmap's ``meta`` says of its cells: ``low`` and ``high``, in the shape of ``z``.

    Plotly draws nothing of it. Hover says the same in words; the workbench writes these numbers
    into CSV and JSON. NaN stands where a cell has no interval.
    """
    return {name: np.asarray(end, dtype=float) for name, end in (("low", low), ("high", high))}


def ends_of(meta: Any, row: int, column: int) -> dict[str, float]:
    """``low`` and ``high`` of a cell; empty where the heatmap or the cell has none."""
    if not (isinstance(meta, dict) and {"low", "high"} <= set(meta)):
        return {}
    return {end: meta[end][row][column] for end in ("low", "high")}


def end_of(cells: Sequence[Sequence[Any]], end: str) -> np.ndarray:
    """One end of the interval of every cell: of mappings by key, of others by attribute."""

    def read(cell: Any) -> float:
        if cell is None:
            return float("nan")
        return float(cell[end] if isinstance(cell, dict) else getattr(cell, end))

    return np.array([[read(cell) for cell in row] for row in cells])
