"""Sets of neurons compared: Jaccard between languages, between halves, and what chance gives.

Costs one product of flags per layer.
"""

from __future__ import annotations

import numpy as np

from probekit.measures.checks import AnyArray, FloatArray, language_pairs


def jaccard(sets: AnyArray, others: AnyArray | None = None) -> FloatArray:
    """``|A ∩ B| / |A ∪ B|`` of every pair of sets, in [0, 1]; 0 for two empty sets.

    Parameters
    ----------
    sets, others : arrays of shape (..., n_neurons, n_sets)
        Flags; `others` is `sets` unless given.

    Returns
    -------
    array of shape (..., n_sets, n_sets)
    """
    a = np.asarray(sets, dtype=np.float32)
    b = a if others is None else np.asarray(others, dtype=np.float32)
    both = (np.swapaxes(a, -1, -2) @ b).astype(np.float64)  # exact: fewer than 2**24 neurons
    return _over_union(both, a.sum(axis=-2)[..., :, None], b.sum(axis=-2)[..., None, :])


def chance_jaccard(sets: AnyArray, others: AnyArray | None = None) -> FloatArray:
    """Jaccard of sets of the same sizes drawn at random: expected intersection ``|A| |B| / N``.

    Returns
    -------
    array of shape (..., n_sets, n_sets)
    """
    a = np.asarray(sets).sum(axis=-2).astype(np.float64)
    b = a if others is None else np.asarray(others).sum(axis=-2).astype(np.float64)
    first, second = a[..., :, None], b[..., None, :]
    return _over_union(first * second / np.shape(sets)[-2], first, second)


def agreement(first: AnyArray, second: AnyArray) -> tuple[FloatArray, FloatArray]:
    """Jaccard of each language's neurons in two selections, and of random ones in the same layers.

    Parameters
    ----------
    first, second : arrays of shape (n_layers, n_neurons, n_languages)

    Returns
    -------
    found, chance : arrays of shape (n_languages,)
    """
    a, b = np.asarray(first), np.asarray(second)
    sizes_a, sizes_b = a.sum(axis=1).astype(np.float64), b.sum(axis=1).astype(np.float64)
    totals = sizes_a.sum(axis=0), sizes_b.sum(axis=0)
    both = (a & b).sum(axis=(0, 1)).astype(np.float64)
    expected = (sizes_a * sizes_b).sum(axis=0) / a.shape[1]
    return _over_union(both, *totals), _over_union(expected, *totals)


def pair_mean(tables: AnyArray) -> FloatArray:
    """Mean over pairs a < b of tables (..., n_languages, n_languages)."""
    first, second = language_pairs(np.shape(tables)[-1])
    means: FloatArray = np.asarray(tables)[..., first, second].mean(axis=-1)
    return means


def _over_union(both: FloatArray, first: AnyArray, second: AnyArray) -> FloatArray:
    union = np.asarray(first + second - both, dtype=np.float64)
    return np.divide(both, union, out=np.zeros_like(union), where=union > 0)
