"""Whether measures, and whole rules, favour the same blocks: Kendall's tau-b over blocks.

Intervals use at most 100 resamples: O(100 · n_blocks²) a pair of rules, milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from probekit.errors import RuleError
from probekit.selection.blocks import Blocks, jaccard
from probekit.selection.columns import FloatArray
from probekit.selection.evidence import Evidence
from probekit.selection.rule import Rule
from probekit.selection.stability import clearing_probability
from probekit.selection.tables import tabulate

MOST_RESAMPLES = 100


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b of two measures, or of two rules' margins, over blocks.

    Attributes
    ----------
    metric_a, metric_b : str
        A measure, with a leading minus when it is turned round, or ``rule:NAME``.
    kendall_tau : float
        In [-1, 1]; 1 means the same order of blocks.
    low, high : float, optional
        95 % percentiles over resamples of both rules.
    region : tuple of int, optional
        What rule b draws from the same evidence, before it asks whether to refuse.
    jaccard : float, optional
        Overlap of that region with rule a's.
    """

    metric_a: str
    metric_b: str
    kendall_tau: float
    low: float | None = None
    high: float | None = None
    region: Blocks | None = None
    jaccard: float | None = None


def kendall_tau(a: FloatArray, b: FloatArray) -> float | None:
    """Kendall's tau-b in [-1, 1]; ``None`` when one side is constant. Infinities are ranked.

    Parameters
    ----------
    a, b : array of shape (n_blocks,)
        Two measures of the same blocks.
    """
    from scipy.stats import kendalltau

    if len(np.unique(a)) == 1 or len(np.unique(b)) == 1:
        return None
    return float(kendalltau(a, b).statistic)


def agreements(evidence: Evidence) -> tuple[Agreement, ...]:
    """Align against each LRDS and the ratio, turned so that 1 means they favour the same blocks."""
    rivals = {
        "-lrds_centred": evidence.lrds_centred,
        "-lrds": evidence.lrds,
        "-lrds_over_sads": evidence.ratio,
    }
    pairs = ((name, kendall_tau(evidence.align, -values)) for name, values in rivals.items())
    return tuple(Agreement("cka_mean", name, tau) for name, tau in pairs if tau is not None)


def rule_agreements(
    evidence: Evidence, rule: Rule, *, region: Blocks, rivals: Mapping[str, Rule]
) -> tuple[Agreement, ...]:
    """Margins of a rule against those of other rules, with intervals and their regions.

    A rival whose columns the evidence lacks is left out, and so is one with constant margins.
    Resample b is the same units for both where both have stored resamples.
    """
    mine = tabulate(evidence, rule.columns)
    point, drawn = rule.margins(mine.point)[:, 0], rule.margins(mine.resampled)
    found = []
    for name, rival in rivals.items():
        try:
            tables = tabulate(evidence, rival.columns)
        except RuleError:
            continue
        tau = kendall_tau(point, rival.margins(tables.point)[:, 0])
        if tau is None:
            continue
        low, high = _interval(drawn, rival.margins(tables.resampled))
        other = rival.region(tables, clearing_probability(rival, tables))
        overlap = jaccard(region, other) if region or other else None
        found.append(Agreement(f"rule:{rule.name}", f"rule:{name}", tau, low, high, other, overlap))
    return tuple(found)


def _interval(a: FloatArray, b: FloatArray) -> tuple[float | None, float | None]:
    at = np.linspace(0, a.shape[1] - 1, min(a.shape[1], MOST_RESAMPLES)).round().astype(int)
    taus = taus_by_column(a[:, at], b[:, at])
    if not len(taus):
        return None, None
    low, high = np.percentile(taus, [2.5, 97.5])
    return float(low), float(high)


def taus_by_column(a: FloatArray, b: FloatArray) -> FloatArray:
    """:func:`kendall_tau` of every column at once; columns with a constant side are left out."""
    one, two = (np.sign(_ranks(each)[:, None] - _ranks(each)[None, :]) for each in (a, b))
    size = np.sqrt((one**2).sum(axis=(0, 1)) * (two**2).sum(axis=(0, 1)))
    known = size > 0
    return np.asarray((one * two).sum(axis=(0, 1))[known] / size[known])


def _ranks(values: FloatArray) -> FloatArray:
    # dense ranks first: inf - inf would be NaN
    order = np.sort(values, axis=0)
    return np.stack(
        [np.searchsorted(order[:, n], values[:, n]) for n in range(values.shape[1])], axis=1
    ).astype(np.float64)
