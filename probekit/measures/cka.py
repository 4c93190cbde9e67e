"""Cross-lingual CKA of one layer: all language pairs, with intervals, null and controls.

Centred kernel alignment (Kornblith et al. 2019) with a linear kernel, debiased (Song et al. 2012;
Székely & Rizzo 2014; Murphy et al. 2024), and minibatched when units are many (Nguyen et al.
2021). For 12 languages × 200 units × width 640 with 200 resamples and 200 permutations a layer
takes under half a second of one core; the cost grows with the square of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probekit.errors import InputError, NumericalError
from probekit.measures.checks import (
    AnyArray,
    FloatArray,
    check_finite,
    check_permutations,
    check_pooled,
    check_weights,
    language_pairs,
)
from probekit.measures.hsic import hsic_pair, hsic_tables, permuted_hsic, weighted_hsic
from probekit.measures.left_out import pair_means_without, take_left_out
from probekit.measures.resampling import centre_on, percentile_band, percentile_interval
from probekit.measures.rogue import feature_moments, largest

MIN_UNITS = 4  # debiased HSIC divides by n - 3
_MIN_BATCH = 8  # so that an even split never leaves a batch under MIN_UNITS
_NO_SPREAD = 1e-12
_TIE = 1e-12  # a permutation that changes nothing must count in the p-value
_ROGUE_SHARE, _ROGUE_CAP = 0.01, 8

_Batch = Callable[[AnyArray], FloatArray]


@dataclass(frozen=True)
class CKAResult:
    """CKA of all language pairs at one layer.

    Attributes
    ----------
    debiased : array of shape (n_languages, n_languages)
        In [-1, 1], diagonal 1, expectation near 0 for unrelated languages.
    biased : array of shape (n_languages, n_languages)
        Double-centred form, in [0, 1]. About d / (d + n) on unrelated data: only for comparison
        with papers. With several batches, n is the batch size.
    standardised : array of shape (n_languages, n_languages)
        Debiased, every feature at mean 0 and sd 1 within its language (constant ones dropped).
    without_rogue : array of shape (n_languages, n_languages)
        Debiased, without the `n_rogue_dropped` features of largest variance.
    pair_low, pair_high : arrays of shape (n_languages, n_languages)
        95 % bootstrap interval over units of each entry of `debiased`.
    mean, mean_low, mean_high : float
        Mean of `debiased` over pairs a < b (Align of the layer), with its 95 % interval.
    mean_null95 : float
        95 % point of the mean when units are permuted.
    p_value : float
        ``(1 + #{null >= mean}) / (1 + n_permutations)``.
    mean_samples : array of shape (n_resamples,)
        The mean in each resample, centred on `mean` (so it can pass 1 by a little); row r belongs
        to row r of the weights.
    mean_without : array of shape (n_languages,)
        The mean over pairs without each language; empty with two languages.
    mean_samples_left_out : array of shape (n_resamples,)
        Resample r without language ``r % n_languages``; empty with two languages.
    null_samples : array of shape (n_permutations,)
        The mean in each permutation.
    n_rogue_dropped : int
        Features left out of `without_rogue`.
    n_batches : int
        1 where exact; otherwise HSIC was summed over this many batches of units.
    """

    debiased: FloatArray
    biased: FloatArray
    standardised: FloatArray
    without_rogue: FloatArray
    pair_low: FloatArray
    pair_high: FloatArray
    mean: float
    mean_low: float
    mean_high: float
    mean_null95: float
    p_value: float
    mean_samples: FloatArray
    mean_without: FloatArray
    mean_samples_left_out: FloatArray
    null_samples: FloatArray
    n_rogue_dropped: int
    n_batches: int


def cka(
    pooled: AnyArray,
    *,
    weights: AnyArray,
    permutations: AnyArray,
    n_rogue: int | None = None,
    max_units: int = 2048,
) -> CKAResult:
    """Debiased CKA of every language pair, ``HSIC(a, b) / sqrt(HSIC(a, a) HSIC(b, b))``.

    The interval is a bootstrap over units in a form that pairs distinct units only; the null gives
    every language but the first its own unit order. Beyond `max_units` units, HSIC is summed over
    equal batches and the ratio taken last, in resamples and permutations too.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer; the same units in the same order in every language.
    weights, permutations : arrays of shape (n_resamples or n_permutations, n_units)
        From `bootstrap_weights` and `permutations`; the same for every layer.
    n_rogue : int, optional
        Features dropped for `without_rogue`; by default 1 % of d_model, at least 1 and at most 8.
    max_units : int
        Largest batch, at least 8. Memory grows with its square, not with n_units.

    Raises
    ------
    InputError
        Fewer than 2 languages or 4 units, or options of the wrong shape or range.
    NumericalError
        A value is not finite, or a language has no spread over its units.
    """
    pooled = check_pooled(pooled, min_units=MIN_UNITS)
    weights = check_weights(weights, pooled.shape[1])
    orders = check_permutations(permutations, pooled.shape[1])
    batches = unit_batches(pooled.shape[1], max_units)
    unbiased, biased = _sum_tables(pooled, batches, _as_float)
    debiased = normalise(unbiased, biased)
    samples = centre_on(_resample(pooled, batches, weights, unbiased=unbiased), debiased)
    return CKAResult(
        debiased=debiased,
        biased=normalise(biased, biased),
        **_controls(pooled, batches, _rogue_count(n_rogue, pooled.shape[2])),
        n_batches=len(batches),
        **_pair_intervals(samples),
        **_mean_over_pairs(debiased, samples),
        **_against_null(debiased, _null(pooled, batches, orders, unbiased=unbiased)),
    )


def linear_cka(X: AnyArray, Y: AnyArray, *, debiased: bool = True) -> float:
    """CKA of two representations of the same units, ``HSIC(X, Y) / sqrt(HSIC(X,X) HSIC(Y,Y))``.

    Parameters
    ----------
    X, Y : arrays of shape (n_units, d1) and (n_units, d2)
        Row i of both is the same unit.
    debiased : bool
        Unbiased HSIC, in [-1, 1]; otherwise the double-centred form, in [0, 1], which is about
        ``d / (d + n)`` on unrelated data.

    Raises
    ------
    InputError
        Not two matrices with the same number (>= 4) of rows.
    NumericalError
        A value is not finite, or one of them has no spread.
    """
    X, Y = np.asarray(X), np.asarray(Y)
    if X.ndim != 2 or Y.ndim != 2 or len(X) != len(Y) or len(X) < MIN_UNITS:
        msg = (
            "X and Y must be matrices (n_units, d) with the same n_units >= 4."
            f" Got shapes {X.shape} and {Y.shape} instead: keep the units both have."
        )
        raise InputError(msg)
    check_finite(X, name="X")
    check_finite(Y, name="Y")
    sums = np.array([[hsic_pair(a, b) for b in (X, Y)] for a in (X, Y)])
    table = normalise(sums[..., 0] if debiased else sums[..., 1], sums[..., 1])
    return float(table[0, 1])


def unit_batches(n_units: int, max_units: int) -> list[slice]:
    """Cut units in order into the fewest batches of at most `max_units`, sizes equal within one.

    Raises
    ------
    InputError
        ``max_units < 8``.
    """
    if max_units < _MIN_BATCH:
        msg = f"max_units must be at least {_MIN_BATCH}. Got {max_units} instead."
        raise InputError(msg)
    count = -(-n_units // max_units)
    ends = [n_units * k // count for k in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def normalise(hsic: FloatArray, biased: FloatArray) -> FloatArray:
    """CKA table from an HSIC table, self-similarity exactly 1.

    Raises
    ------
    NumericalError
        A language's own HSIC is nothing against its biased one: it is constant, or a single unit
        differs from the rest.
    """
    own = hsic.diagonal()
    flat = ~(own > _NO_SPREAD * biased.diagonal())
    if flat.any():
        msg = (
            "pooled must vary over units in every language. CKA is undefined for language"
            f" {int(np.argmax(flat))}, where at most one unit differs from the rest: drop it."
        )
        raise NumericalError(msg)
    root = np.sqrt(own)
    table: FloatArray = np.clip(hsic / np.outer(root, root), -1, 1)
    np.fill_diagonal(table, 1.0)
    return table


def _sum_tables(
    pooled: AnyArray, batches: Iterable[slice], transform: _Batch
) -> tuple[FloatArray, FloatArray]:
    """Unbiased and biased HSIC summed over batches; the ratio is for later."""
    tables = (hsic_tables(transform(pooled[:, batch])) for batch in batches)
    unbiased, biased = zip(*tables, strict=True)
    return np.sum(unbiased, axis=0), np.sum(biased, axis=0)


def _resample(
    pooled: AnyArray, batches: Iterable[slice], weights: FloatArray, *, unbiased: FloatArray
) -> FloatArray:
    """CKA per resample, (R, L, L); 0 where a language lost all its spread in the resample."""
    hsic = np.sum([weighted_hsic(pooled[:, b], weights[:, b]) for b in batches], axis=0)
    own = hsic.diagonal(axis1=1, axis2=2)
    spread = own > _NO_SPREAD * unbiased.diagonal()
    root = np.sqrt(np.where(spread, own, np.inf))
    samples: FloatArray = hsic / (root[:, :, None] * root[:, None, :])
    return samples


def _controls(pooled: AnyArray, batches: list[slice], n_rogue: int) -> dict[str, Any]:
    """Debiased CKA with rogue dimensions tamed, in two ways."""
    return {
        "standardised": normalise(*_sum_tables(pooled, batches, _standardiser(pooled))),
        "without_rogue": normalise(*_sum_tables(pooled, batches, _rogue_dropper(pooled, n_rogue))),
        "n_rogue_dropped": n_rogue,
    }


def _pair_intervals(samples: FloatArray) -> dict[str, Any]:
    low, high = percentile_band(samples)
    return {"pair_low": np.clip(low, -1, 1), "pair_high": np.clip(high, -1, 1)}


def _mean_over_pairs(debiased: FloatArray, samples: FloatArray) -> dict[str, Any]:
    pairs = language_pairs(len(debiased))
    means = samples[:, *pairs].mean(axis=1)
    interval = percentile_interval(means)
    return {
        "mean": float(debiased[pairs].mean()),
        "mean_low": max(-1.0, interval.low),
        "mean_high": min(1.0, interval.high),
        "mean_samples": means,
        "mean_without": _without(debiased),
        "mean_samples_left_out": (
            take_left_out(_without(samples)) if len(debiased) > 2 else np.empty(0)
        ),
    }


def _against_null(debiased: FloatArray, null: FloatArray) -> dict[str, Any]:
    mean = debiased[language_pairs(len(debiased))].mean()
    return {
        "mean_null95": float(np.quantile(null, 0.95, method="higher")),
        "p_value": float((1 + np.sum(null >= mean - _TIE)) / (1 + len(null))),
        "null_samples": null,
    }


def _null(
    pooled: AnyArray, batches: list[slice], orders: NDArray[np.intp], *, unbiased: FloatArray
) -> FloatArray:
    """Mean CKA over pairs in each permutation, units permuted inside their batch."""
    scale = 1 / np.sqrt(unbiased.diagonal())
    total = np.zeros(len(orders))
    for batch in batches:
        # the order of distinct random numbers is itself a uniform random permutation
        inside = np.argsort(orders[:, batch], axis=1)
        total += permuted_hsic(pooled[:, batch], scale, inside)
    n_pairs = len(pooled) * (len(pooled) - 1) / 2
    means: FloatArray = total / n_pairs
    return means


def _without(tables: FloatArray) -> FloatArray:
    """Mean over pairs without each language; nothing with two languages."""
    return pair_means_without(tables) if tables.shape[-1] > 2 else np.empty(0)


def _as_float(batch: AnyArray) -> FloatArray:
    return batch.astype(np.float64)


def _standardiser(pooled: AnyArray) -> _Batch:
    mean, variance = feature_moments(pooled)
    scale = np.divide(1, np.sqrt(variance), out=np.zeros_like(variance), where=variance > 0)
    return lambda batch: (batch - mean[:, None]) * scale[:, None]


def _rogue_dropper(pooled: AnyArray, n_rogue: int) -> _Batch:
    variance = feature_moments(pooled)[1].sum(axis=0)
    kept = np.ones(pooled.shape[2], dtype=bool)
    kept[largest(variance, n_rogue)] = False
    return lambda batch: _as_float(batch[:, :, kept])


def _rogue_count(n_rogue: int | None, width: int) -> int:
    if n_rogue is None:
        return min(max(1, round(_ROGUE_SHARE * width)), _ROGUE_CAP, width - 1)
    if not 0 <= n_rogue < width:
        msg = f"n_rogue must be in 0 … d_model - 1 = {width - 1}. Got {n_rogue} instead."
        raise InputError(msg)
    return n_rogue
