"""One set of bootstrap weights and permutations for every layer, language and measure.

Costs n_resamples × n_units integers; sharing one set makes layers comparable draw by draw.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probekit.errors import InputError
from probekit.measures.checks import AnyArray, FloatArray

_MIN_DISTINCT = 4  # debiased HSIC is an average over quadruples of distinct units
_BOOTSTRAP, _PERMUTATION = 1, 2  # separate random streams from one seed


class Interval(NamedTuple):
    """Ends of a two-sided interval, ``low <= high``, in the unit of the statistic."""

    low: float
    high: float


def bootstrap_weights(n_units: int, *, n_resamples: int, seed: int) -> NDArray[np.int64]:
    """Multinomial multiplicities: how often each unit is in each resample.

    A draw with fewer than four distinct units (two, where n_units < 4) is drawn again, since no
    quadruple of distinct units is left in it; from about 20 units on this never happens.

    Parameters
    ----------
    n_units : int
        Units resampled, the same for all languages; at least 2.
    n_resamples : int
        Rows of the result; at least 1.
    seed : int
        The same seed gives the same weights on every machine.

    Returns
    -------
    array of shape (n_resamples, n_units)
        Counts >= 0; every row sums to n_units.

    Raises
    ------
    InputError
        ``n_units < 2`` or ``n_resamples < 1``.
    """
    _at_least("n_units", n_units, 2)
    _at_least("n_resamples", n_resamples, 1)
    least = min(_MIN_DISTINCT, n_units)
    if n_units < _MIN_DISTINCT:
        least = 2
    rng = np.random.default_rng([seed, _BOOTSTRAP])
    chance = np.full(n_units, 1 / n_units)
    weights = rng.multinomial(n_units, chance, size=n_resamples)
    while (thin := (weights > 0).sum(axis=1) < least).any():
        weights[thin] = rng.multinomial(n_units, chance, size=int(thin.sum()))
    return weights.astype(np.int64)


def permutations(n_units: int, *, n: int, seed: int) -> NDArray[np.intp]:
    """Draw ``n`` independent uniform orders of the units.

    Returns
    -------
    array of shape (n, n_units)
        Every row orders ``range(n_units)``.

    Raises
    ------
    InputError
        ``n_units < 2`` or ``n < 1``.
    """
    _at_least("n_units", n_units, 2)
    _at_least("n", n, 1)
    rng = np.random.default_rng([seed, _PERMUTATION])
    return rng.permuted(np.tile(np.arange(n_units, dtype=np.intp), (n, 1)), axis=1)


def percentile_interval(samples: AnyArray, level: float = 0.95) -> Interval:
    """Central ``level`` share of bootstrap samples, as one Interval; see `percentile_band`.

    Raises
    ------
    InputError
        ``samples`` is not one-dimensional, is empty, or ``level`` is not inside (0, 1).
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        msg = f"samples must have one axis. Got {samples.ndim} instead: use percentile_band."
        raise InputError(msg)
    low, high = percentile_band(samples, level)
    return Interval(float(low), float(high))


def percentile_band(samples: AnyArray, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap interval of every entry, over the first axis.

    Plain percentiles; ratios are moved onto their estimate by `centre_on` first. The ends are
    order statistics rounded outward, so infinite samples (an undefined ratio) stay infinite and
    never turn into NaN.

    Parameters
    ----------
    samples : array of shape (n_resamples, ...)
        Statistic of every resample.
    level : float
        Share of samples inside, in (0, 1).

    Raises
    ------
    InputError
        ``samples`` is empty or ``level`` is not inside (0, 1).
    """
    samples = np.asarray(samples, dtype=np.float64)
    if not samples.ndim or not len(samples) or not 0 < level < 1:
        msg = (
            "percentile interval: samples must not be empty and level must lie in (0, 1)."
            f" Got shape {samples.shape} and level {level} instead."
        )
        raise InputError(msg)
    tail = (1 - level) / 2
    low = np.quantile(samples, tail, axis=0, method="lower")
    high = np.quantile(samples, 1 - tail, axis=0, method="higher")
    return low, high


def centre_on(samples: AnyArray, estimate: AnyArray | float) -> FloatArray:
    """Shift resamples so that their mean is the estimate: ``samples − (mean − estimate)``.

    For CKA, a ratio, whose resamples lie 0.1 to 0.25 standard errors under the estimate. In
    simulation (3 languages, 25 to 200 units, population CKA .2 to 1) nominal 95 % intervals of the
    mean over pairs covered 89-96 % when centred, 88-95 % as plain percentiles and 82-94 % when
    reflected about the estimate (skewed near 1, where a reflected end leaves the range); on
    independent noise all are conservative.

    Parameters
    ----------
    samples : array of shape (n_resamples, ...)
        Statistic of every resample.
    estimate : array of shape (...) or float
        The statistic of the full sample.

    Returns
    -------
    array of shape (n_resamples, ...)
    """
    samples = np.asarray(samples, dtype=np.float64)
    centred: FloatArray = samples - (samples.mean(axis=0) - estimate)
    return centred


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        msg = f"{name} must be at least {least}. Got {value} instead."
        raise InputError(msg)
