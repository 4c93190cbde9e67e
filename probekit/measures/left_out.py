"""Leaving one language out: what a selection needs to know how much one language decides.

Means over languages without each in turn, from the sums that the measures have anyway. Resample r
leaves out language ``r % n_languages``, so units and languages are resampled together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probekit.measures.checks import AnyArray, FloatArray, check_pooled, check_weights
from probekit.measures.regions import unit_vectors

MIN_LANGUAGES = 3


@dataclass(frozen=True)
class LeftOut:
    """A mean over languages, with one language left out.

    Attributes
    ----------
    samples : array of shape (n_resamples,)
        Every language in; row r belongs to row r of the weights.
    samples_left_out : array of shape (n_resamples,)
        Resample r without language ``r % n_languages``; empty with two languages.
    without : array of shape (n_languages,)
        The estimate without each language; empty with two languages.
    """

    samples: FloatArray
    samples_left_out: FloatArray
    without: FloatArray


def pair_means_without(tables: AnyArray) -> FloatArray:
    """Mean over pairs a < b that do not touch each language.

    Parameters
    ----------
    tables : array of shape (..., n_languages, n_languages)
        Symmetric, at least three languages.

    Returns
    -------
    array of shape (..., n_languages)
    """
    n = tables.shape[-1]
    own = np.diagonal(tables, axis1=-2, axis2=-1)
    touching = tables.sum(axis=-1) - own
    every = touching.sum(axis=-1, keepdims=True) / 2
    kept: FloatArray = (every - touching) / ((n - 1) * (n - 2) / 2)
    return kept


def take_left_out(by_language: AnyArray) -> FloatArray:
    """From (n_resamples, n_languages), the column ``r % n_languages`` of every row r."""
    rows = np.arange(len(by_language))
    taken: FloatArray = np.asarray(by_language)[rows, rows % by_language.shape[1]]
    return taken


def lrds_left_out(pooled: AnyArray, *, weights: AnyArray, centred: bool) -> LeftOut:
    """LRDS with every language in, and with each left out; see `regions.region_scores`.

    The centred form keeps the mean of all languages, so leaving one out does not move the origin.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer.
    weights : array of shape (n_resamples, n_units)
        From `bootstrap_weights`.
    centred : bool
        Subtract the mean over languages and units first.

    Raises
    ------
    InputError
        Fewer than two languages, or weights of another shape.
    NumericalError
        A value is not finite, or a vector is zero (or equal to the mean).
    """
    pooled = check_pooled(pooled)
    n_languages, n, d = pooled.shape
    weights = check_weights(weights, n)
    rows = np.concatenate([np.ones((1, n)), weights])
    mean = pooled.mean(axis=(0, 1), dtype=np.float64) if centred else np.zeros(d)
    unit = np.stack([unit_vectors(pooled[a], offset=mean, language=a) for a in range(n_languages)])
    sums = np.stack([rows @ unit[a] for a in range(n_languages)])
    within, across = _within(sums, rows), _across(unit, sums, rows)
    n_pairs = n_languages * (n_languages - 1) / 2
    plain = within.mean(axis=1) - across.sum(axis=(1, 2)) / 2 / n_pairs
    if n_languages < MIN_LANGUAGES:
        return LeftOut(plain[1:], np.empty(0), np.empty(0))
    rest = (within.sum(axis=1, keepdims=True) - within) / (n_languages - 1)
    without = rest - pair_means_without(across)
    return LeftOut(plain[1:], take_left_out(without[1:]), without[0])


def _within(sums: FloatArray, rows: FloatArray) -> FloatArray:
    """Mean cosine of distinct units of one language: (n_rows, n_languages)."""
    squares = (rows**2).sum(axis=1)
    distinct = rows.sum(axis=1) ** 2 - squares
    own = np.einsum("ard,ard->ra", sums, sums)
    within: FloatArray = (own - squares[:, None]) / distinct[:, None]
    return within


def _across(unit: FloatArray, sums: FloatArray, rows: FloatArray) -> FloatArray:
    """Mean cosine of distinct units of two languages, zero diagonal: (n_rows, L, L)."""
    n_languages = len(unit)
    squares = rows**2
    distinct = rows.sum(axis=1) ** 2 - squares.sum(axis=1)
    table = np.einsum("ard,brd->rab", sums, sums, optimize=True)
    for a in range(n_languages):
        same = np.einsum("nd,bnd->bn", unit[a], unit, optimize=True)
        table[:, a] -= squares @ same.T
    table /= distinct[:, None, None]
    table[:, np.arange(n_languages), np.arange(n_languages)] = 0.0
    return np.asarray(table)
