"""The two columns a rule compares, with their resamples: Align and one kind of LRDS.

Pooling the plain and the left-out resamples copies two (n_blocks, 2 · n_resamples) arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from probekit.selection.evidence import Evidence, FloatArray

Column = Literal["lrds", "lrds_centred"]


@dataclass(frozen=True, eq=False)
class Pair:
    """Align and LRDS of the same blocks, arrays of shape (n_blocks, …)."""

    align: FloatArray
    lrds: FloatArray


@dataclass(frozen=True, eq=False)
class Tables:
    """What a rule reads, as :class:`Pair` of shape (n_blocks, n).

    Attributes
    ----------
    point : Pair
        Point values, n = 1.
    resampled : Pair
        Bootstrap over units, then the same with one language left out: n = R or 2 R.
    without : Pair or None
        Point values without each language, n = n_languages; ``None`` with two languages.
    """

    point: Pair
    resampled: Pair
    without: Pair | None


def tabulate(evidence: Evidence, column: Column) -> Tables:
    """Align and the LRDS that a rule names, pooled over both kinds of resample."""
    point = Pair(evidence.align[:, None], getattr(evidence, column)[:, None])
    resampled = Pair(_pooled(evidence, "align"), _pooled(evidence, column))
    if evidence.align_without is None:
        return Tables(point, resampled, None)
    without = Pair(evidence.align_without, getattr(evidence, f"{column}_without"))
    return Tables(point, resampled, without)


def _pooled(evidence: Evidence, name: str) -> FloatArray:
    plain: FloatArray = getattr(evidence, f"{name}_samples")
    left_out: FloatArray | None = getattr(evidence, f"{name}_samples_left_out")
    return plain if left_out is None else np.concatenate([plain, left_out], axis=1)
