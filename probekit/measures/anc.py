"""Average neuron-wise correlation: whether each dimension says the same in two languages.

Two passes over the vectors and two products of ``L² n d``, all pairs together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from probekit.errors import NumericalError
from probekit.measures.checks import (
    AnyArray,
    FloatArray,
    check_pooled,
    check_weights,
    language_pairs,
)
from probekit.measures.influence import influence_interval
from probekit.measures.rogue import feature_moments

_CELLS = 1 << 22  # float64 numbers cast at once: 32 MB


@dataclass(frozen=True)
class ANCResult:
    """ANC of all language pairs at one layer.

    Attributes
    ----------
    table : array of shape (n_languages, n_languages)
        Mean over dimensions of the Pearson correlation over units, in [-1, 1]; diagonal 1. Its
        expectation over unrelated units is exactly 0.
    mean, low, high : float
        Mean over pairs a < b, with a 95 % interval over units.
    n_constant : int
        Dimensions left out of some pair because one of its languages does not vary in them.
    """

    table: FloatArray
    mean: float
    low: float
    high: float
    n_constant: int


def anc(pooled: AnyArray, *, weights: AnyArray) -> ANCResult:
    """``(1/d) Σ_j corr_i(x[a,i,j], x[b,i,j])`` of every language pair (Del & Fishel 2022).

    Unlike CKA it depends on the basis: it asks whether *neurons* agree, not whether spaces do.
    Dimensions that are constant in a language are skipped in its pairs. The interval weighs each
    unit's influence on the mean (the correlation's is ``z_a z_b − ρ (z_a² + z_b²)/2``).

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer; the same units in the same order in every language.
    weights : array of shape (n_resamples, n_units)
        From `bootstrap_weights`.

    Raises
    ------
    InputError
        Fewer than two languages or units, or weights of another shape.
    NumericalError
        A value is not finite, or two languages share no dimension in which both vary.
    """
    pooled = check_pooled(pooled)
    n_languages, n, _ = pooled.shape
    weights = check_weights(weights, n)
    mean, variance = feature_moments(pooled)
    varies = variance > 0
    scale = np.divide(1.0, np.sqrt(variance), out=np.zeros_like(variance), where=varies)
    counts = _shared_dimensions(varies)
    correlations = np.zeros((pooled.shape[2], n_languages, n_languages))
    for _, z in _standardised(pooled, mean, scale):
        by_dimension = z.transpose(2, 0, 1)
        correlations += by_dimension @ by_dimension.transpose(0, 2, 1)
    correlations /= n
    table = correlations.sum(axis=0) / counts
    np.fill_diagonal(table, 1.0)
    estimate = float(table[language_pairs(n_languages)].mean())
    share = _pair_shares(counts)
    pull = np.einsum("jab,ab->aj", correlations, share)
    influence = np.empty(n)
    for rows, z in _standardised(pooled, mean, scale):
        units = z.transpose(1, 0, 2)
        products = units @ units.transpose(0, 2, 1)
        both = np.einsum("nab,ab->n", products, share)
        influence[rows] = both - np.einsum("anj,aj->n", np.square(z), pull)
    interval = influence_interval(estimate, influence, weights=weights)
    n_constant = int((~varies.all(axis=0)).sum())
    return ANCResult(np.clip(table, -1, 1), estimate, *interval, n_constant)


def _shared_dimensions(varies: AnyArray) -> FloatArray:
    """How many dimensions vary in both languages of each pair."""
    counts: FloatArray = varies.astype(np.float64) @ varies.T.astype(np.float64)
    if counts.min() == 0:
        a, b = (int(k) for k in np.argwhere(counts == 0)[0])
        msg = (
            "pooled must vary over units in some dimension that two languages share. Languages"
            f" {a} and {b} have none: drop one of them."
        )
        raise NumericalError(msg)
    return counts


def _pair_shares(counts: FloatArray) -> FloatArray:
    """Weight of one dimension of an ordered pair in the mean over pairs; 0 on the diagonal."""
    n_languages = len(counts)
    shares = 1 / (counts * n_languages * (n_languages - 1))
    np.fill_diagonal(shares, 0.0)
    return shares


def _standardised(
    pooled: AnyArray, mean: FloatArray, scale: FloatArray
) -> Iterator[tuple[slice, FloatArray]]:
    """Blocks of units at mean 0 and variance 1 per language and dimension; constant ones at 0."""
    n_languages, n, d = pooled.shape
    step = max(1, _CELLS // (n_languages * d))
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        yield rows, (pooled[:, rows] - mean[:, None]) * scale[:, None]
