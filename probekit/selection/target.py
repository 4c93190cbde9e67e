"""The block of a region where activations are read; O(n_resamples · n_blocks) at most."""

from __future__ import annotations

from typing import Literal

import numpy as np

from probekit.selection.blocks import Blocks
from probekit.selection.columns import FloatArray
from probekit.selection.evidence import Evidence
from probekit.selection.tables import ALIGN, samples_of

Prefer = Literal["peak", "earliest", "deepest"]

DIP_CONFIDENCE = 0.95


def find_target(evidence: Evidence, *, region: Blocks, prefer: Prefer, column: str = ALIGN) -> int:
    """Target of a non-empty region.

    ``peak`` is the largest value of the column (Align) in the region, the shallower of equals;
    ``deepest`` its last block; ``earliest`` its first local maximum that noise does not explain:
    from there the column falls, in at least 95 % of the paired resamples, before it ever rises
    higher. The region's peak always qualifies, so a smooth or noisy rise gives the peak itself.
    """
    if prefer == "deepest":
        return region[-1]
    found = evidence.column(column)
    if prefer == "peak":
        return max(region, key=lambda block: (found.value[block], -block))
    path = list(region)
    values, samples = found.value[path], samples_of(found, evidence.n_resamples)[path]
    return next(block for at, block in enumerate(region) if _is_real_peak(values, samples, at=at))


def _is_real_peak(values: FloatArray, samples: FloatArray, *, at: int) -> bool:
    """Whether nothing later is higher, or a dip that is not noise lies before what is."""
    higher = np.flatnonzero(values[at + 1 :] > values[at])
    if not len(higher):
        return True
    between = values[at + 1 : at + 1 + higher[0]]
    if not len(between):
        return False
    dip = at + 1 + int(between.argmin())
    return bool(np.mean(samples[dip] < samples[at]) >= DIP_CONFIDENCE)
