"""Procrustes: what of one language's shape no rotation and scale can turn into another's.

Through Gram matrices where units are fewer than dimensions: one eigen-decomposition a language
and one a pair, of the smaller of units and width. At most `max_units` units are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from probekit.errors import InputError, NumericalError
from probekit.measures.checks import (
    AnyArray,
    FloatArray,
    check_permutations,
    check_pooled,
    check_weights,
    language_pairs,
)
from probekit.measures.influence import influence_interval

MAX_UNITS = 256
_CHANCE_DRAWS = 20
_MIN_UNITS = 3
_ROUNDING = 1e-12
_SMALL = 1e-7  # singular values under this share of the largest are lost to squaring


@dataclass(frozen=True)
class ProcrustesResult:
    """Procrustes disparity of all language pairs at one layer.

    Attributes
    ----------
    table : array of shape (n_languages, n_languages)
        Share of variance left after the best rotation and scale, in [0, 1]; 0 for rotated copies.
    mean, low, high : float
        Mean over pairs a < b, with a 95 % interval over units.
    chance : float
        Mean disparity with the units of one language permuted. Far below 1: a rotation has
        ``d (d − 1) / 2`` parameters to fit, so where units are few everything nearly fits.
    n_units : int
        Units used.
    """

    table: FloatArray
    mean: float
    low: float
    high: float
    chance: float
    n_units: int


def procrustes(
    pooled: AnyArray, *, weights: AnyArray, permutations: AnyArray, max_units: int = MAX_UNITS
) -> ProcrustesResult:
    """``1 − |X'Y|_*²`` on centred X, Y of Frobenius norm 1, of every language pair.

    The nuclear norm of ``X'Y`` (d × d) is that of ``K_x^½ K_y^½`` (n × n). The interval weighs
    each unit's influence: a resample that repeats units would have fewer of them to fit, and so a
    smaller disparity.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer; the same units in the same order in every language.
    weights, permutations : arrays of shape (n_resamples or n_permutations, n_units)
        From `bootstrap_weights` and `permutations`.
    max_units : int
        With more units, this many are used, evenly spaced; at least 3. The cost of a pair grows
        with its cube.

    Raises
    ------
    InputError
        Fewer than 2 languages or 3 units, or options of the wrong shape or range.
    NumericalError
        A value is not finite, or a language does not vary over units.
    """
    pooled = check_pooled(pooled, min_units=_MIN_UNITS)
    n = pooled.shape[1]
    weights = check_weights(weights, n)
    orders = check_permutations(permutations, n)
    if max_units < _MIN_UNITS:
        msg = f"max_units must be at least {_MIN_UNITS}. Got {max_units} instead."
        raise InputError(msg)
    chosen = np.linspace(0, n - 1, min(n, max_units)).round().astype(np.intp)
    weights = weights[:, chosen]
    weights = weights[weights.sum(axis=1) > 0]
    shapes = [_shape(pooled[a, chosen], language=a) for a in range(len(pooled))]
    table, influence = _all_pairs(shapes)
    estimate = float(table[language_pairs(len(table))].mean())
    interval = influence_interval(estimate, influence, weights=weights)
    chance = _chance(shapes, np.argsort(orders[:, chosen], axis=1))
    return ProcrustesResult(table, estimate, *interval, chance, len(chosen))


def _shape(rows: AnyArray, *, language: int) -> FloatArray:
    """Centre, scale to norm 1, and turn into the fewest columns: (n, min(n, d))."""
    x = rows.astype(np.float64)
    size = np.abs(x).max()
    x -= x.mean(axis=0)
    norm = np.linalg.norm(x)
    if norm <= _ROUNDING * size * np.sqrt(x.size):
        msg = (
            "pooled must vary over units in every language. Procrustes is undefined for language"
            f" {language}, which is constant: drop it."
        )
        raise NumericalError(msg)
    x /= norm
    if x.shape[1] <= len(x):
        return x
    values, vectors = np.linalg.eigh(x @ x.T)
    root: FloatArray = vectors * np.sqrt(np.clip(values, 0, None))
    return root


def _all_pairs(shapes: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Disparity of each pair, and each unit's influence on the mean over pairs."""
    n_languages, n = len(shapes), len(shapes[0])
    table = np.zeros((n_languages, n_languages))
    influence = np.zeros(n)
    lengths = [np.einsum("nd,nd->n", shape, shape) for shape in shapes]
    pairs = list(combinations(range(n_languages), 2))
    for a, b in pairs:
        shares = _matched(shapes[a], shapes[b])
        fit = min(float(shares.sum()), 1.0)
        table[a, b] = table[b, a] = 1 - fit**2
        influence -= 2 * fit * (shares - fit * (lengths[a] + lengths[b]) / 2)
    return table, influence * n / len(pairs)


def _matched(x: FloatArray, y: FloatArray) -> FloatArray:
    """``x_i' W y_i`` under the best rotation W, per unit; they sum to the nuclear norm of X'Y."""
    cross = x.T @ y
    values, right = np.linalg.eigh(cross.T @ cross)
    kept = values > _SMALL**2 * values[-1]
    right = right[:, kept]
    left = cross @ (right / np.sqrt(values[kept]))
    matched: FloatArray = np.einsum("nk,nk->n", x @ left, y @ right)
    return matched


def _chance(shapes: list[FloatArray], orders: AnyArray) -> float:
    """Mean disparity of pairs spread over all languages, each under a permutation of its own."""
    pairs = list(combinations(range(len(shapes)), 2))
    n_draws = min(len(orders), _CHANCE_DRAWS)
    found = []
    for draw in range(n_draws):
        a, b = pairs[draw * len(pairs) // n_draws]
        cross = shapes[a].T @ shapes[b][orders[draw]]
        found.append(np.sqrt(np.clip(np.linalg.eigvalsh(cross.T @ cross), 0, None)).sum())
    return float(np.mean(1 - np.minimum(found, 1.0) ** 2))
