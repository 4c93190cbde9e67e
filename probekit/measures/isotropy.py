"""How many directions a language's vectors fill: participation ratio and IsoScore.

Free of the basis and of the number of units. Costs ``n² (d + R)`` a language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from probekit.errors import InputError, NumericalError
from probekit.measures.checks import AnyArray, FloatArray, check_pooled, check_weights
from probekit.measures.hsic import weighted_hsic
from probekit.measures.resampling import centre_on, percentile_band, percentile_interval

_MIN_UNITS = 4  # the unbiased square of a covariance averages over quadruples of units
_NO_SPREAD = 1e-12


@dataclass(frozen=True)
class IsotropyResult:
    """Dimensionality of each language at one layer, with 95 % bootstrap intervals over units.

    Attributes
    ----------
    participation_ratio : array of shape (n_languages,)
        ``(tr Σ)² / tr Σ²``: how many directions share the variance equally, from 1 to d_model.
        Without bias from few units, so it may pass an end of its range by its error.
    participation_low, participation_high : arrays of shape (n_languages,)
    isoscore : array of shape (n_languages,)
        ``(participation_ratio − 1) / (d_model − 1)``: 0 for a line, 1 for a ball.
    isoscore_low, isoscore_high : arrays of shape (n_languages,)
    participation_mean, participation_mean_low, participation_mean_high : float
        Mean over languages.
    isoscore_mean, isoscore_mean_low, isoscore_mean_high : float
        Mean over languages.
    plug_in_ceiling : float
        Participation ratio that the sample covariance of an isotropic cloud of so many units
        would show: what papers that plug it in cannot pass.
    """

    participation_ratio: FloatArray
    participation_low: FloatArray
    participation_high: FloatArray
    isoscore: FloatArray
    isoscore_low: FloatArray
    isoscore_high: FloatArray
    participation_mean: float
    participation_mean_low: float
    participation_mean_high: float
    isoscore_mean: float
    isoscore_mean_low: float
    isoscore_mean_high: float
    plug_in_ceiling: float


def isotropy(pooled: AnyArray, *, weights: AnyArray) -> IsotropyResult:
    """Participation ratio and IsoScore of every language.

    ``tr Σ²`` is the unbiased HSIC of a language with itself (an average over quadruples of
    distinct units), so few units do not pass for few directions. IsoScore in the form
    ``(PR − 1) / (d − 1)`` after Rudman et al. 2022 (arXiv 2108.07344).

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer, d_model >= 2.
    weights : array of shape (n_resamples, n_units)
        From `bootstrap_weights`.

    Raises
    ------
    InputError
        Fewer than 4 units or 2 features, or weights of another shape.
    NumericalError
        A value is not finite, or in a language at most one unit differs from the rest.
    """
    pooled = check_pooled(pooled, min_units=_MIN_UNITS, min_languages=1)
    n, d = pooled.shape[1:]
    if d < 2:
        msg = f"pooled must have at least 2 features. Got {d} instead: IsoScore needs a space."
        raise InputError(msg)
    weights = check_weights(weights, n)
    resamples = np.concatenate([np.ones((1, n)), weights])
    ratios = np.stack(
        [_participation(rows, resamples, language=a) for a, rows in enumerate(pooled)], axis=1
    )
    samples = centre_on(ratios[1:], ratios[0])
    by_language = np.stack([ratios[0], *percentile_band(samples)])
    overall = np.array([ratios[0].mean(), *percentile_interval(samples.mean(axis=1))])
    return IsotropyResult(
        **_ends("participation", by_language, overall, first="participation_ratio"),
        **_ends("isoscore", (by_language - 1) / (d - 1), (overall - 1) / (d - 1)),
        plug_in_ceiling=plug_in_ceiling(n, d),
    )


def _ends(
    name: str, by_language: FloatArray, overall: FloatArray, *, first: str = ""
) -> dict[str, Any]:
    """Estimate and interval, by language and of the mean, under the names of IsotropyResult."""
    found: dict[str, Any] = dict(
        zip((first or name, f"{name}_low", f"{name}_high"), by_language, strict=True)
    )
    ends = (f"{name}_mean", f"{name}_mean_low", f"{name}_mean_high")
    return found | dict(zip(ends, overall.tolist(), strict=True))


def plug_in_ceiling(n_units: int, d: int) -> float:
    """``(d m + 2) / (d + m + 1)``, m = n_units − 1: ``E (tr S)² / E tr S²`` of white noise.

    From the second moments of a Wishart matrix with m degrees of freedom.
    """
    m = n_units - 1
    return (d * m + 2) / (d + m + 1)


def _participation(rows: AnyArray, resamples: FloatArray, *, language: int) -> FloatArray:
    """Participation ratio in each row of weights."""
    x = rows.astype(np.float64)
    x -= x.mean(axis=0)
    size = np.linalg.norm(x)
    if size > 0:
        x /= size  # scale changes no ratio, and fourth powers stay in range
    squares = weighted_hsic(x[None], resamples)[:, 0, 0]
    traces = _traces(x, resamples)
    if not (squares > _NO_SPREAD * np.square(traces)).all():
        msg = (
            "pooled must vary over units in every language. Participation is undefined for"
            f" language {language}, where at most one unit differs from the rest: drop it."
        )
        raise NumericalError(msg)
    return np.square(traces) / squares


def _traces(x: FloatArray, resamples: FloatArray) -> FloatArray:
    """``tr Σ`` over weighted pairs of distinct units, one per row of weights."""
    mass = resamples.sum(axis=1)
    lengths = resamples @ np.einsum("nd,nd->n", x, x)
    sums = np.square(resamples @ x).sum(axis=1)
    distinct = mass**2 - np.square(resamples).sum(axis=1)
    traces: FloatArray = (mass * lengths - sums) / distinct
    return traces
