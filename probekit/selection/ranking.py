"""Every block in order of its margin, with the uncertainty of its rank; agreement of measures.

Ranks sort each resample once, O(n_resamples · n_blocks log n_blocks); Kendall's tau is
O(n_blocks²).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probekit.selection.evidence import Evidence, FloatArray
from probekit.selection.rule import Rule, margins
from probekit.selection.tables import Tables


@dataclass(frozen=True)
class RankedBlock:
    """One block's standing.

    Attributes
    ----------
    layer : int
        Block.
    score : float
        Smaller margin to the two bars, in standard deviations over blocks; ≥ 0 clears.
    rank_low, rank_high : float
        95 % percentile interval of its rank (1 is best) over resamples.
    selected_in : float
        Share of resamples in which it clears both bars, in [0, 1].
    """

    layer: int
    score: float
    rank_low: float
    rank_high: float
    selected_in: float


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b of two measures over blocks; a leading minus marks a measure turned round."""

    metric_a: str
    metric_b: str
    kendall_tau: float


def rank_blocks(rule: Rule, tables: Tables, probability: FloatArray) -> tuple[RankedBlock, ...]:
    """All blocks, best margin first (the shallower of equals)."""
    score = margins(rule, tables.point)[:, 0]
    order = np.argsort(-margins(rule, tables.resampled), axis=0, kind="stable")
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


def kendall_tau(a: FloatArray, b: FloatArray) -> float | None:
    """Kendall's tau-b in [-1, 1]; ``None`` when one side is constant. Infinities are ranked.

    Parameters
    ----------
    a, b : array of shape (n_blocks,)
        Two measures of the same blocks.
    """
    signs = [_pair_signs(values) for values in (a, b)]
    sizes = [float(np.sum(sign**2)) for sign in signs]
    if not all(sizes):
        return None
    return float(np.sum(signs[0] * signs[1]) / np.sqrt(sizes[0] * sizes[1]))


def _pair_signs(values: FloatArray) -> FloatArray:
    # dense ranks first: inf - inf would be NaN
    ranks = np.unique(values, return_inverse=True)[1].astype(np.float64)
    return np.asarray(np.sign(ranks[:, None] - ranks[None, :]), dtype=np.float64)


def agreements(evidence: Evidence) -> tuple[Agreement, ...]:
    """Align against each LRDS and the ratio, turned so that 1 means they favour the same blocks."""
    rivals = {
        "-lrds_centred": evidence.lrds_centred,
        "-lrds": evidence.lrds,
        "-lrds_over_sads": evidence.ratio,
    }
    pairs = ((name, kendall_tau(evidence.align, -values)) for name, values in rivals.items())
    return tuple(Agreement("cka_mean", name, tau) for name, tau in pairs if tau is not None)
