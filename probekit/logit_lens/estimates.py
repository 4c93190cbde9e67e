"""From the shards' sums of the corpus lens to estimates with intervals over units.

Every estimate is a ratio of sums, ``Σ_i w_i s_i / Σ_i w_i n_i`` over units ``i`` with ``n_i``
sampled positions: a unit without one weighs nothing. Costs one product of resamples and units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from probekit.errors import NumericalError
from probekit.measures.resampling import percentile_band

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probekit.capture.observers import State

#: State arrays that are the same in every shard.
CONSTANTS = ("class_tokens", "next_token")
#: Axis of the units in each state array, from the end.
_UNIT_FROM_END = {"mass": 2, "floor_mass": 2}


class Estimate(NamedTuple):
    """A value with the ends of its 95 % interval over units; arrays of one shape."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def merge_sums(states: Iterable[State]) -> State:
    """Join shards' states along the units, which are moved to the last axis."""
    parts: dict[str, list[np.ndarray]] = {}
    constants: State = {}
    for state in states:
        constants = {name: state[name] for name in CONSTANTS}
        for name, array in state.items():
            if name in CONSTANTS:
                continue
            parts.setdefault(name, []).append(np.moveaxis(array, -_UNIT_FROM_END.get(name, 1), -1))
    joined = {name: np.concatenate(arrays, axis=-1) for name, arrays in parts.items()}
    return joined | constants


def resampled(sums: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ratio of sums of the sample, then of every resample: array (1 + n_resamples, …).

    A resample that drew none of the positions has no ratio; it is a row of NaN, which
    :func:`interval` leaves out.

    Parameters
    ----------
    sums : array of shape (…, n_units)
    counts : array of shape (n_units,)
    weights : array of shape (n_resamples, n_units)

    Raises
    ------
    NumericalError
        No position was counted.
    """
    if not counts.any():
        msg = "lens: counts must not all be zero. Sample more positions (lens.positions)."
        raise NumericalError(msg)
    all_weights = np.concatenate([np.ones((1, weights.shape[1])), weights])
    totals = all_weights @ counts
    summed = np.moveaxis(sums @ all_weights.T, -1, 0)
    shape = (-1,) + (1,) * (summed.ndim - 1)
    drawn = totals > 0
    ratios = np.full(summed.shape, np.nan)
    ratios[drawn] = summed[drawn] / totals[drawn].reshape(shape)
    return ratios


def interval(ratios: np.ndarray) -> Estimate:
    """Estimate and percentile interval from what :func:`resampled` gives.

    Raises
    ------
    NumericalError
        No resample drew a position.
    """
    drawn = ratios[1:][np.isfinite(ratios[1:]).reshape(len(ratios) - 1, -1).all(axis=1)]
    if not len(drawn):
        msg = "lens: no resample drew a position. Use more units, or sample more positions."
        raise NumericalError(msg)
    low, high = percentile_band(drawn)
    return Estimate(ratios[0], low, high)
