"""Intervals of a mean over facts: bootstrap, and an exact one where all facts are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError
from probekit.measures.resampling import Interval, bootstrap_weights, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def fact_means(
    facts: Sequence[str], values: NDArray[np.bool_] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean of every fact's questions, array (n_facts,), facts in the order they first come."""
    order = {fact: number for number, fact in enumerate(dict.fromkeys(facts))}
    groups = np.array([order[fact] for fact in facts])
    weights = np.asarray(values, dtype=np.float64)
    means: NDArray[np.float64] = np.bincount(groups, weights=weights) / np.bincount(groups)
    return means


def mean_interval(
    values: NDArray[np.float64], *, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Two-sided interval of the mean of shares in [0, 1], over facts.

    Percentile bootstrap. Where all values are 0 or all are 1 no resample differs, so the interval
    is Clopper and Pearson's for ``n`` successes of ``n``: its other end is ``(α/2)^(1/n)``. Where
    all values are another share, or there is one fact, ``[0, 1]``: nothing can be said.

    Raises
    ------
    InputError
        No value, a level that is not inside (0, 1), or fewer than one resample.
    """
    values = np.asarray(values, dtype=np.float64)
    if not len(values) or not 0 < level < 1:
        msg = f"interval needs a value and a level in (0, 1). Got {len(values)} and {level}."
        raise InputError(msg)
    first = float(values[0])
    if (values == first).all():
        least = ((1 - level) / 2) ** (1 / len(values))
        ends = {0.0: (0.0, 1 - least), 1.0: (least, 1.0)}
        return Interval(*ends.get(first, (0.0, 1.0)))
    weights = bootstrap_weights(len(values), n_resamples=n_resamples, seed=seed)
    return percentile_interval(weights @ values / len(values), level)
