"""Every block in order of its margin, with the uncertainty of its rank.

Sorts each resample once: O(n_resamples · n_blocks log n_blocks).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probekit.selection.columns import FloatArray
from probekit.selection.rule import Rule
from probekit.selection.tables import Tables


@dataclass(frozen=True)
class RankedBlock:
    """One block's standing.

    Attributes
    ----------
    layer : int
        Block.
    score : float
        Smallest margin to the bars, in standard deviations over blocks; ≥ 0 clears.
    rank_low, rank_high : float
        95 % percentile interval of its rank (1 is best) over resamples.
    selected_in : float
        Share of resamples in which it clears the bars, in [0, 1].
    """

    layer: int
    score: float
    rank_low: float
    rank_high: float
    selected_in: float


def rank_blocks(rule: Rule, tables: Tables, probability: FloatArray) -> tuple[RankedBlock, ...]:
    """All blocks, best margin first (the shallower of equals)."""
    score = rule.margins(tables.point)[:, 0]
    order = np.argsort(-rule.margins(tables.resampled), axis=0, kind="stable")
    ranks = np.argsort(order, axis=0) + 1
    low, high = np.percentile(ranks, [2.5, 97.5], axis=1)
    return tuple(
        RankedBlock(
            layer=int(block),
            score=float(score[block]),
            rank_low=float(low[block]),
            rank_high=float(high[block]),
            selected_in=float(probability[block]),
        )
        for block in np.argsort(-score, kind="stable")
    )
