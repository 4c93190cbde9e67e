"""How far apart the languages of a layer lie, and how much its vectors point one way.

Everything comes from sums of vectors: ``L n d`` a resample, all languages together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from probekit.errors import NumericalError
from probekit.measures.checks import (
    AnyArray,
    FloatArray,
    check_pooled,
    check_weights,
    language_pairs,
)
from probekit.measures.regions import mean_cosines
from probekit.measures.resampling import centre_on, percentile_interval

_ROUNDING = 1e-12


@dataclass(frozen=True)
class GeometryResult:
    """Separation of languages and anisotropy of one layer.

    Attributes
    ----------
    centroid_distance : array of shape (n_languages, n_languages)
        Distance of language means in units of the within-language spread (root of the mean total
        variance of a language): at 1, languages lie as far apart as a language is wide.
    centroid_distance_mean, centroid_distance_low, centroid_distance_high : float
        Mean over pairs a < b, with a 95 % bootstrap interval over units.
    centroid_distance_chance : float
        The mean to expect when, unit by unit, the two languages of a pair are exchanged at random.
    fisher : float
        Variance of language means over the mean variance within a language, >= 0; its trace form,
        so it depends neither on the basis nor on the number of units.
    fisher_low, fisher_high : float
    fisher_chance : float
        The ratio to expect when languages are dealt at random within each unit.
    anisotropy : float
        Mean cosine of different units of one language, in [-1, 1]; 0 for directions at random.
    anisotropy_low, anisotropy_high : float
    """

    centroid_distance: FloatArray
    centroid_distance_mean: float
    centroid_distance_low: float
    centroid_distance_high: float
    centroid_distance_chance: float
    fisher: float
    fisher_low: float
    fisher_high: float
    fisher_chance: float
    anisotropy: float
    anisotropy_low: float
    anisotropy_high: float


class _Moments(NamedTuple):
    """By row of weights: Gram of language means (R, L, L), variance within languages (R, L)."""

    means: FloatArray
    within: FloatArray

    @property
    def squared_distances(self) -> FloatArray:
        """|μ_a − μ_b|², (R, L, L)."""
        own = np.diagonal(self.means, axis1=1, axis2=2)
        squares: FloatArray = own[:, :, None] + own[:, None] - 2 * self.means
        return np.maximum(squares, 0.0)

    @property
    def fisher(self) -> FloatArray:
        """Variance of means over variance within, (R,)."""
        n_languages = self.means.shape[1]
        pairs = self.squared_distances.sum(axis=(1, 2)) / 2
        between: FloatArray = pairs / (n_languages * (n_languages - 1))
        ratio: FloatArray = between / self.within.mean(axis=1)
        return ratio


def geometry(pooled: AnyArray, *, weights: AnyArray) -> GeometryResult:
    """Centroid distance, Fisher ratio and anisotropy of one layer, with their chance levels.

    ``fisher = Σ_a |μ_a − μ|² / (L − 1) ÷ Σ_a Σ_i |x[a,i] − μ_a|² / (L (n − 1))``.

    Intervals are percentiles over the resamples, shifted onto the estimate (resampled means lie
    farther apart than the sample's) and not below 0.

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
        A value is not finite, a vector is zero, or no language varies over units.
    """
    pooled = check_pooled(pooled)
    n = pooled.shape[1]
    weights = check_weights(weights, n)
    resamples = np.concatenate([np.ones((1, n)), weights])
    moments = _moments(pooled, resamples)
    distances = np.sqrt(moments.squared_distances / moments.within.mean(axis=1)[:, None, None])
    pairs = (slice(None), *language_pairs(len(pooled)))
    within = mean_cosines(pooled, resamples).within
    distance_chance, fisher_chance = _chance_levels(pooled, moments)
    statistics = {
        "centroid_distance_mean": _not_negative(distances[pairs].mean(axis=1)),
        "fisher": _not_negative(moments.fisher),
        "anisotropy": within,
    }
    return GeometryResult(
        centroid_distance=distances[0],
        centroid_distance_chance=distance_chance,
        fisher_chance=fisher_chance,
        **{key: value for name, row in statistics.items() for key, value in _ends(name, row)},
    )


def _moments(pooled: AnyArray, resamples: FloatArray) -> _Moments:
    """Weighted means and variances, around the mean of everything so that nothing cancels."""
    n_languages, n, d = pooled.shape
    origin = pooled.mean(axis=(0, 1), dtype=np.float64)
    mass = resamples.sum(axis=1)
    means = np.empty((len(resamples), n_languages, d))
    squares = np.empty((len(resamples), n_languages))
    for language, rows in enumerate(pooled):
        x = rows - origin
        means[:, language] = resamples @ x / mass[:, None]
        squares[:, language] = resamples @ np.einsum("nd,nd->n", x, x) / mass
    gram = means @ means.transpose(0, 2, 1)
    within = squares - np.diagonal(gram, axis1=1, axis2=2)
    within = np.clip(within, 0, None) * n / (n - 1)
    size = _ROUNDING * (squares[0].mean() + origin @ origin)
    if within.mean(axis=1).min() <= size:
        msg = (
            "pooled must vary over units. No language does, so distances have no unit to be"
            " measured in: add units, or check the pooling."
        )
        raise NumericalError(msg)
    return _Moments(gram, within)


def _chance_levels(pooled: AnyArray, moments: _Moments) -> tuple[float, float]:
    """Mean centroid distance and Fisher ratio under random exchange of languages within units.

    With ``D_i = x[a,i] − x[b,i]`` a random sign on each gives ``E|mean D|² = Σ_i |D_i|² / n²``.
    The total sum of squares stays, so what moves between languages leaves the within part.
    """
    n_languages, n, _ = pooled.shape
    apart = _unit_differences(pooled)
    spread = moments.within[0].mean()
    pairs = language_pairs(n_languages)
    distance = np.sqrt(apart[pairs] / (n**2 * spread)).mean()
    # Σ_i Σ_a |x[a,i] − mean of unit i|²
    around_units = apart[pairs].sum() / n_languages
    between = around_units / n**2
    total = moments.within[0].sum() * (n - 1) + n * _between(moments)
    within = (total - n * between) / (n_languages * (n - 1))
    return float(distance), float(between / (n_languages - 1) / within)


def _between(moments: _Moments) -> float:
    """``Σ_a |μ_a − μ|²``."""
    distances = moments.squared_distances[0]
    return float(distances.sum() / (2 * len(distances)))


def _unit_differences(pooled: AnyArray) -> FloatArray:
    """``Σ_i |x[a,i] − x[b,i]|²`` of every pair, (L, L)."""
    n_languages, n, d = pooled.shape
    apart = np.zeros((n_languages, n_languages))
    step = max(1, (1 << 22) // (n_languages * d))
    for start in range(0, n, step):
        block = pooled[:, start : start + step].astype(np.float64)
        flat = (block - block.mean(axis=0)).reshape(n_languages, -1)
        products = flat @ flat.T
        own = products.diagonal()
        apart += own[:, None] + own[None, :] - 2 * products
    return np.clip(apart, 0, None)


def _not_negative(row: FloatArray) -> FloatArray:
    """Estimate first, then the resamples moved onto it and cut at 0."""
    moved = np.clip(centre_on(row[1:], row[0]), 0, None)
    return np.concatenate([row[:1], moved])


def _ends(name: str, row: FloatArray) -> list[tuple[str, float]]:
    """Estimate (first entry) and interval (the rest) under the names of GeometryResult."""
    interval = percentile_interval(row[1:])
    stem = name.removesuffix("_mean")
    return [(name, float(row[0])), (f"{stem}_low", interval.low), (f"{stem}_high", interval.high)]
