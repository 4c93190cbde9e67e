"""LRDS and SADS: how much language, and how much meaning, organises a layer's space.

After MUTE (arXiv 2602.22562) and Lingua Franca (arXiv 2410.11718). Everything comes from sums of
unit vectors, so the cost is one product of weights and vectors per language: ``L n d R``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from probekit.errors import NumericalError
from probekit.measures.checks import AnyArray, FloatArray, check_pooled, check_weights
from probekit.measures.resampling import percentile_interval

_ROUNDING = 1e-12  # a vector this short after centring was the mean itself


@dataclass(frozen=True)
class RegionScores:
    """Region scores of one layer, each with a 95 % bootstrap interval over units.

    Attributes
    ----------
    lrds : float
        ``within − across``: how much language organises the space. In [-2, 2]; 0 without any
        language structure. Mostly anisotropy in raw space: a common offset shrinks it.
    sads : float
        ``paired − across``: how much meaning does. 0 without any shared meaning.
    lrds_centred, sads_centred : float
        The same after subtracting the mean over all languages and units.
    ratio : float
        ``lrds / sads``, which a common offset leaves alone; ``+inf`` wherever ``sads <= 0``
        (meaning organises nothing there, so nothing is left to compare with). `ratio_high` is
        infinite when SADS cannot be told from 0.
    within, across, paired : float
        Mean cosine of: one language, two meanings; two languages, two meanings; two languages,
        one meaning. Raw space, in [-1, 1].
    lrds_centred_samples : array of shape (n_resamples,)
        Row r belongs to row r of the weights.
    """

    lrds: float
    lrds_low: float
    lrds_high: float
    sads: float
    sads_low: float
    sads_high: float
    lrds_centred: float
    lrds_centred_low: float
    lrds_centred_high: float
    sads_centred: float
    sads_centred_low: float
    sads_centred_high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    within: float
    across: float
    paired: float
    lrds_centred_samples: FloatArray


class MeanCosines(NamedTuple):
    """Mean cosines within, across and paired, one per resample."""

    within: FloatArray
    across: FloatArray
    paired: FloatArray

    @property
    def lrds(self) -> FloatArray:
        """``within − across``."""
        return self.within - self.across

    @property
    def sads(self) -> FloatArray:
        """``paired − across``."""
        return self.paired - self.across

    @property
    def ratio(self) -> FloatArray:
        """``lrds / sads``, +inf where ``sads <= 0``."""
        sads = self.sads
        return np.divide(self.lrds, sads, out=np.full_like(sads, np.inf), where=sads > 0)


def region_scores(pooled: AnyArray, *, weights: AnyArray) -> RegionScores:
    """LRDS, SADS and their ratio; every expectation is over pairs of *distinct* units.

    ``LRDS = E[cos | same language, different meaning] − E[cos | different language, different
    meaning]`` and ``SADS = E[cos | different language, same meaning] − the latter``.

    Intervals are percentiles over the given resamples. Resamples weigh pairs of distinct units by
    w_i w_j; vectors are not normalised again, and the centred scores keep the mean of the full
    sample, so the interval leaves out the (smaller, order 1/n) error of that mean.

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
        A value is not finite, or a vector is zero (or equal to the global mean).
    """
    pooled = check_pooled(pooled)
    weights = check_weights(weights, pooled.shape[1])
    mean = pooled.mean(axis=(0, 1), dtype=np.float64)
    everyone = np.ones((1, pooled.shape[1]))
    resamples = np.concatenate([everyone, weights])
    raw = mean_cosines(pooled, resamples)
    shifted = mean_cosines(pooled, resamples, offset=mean)
    statistics = {
        "lrds": raw.lrds,
        "sads": raw.sads,
        "lrds_centred": shifted.lrds,
        "sads_centred": shifted.sads,
        "ratio": raw.ratio,
    }
    return RegionScores(
        **{key: value for name, row in statistics.items() for key, value in _ends(name, row)},
        within=float(raw.within[0]),
        across=float(raw.across[0]),
        paired=float(raw.paired[0]),
        lrds_centred_samples=shifted.lrds[1:],
    )


def mean_cosines(
    pooled: AnyArray, weights: FloatArray, *, offset: FloatArray | None = None
) -> MeanCosines:
    """Weighted mean cosines over distinct units, for every row of weights.

    With ``S_a = Σ_i w_i u[a,i]`` and ``U_i = Σ_a u[a,i]``: the sum over ordered pairs of distinct
    units is ``S_a·S_b − Σ_i w_i² u[a,i]·u[b,i]``, and the sum over languages needs only
    ``Σ_a |S_a|²``, ``|Σ_a S_a|²`` and ``|U_i|²``.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        Raw vectors; normalised here, one language at a time.
    weights : array of shape (n_resamples, n_units)
        At least two positive in each row.
    offset : array of shape (d_model,) or (n_languages, d_model), optional
        Subtracted before normalising.

    Raises
    ------
    NumericalError
        A vector is zero after subtraction.
    """
    n_languages, n, d = pooled.shape
    offsets = np.broadcast_to(0.0 if offset is None else offset, (n_languages, d))
    own = np.zeros(len(weights))
    total = np.zeros((len(weights), d))
    summed = np.zeros((n, d))
    for language, rows in enumerate(pooled):
        unit = unit_vectors(rows, offset=offsets[language], language=language)
        moved = weights @ unit
        own += np.einsum("rd,rd->r", moved, moved)
        total += moved
        summed += unit
    same_meaning = np.einsum("nd,nd->n", summed, summed) - n_languages
    squares = (weights**2).sum(axis=1)
    mass = weights.sum(axis=1)
    distinct = mass**2 - squares
    crossed = np.einsum("rd,rd->r", total, total) - own - weights**2 @ same_meaning
    pairs = n_languages * (n_languages - 1)
    return MeanCosines(
        within=(own / n_languages - squares) / distinct,
        across=crossed / (pairs * distinct),
        paired=weights @ same_meaning / (pairs * mass),
    )


def unit_vectors(rows: AnyArray, *, offset: FloatArray, language: int) -> FloatArray:
    """Rows of one language minus `offset`, each at length 1, in float64.

    Raises
    ------
    NumericalError
        A row is zero, or no longer than rounding against what was subtracted.
    """
    moved: FloatArray = np.asarray(rows, dtype=np.float64) - offset
    # scaled by the largest entry first: squares of tiny or huge values leave the float64 range
    largest = np.abs(moved).max(axis=1, keepdims=True)
    short = largest[:, 0] <= _ROUNDING * np.abs(offset).max()
    if short.any():
        msg = (
            "pooled must not have vectors that are zero, or equal to the mean when centred."
            f" Got one for language {language}, unit {int(np.argmax(short))}: leave that unit out."
        )
        raise NumericalError(msg)
    moved /= largest
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    return moved


def _ends(name: str, row: FloatArray) -> list[tuple[str, float]]:
    """Estimate (first entry) and interval (the rest) under the names of RegionScores."""
    interval = percentile_interval(row[1:])
    return [(name, float(row[0])), (f"{name}_low", interval.low), (f"{name}_high", interval.high)]
