"""Do translations sit together? Retrieval and cosines of one layer, beside their chance levels.

Retrieval compares all units of every language pair (``L² n² d``, in blocks of 32 MB); the cosines
come from sums of vectors (``L n d`` per resample).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from probekit.measures.checks import (
    AnyArray,
    FloatArray,
    check_pooled,
    check_weights,
    language_pairs,
)
from probekit.measures.regions import mean_cosines, unit_vectors
from probekit.measures.resampling import percentile_interval

_CELLS = 1 << 22  # similarities held at once: 32 MB
_TIE = 1e-12  # closer than float64 can order: a tie


@dataclass(frozen=True)
class AlignmentResult:
    """Alignment of all language pairs at one layer.

    Attributes
    ----------
    p_at_1 : array of shape (n_languages, n_languages)
        ``[a, b]``: share of units of language a whose nearest unit of language b, by cosine of the
        raw vectors, is their translation. In [0, 1]. A tie (two texts alike) is a miss.
    p_at_1_chance : float
        1 / n_units.
    p_at_1_mean, p_at_1_low, p_at_1_high : float
        Mean over a ≠ b (both ways), with a 95 % bootstrap interval over units.
    centred_cosine : array of shape (n_languages, n_languages)
        Mean cosine of translations minus mean cosine of different units, each language centred
        on its own mean first. In [-2, 2]; chance is 0.
    centred_cosine_mean, centred_cosine_low, centred_cosine_high : float
        Mean over pairs a < b, with a 95 % bootstrap interval over units.
    random_cosine : array of shape (n_languages, n_languages)
        Mean raw cosine of different units: the level that any two texts reach.
    anisotropy : array of shape (n_languages,)
        Its diagonal: different units of one language.
    """

    p_at_1: FloatArray
    p_at_1_chance: float
    p_at_1_mean: float
    p_at_1_low: float
    p_at_1_high: float
    centred_cosine: FloatArray
    centred_cosine_mean: float
    centred_cosine_low: float
    centred_cosine_high: float
    random_cosine: FloatArray
    anisotropy: FloatArray


def alignment(pooled: AnyArray, *, weights: AnyArray) -> AlignmentResult:
    """P@1 retrieval, centred cosine and random cosine of every language pair.

    Intervals are percentiles over the given resamples. For P@1 a resample weighs the hits, the
    pool of candidates stays the full sample (1/n depends on its size). For cosines it weighs pairs
    of distinct units; the centring mean stays that of the full sample.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer; the same units in the same order in every language.
    weights : array of shape (n_resamples, n_units)
        From `bootstrap_weights`; the same for every layer.

    Raises
    ------
    InputError
        Fewer than two languages or units, or weights of another shape.
    NumericalError
        A value is not finite, or a vector is zero or equal to its language's mean.
    """
    pooled = check_pooled(pooled)
    n = pooled.shape[1]
    weights = check_weights(weights, n)
    means = pooled.mean(axis=1, dtype=np.float64)
    raw = _all_unit_vectors(pooled, np.zeros_like(means))
    random_cosine = _cosine_tables(raw)[1]
    paired, random_centred = _cosine_tables(_all_unit_vectors(pooled, means))
    resampled = mean_cosines(pooled, weights, offset=means).sads
    return AlignmentResult(
        p_at_1_chance=1 / n,
        random_cosine=random_cosine,
        anisotropy=random_cosine.diagonal().copy(),
        **_retrieval(_hits(raw), weights),
        **_centred_cosine(paired - random_centred, resampled),
    )


def _retrieval(hits: FloatArray, weights: FloatArray) -> dict[str, Any]:
    """P@1 per pair, and its mean over both ways of all pairs with an interval."""
    own = hits.diagonal().sum(axis=1)
    rates = (hits.sum(axis=(0, 1)) - own) / (len(hits) * (len(hits) - 1))
    interval = percentile_interval(weights @ rates / weights.sum(axis=1))
    return {
        "p_at_1": hits.mean(axis=2),
        "p_at_1_mean": float(rates.mean()),
        "p_at_1_low": interval.low,
        "p_at_1_high": interval.high,
    }


def _centred_cosine(table: FloatArray, resampled: FloatArray) -> dict[str, Any]:
    interval = percentile_interval(resampled)
    return {
        "centred_cosine": table,
        "centred_cosine_mean": float(table[language_pairs(len(table))].mean()),
        "centred_cosine_low": interval.low,
        "centred_cosine_high": interval.high,
    }


def _all_unit_vectors(pooled: AnyArray, offsets: FloatArray) -> FloatArray:
    return np.stack(
        [
            unit_vectors(rows, offset=offsets[language], language=language)
            for language, rows in enumerate(pooled)
        ]
    )


def _cosine_tables(unit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean cosine of equal units and of different units, both (L, L)."""
    n_languages, n, _ = unit.shape
    flat = unit.reshape(n_languages, -1)
    same = flat @ flat.T
    sums = unit.sum(axis=1)
    return same / n, (sums @ sums.T - same) / (n * (n - 1))


def _hits(unit: FloatArray) -> FloatArray:
    """Mark 1 at ``[a, b, i]`` where unit i of language b is strictly nearest to unit i of a."""
    n_languages, n, _ = unit.shape
    hits = np.empty((n_languages, n_languages, n))
    for a in range(n_languages):
        for b in range(a, n_languages):
            hits[a, b], hits[b, a] = _pair_hits(unit[a], unit[b])
    return hits


def _pair_hits(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Hits from x to y and from y to x, from one product."""
    n = len(x)
    own = np.einsum("nd,nd->n", x, y)
    best_y, best_x = np.full(n, -np.inf), np.full(n, -np.inf)
    step = max(1, _CELLS // n)
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        cosines = x[rows] @ y.T
        cosines[rows - start, rows] = -np.inf
        best_y[rows] = cosines.max(axis=1)
        best_x = np.maximum(best_x, cosines.max(axis=0))
    return (own > best_y + _TIE).astype(np.float64), (own > best_x + _TIE).astype(np.float64)
