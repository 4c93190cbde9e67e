"""The block of a region where activations are read; O(n_resamples · n_blocks) at most."""

from __future__ import annotations

from typing import Literal

import numpy as np

from probekit.selection.blocks import Blocks
from probekit.selection.evidence import Evidence, FloatArray

Prefer = Literal["peak", "earliest", "deepest"]

DIP_CONFIDENCE = 0.95


def find_target(evidence: Evidence, *, region: Blocks, prefer: Prefer) -> int:
    """Target of a non-empty region.

    ``peak`` is the largest Align of the region (the shallower of equals); ``deepest`` its last
    block; ``earliest`` its first local maximum of Align that noise does not explain: from there
    Align falls, in at least 95 % of the paired resamples, before it ever rises higher. The
    region's peak always qualifies, so a smooth or noisy rise gives the peak itself.
    """
    if prefer == "deepest":
        return region[-1]
    if prefer == "peak":
        return max(region, key=lambda block: (evidence.align[block], -block))
    path = list(region)
    align, samples = evidence.align[path], evidence.align_samples[path]
    return next(block for at, block in enumerate(region) if _is_real_peak(align, samples, at=at))


def _is_real_peak(align: FloatArray, samples: FloatArray, *, at: int) -> bool:
    """Whether nothing later is higher, or a dip that is not noise lies before what is."""
    higher = np.flatnonzero(align[at + 1 :] > align[at])
    if not len(higher):
        return True
    between = align[at + 1 : at + 1 + higher[0]]
    if not len(between):
        return False
    dip = at + 1 + int(between.argmin())
    return bool(np.mean(samples[dip] < samples[at]) >= DIP_CONFIDENCE)
