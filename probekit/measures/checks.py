"""What every measure demands of its input, said once.

Costs one pass over the array (one language at a time, so no second copy of it).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from probekit.errors import InputError, NumericalError

FloatArray: TypeAlias = NDArray[np.float64]
AnyArray: TypeAlias = NDArray[Any]


def check_pooled(pooled: AnyArray, *, min_units: int = 2, min_languages: int = 2) -> AnyArray:
    """Hand back ``pooled`` as an array of shape (n_languages, n_units, d_model), uncast.

    Raises
    ------
    InputError
        Not three axes, no features, or fewer languages or units than the measure needs.
    NumericalError
        A value is NaN or infinite; the first one is named.
    """
    pooled = np.asarray(pooled)
    if pooled.ndim != 3 or pooled.dtype.kind not in "fiu":
        msg = (
            "pooled must be a real array of shape (n_languages, n_units, d_model) for one layer."
            f" Got shape {pooled.shape} and dtype {pooled.dtype} instead."
        )
        raise InputError(msg)
    needed = zip(
        ("languages", "units", "features"), pooled.shape, (min_languages, min_units, 1), strict=True
    )
    for axis, size, least in needed:
        if size < least:
            msg = f"pooled must have at least {least} {axis}. Got {size} instead: add {axis}."
            raise InputError(msg)
    for language, rows in enumerate(pooled):
        check_finite(rows, name=f"pooled, language {language}")
    return pooled


def check_finite(rows: AnyArray, *, name: str) -> None:
    """Stop at the first unit (row) that holds NaN or infinity.

    Raises
    ------
    NumericalError
        With the unit, the feature and the value.
    """
    finite = np.isfinite(rows)
    if finite.all():
        return
    unit, feature = (int(k) for k in np.argwhere(~finite)[0])
    msg = (
        f"{name}: every value must be finite. Unit {unit}, feature {feature} is"
        f" {rows[unit, feature]} instead: load the subject in float32 or leave that unit out."
    )
    raise NumericalError(msg)


def check_weights(weights: AnyArray, n_units: int) -> FloatArray:
    """Multiplicities as float64 of shape (n_resamples, n_units).

    Raises
    ------
    InputError
        Wrong shape, a negative weight, or a resample with fewer than two distinct units.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or weights.shape[1] != n_units or not len(weights):
        msg = (
            f"weights must have shape (n_resamples >= 1, {n_units}). Got {weights.shape} instead:"
            " draw them with bootstrap_weights(n_units, ...)."
        )
        raise InputError(msg)
    if not np.isfinite(weights).all() or weights.min() < 0 or (weights > 0).sum(axis=1).min() < 2:
        msg = (
            "weights must be finite, not negative, and positive for two units or more in every"
            f" resample. Got minimum {weights.min()} and at fewest"
            f" {(weights > 0).sum(axis=1).min()} units: draw them with bootstrap_weights."
        )
        raise InputError(msg)
    return weights.astype(np.float64)


def check_permutations(permutations: AnyArray, n_units: int) -> NDArray[np.intp]:
    """Permutations as indices of shape (n_permutations, n_units).

    Raises
    ------
    InputError
        Wrong shape, or a row that is not a permutation of ``range(n_units)``.
    """
    permutations = np.asarray(permutations)
    shaped = permutations.ndim == 2 and permutations.shape[1] == n_units and len(permutations)
    if not shaped or not (np.sort(permutations, axis=1) == np.arange(n_units)).all():
        msg = (
            f"permutations must be rows that each order range({n_units}). Got an array of shape"
            f" {permutations.shape} that does not: draw them with permutations(n_units, ...)."
        )
        raise InputError(msg)
    return permutations.astype(np.intp)


def language_pairs(n_languages: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """List all pairs a < b as two index arrays."""
    first, second = np.triu_indices(n_languages, 1)
    return first, second
