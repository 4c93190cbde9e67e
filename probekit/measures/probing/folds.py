"""Folds by unit: a translation of a test text is never in training. Costs a sort of the units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Int
    from numpy.typing import NDArray

#: Below three folds, none would be left to choose the penalty on.
MIN_FOLDS = 3


def unit_folds(
    n_units: int,
    *,
    n_folds: int,
    seed: int,
    labels: Mapping[str, NDArray[np.intp]] | None = None,
) -> Int[np.ndarray, units]:  # noqa: F821
    """Fold of every unit, 0 … n_folds - 1; sizes differ by at most one.

    Units are sorted by their labels, the first task's first, shuffled where these are equal, and
    dealt out in turn: the first task is as balanced as can be, the others within it.

    Raises
    ------
    InputError
        Fewer than three folds, or fewer units than folds.
    """
    if n_folds < MIN_FOLDS or n_units < n_folds:
        msg = (
            f"folds must be at least {MIN_FOLDS} and at most the number of units, {n_units}. Got "
            f"{n_folds} instead."
        )
        raise InputError(msg)
    rng = np.random.default_rng([seed, 3])
    keys = [rng.permutation(n_units), *reversed([np.asarray(v) for v in (labels or {}).values()])]
    folds = np.empty(n_units, dtype=np.intp)
    folds[np.lexsort(keys)] = np.arange(n_units) % n_folds
    return folds


def outer_sets(n_folds: int) -> NDArray[np.bool_]:
    """Folds that train for each test fold: array (n_folds, n_folds), False on the diagonal."""
    kept: NDArray[np.bool_] = ~np.eye(n_folds, dtype=bool)
    return kept


def inner_sets(n_folds: int) -> NDArray[np.bool_]:
    """Folds that train when ``f`` and its neighbour ``f + 1`` are both left out, by ``f``.

    Set ``f`` is judged on fold ``f + 1`` for test fold ``f``, and on fold ``f`` for test fold
    ``f + 1``: every test fold has its penalty chosen on two other folds at the price of one.
    """
    alone = outer_sets(n_folds)
    return alone & np.roll(alone, -1, axis=0)
