"""Do translations sit together? Retrieval and cosines of one layer, beside their chance levels.

Retrieval compares all units of every language pair (``L² n² d / 2``, in blocks of 32 MB); the
cosines come from sums of vectors (``L n d`` per resample).
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
from probekit.measures.neighbours import mutual_neighbours, neighbourhood, retrieval
from probekit.measures.regions import mean_cosines, unit_vectors
from probekit.measures.resampling import percentile_interval

NEIGHBOURS = 10  # as in CSLS and in mutual-kNN papers


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
    csls, csls_mean, csls_low, csls_high
        The same with CSLS, which makes up for hubs; chance 1 / n_units.
    mexa, mexa_mean, mexa_low, mexa_high
        Share of units whose pair is the strict maximum of its row and column of cosines, the
        MEXA score; symmetric, diagonal 1 without ties.
    mexa_chance : float
        1 / (2 n_units − 1): the largest of so many alike.
    mutual_knn, mutual_knn_mean, mutual_knn_low, mutual_knn_high
        Mean share of a unit's k nearest units of its own language that are its nearest in the
        other language too; symmetric.
    mutual_knn_chance : float
        k / (n_units − 1).
    k : int
        Neighbours used by CSLS and mutual-kNN.
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
    csls: FloatArray
    csls_mean: float
    csls_low: float
    csls_high: float
    mexa: FloatArray
    mexa_chance: float
    mexa_mean: float
    mexa_low: float
    mexa_high: float
    mutual_knn: FloatArray
    mutual_knn_chance: float
    mutual_knn_mean: float
    mutual_knn_low: float
    mutual_knn_high: float
    k: int
    centred_cosine: FloatArray
    centred_cosine_mean: float
    centred_cosine_low: float
    centred_cosine_high: float
    random_cosine: FloatArray
    anisotropy: FloatArray


def alignment(pooled: AnyArray, *, weights: AnyArray, k: int = NEIGHBOURS) -> AlignmentResult:
    """Retrieval (P@1, CSLS, MEXA), mutual neighbours and cosines of every language pair.

    Intervals are percentiles over the given resamples. For retrieval and neighbours a resample
    weighs the hits of its units; the pool of candidates stays the full sample (chance depends on
    its size, and a unit drawn twice would be its own rival). For cosines it weighs pairs
    of distinct units; the centring mean stays that of the full sample.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer; the same units in the same order in every language.
    weights : array of shape (n_resamples, n_units)
        From `bootstrap_weights`; the same for every layer.
    k : int
        Neighbours of CSLS and mutual-kNN; lowered to a quarter of the other units, at least 1.

    Raises
    ------
    InputError
        Fewer than two languages or units, weights of another shape, or ``k < 1``.
    NumericalError
        A value is not finite, or a vector is zero or equal to its language's mean.
    """
    pooled = check_pooled(pooled)
    n = pooled.shape[1]
    weights = check_weights(weights, n)
    k = neighbourhood(n, k)
    means = pooled.mean(axis=1, dtype=np.float64)
    paired, random_centred = _cosine_tables(_all_unit_vectors(pooled, means))
    resampled = mean_cosines(pooled, weights, offset=means).sads
    raw = _all_unit_vectors(pooled, np.zeros_like(means))
    random_cosine = _cosine_tables(raw)[1]
    hits = retrieval(raw, k=k)
    return AlignmentResult(
        p_at_1_chance=1 / n,
        mexa_chance=1 / (2 * n - 1),
        mutual_knn_chance=k / (n - 1),
        k=k,
        random_cosine=random_cosine,
        anisotropy=random_cosine.diagonal().copy(),
        **_rates("p_at_1", hits.p_at_1, weights),
        **_rates("csls", hits.csls, weights),
        **_rates("mexa", hits.mexa, weights),
        **_rates("mutual_knn", mutual_neighbours(raw, k=k), weights),
        **_centred_cosine(paired - random_centred, resampled),
    )


def _rates(name: str, hits: FloatArray, weights: FloatArray) -> dict[str, Any]:
    """Rate per pair, and its mean over both ways of all pairs with an interval."""
    own = hits.diagonal().sum(axis=1)
    rates = (hits.sum(axis=(0, 1)) - own) / (len(hits) * (len(hits) - 1))
    interval = percentile_interval(weights @ rates / weights.sum(axis=1))
    return {
        name: hits.mean(axis=2),
        f"{name}_mean": float(rates.mean()),
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
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
