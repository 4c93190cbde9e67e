"""Intervals of a mean over facts: exact for facts that are right or wrong, else bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta

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

    Where every value is 0 or 1 (a fact is right or wrong) Clopper and Pearson's exact interval:
    with few facts a bootstrap's is too short. Else a percentile bootstrap; where all values are one
    share between, no resample differs and nothing can be said: ``[0, 1]``.

    Raises
    ------
    InputError
        No value, a level that is not inside (0, 1), or fewer than one resample.
    """
    values = np.asarray(values, dtype=np.float64)
    if not len(values) or not 0 < level < 1:
        msg = f"interval needs a value and a level in (0, 1). Got {len(values)} and {level}."
        raise InputError(msg)
    if np.isin(values, (0.0, 1.0)).all():
        return exact_interval(int(values.sum()), len(values), level=level)
    if (values == values[0]).all():
        return Interval(0.0, 1.0)
    weights = bootstrap_weights(len(values), n_resamples=n_resamples, seed=seed)
    return percentile_interval(weights @ values / len(values), level)


def exact_interval(hits: int, n: int, *, level: float = 0.95) -> Interval:
    """Clopper and Pearson's interval of ``hits`` of ``n``: it holds the share at least that often.

    Source: Clopper and Pearson 1934.
    """
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return Interval(low, high)
