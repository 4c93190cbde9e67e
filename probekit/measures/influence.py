"""Intervals from how much each unit moves a statistic (the infinitesimal jackknife).

For statistics that a resample with duplicated units would spoil, or whose resamples would each
cost as much as the estimate. Costs one product of weights and units.
"""

from __future__ import annotations

from probekit.measures.checks import FloatArray
from probekit.measures.resampling import Interval, percentile_interval


def influence_interval(estimate: float, influence: FloatArray, *, weights: FloatArray) -> Interval:
    """Percentiles of ``estimate + Σ w_i φ_i / Σ w_i`` over the resamples.

    Parameters
    ----------
    estimate : float
        On all units.
    influence : array of shape (n_units,)
        φ: derivative of the statistic by each unit's share; sums to 0.
    weights : array of shape (n_resamples, n_units)
    """
    moved = weights @ influence / weights.sum(axis=1)
    return percentile_interval(estimate + moved)
