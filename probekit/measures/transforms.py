"""What can be done to a layer before it is measured: remove what tells the languages apart.

Every transform is fitted from vectors and their languages alone, never from which vectors are
translations: reordering the units of a language changes nothing. So it cannot make translations
meet more often than chance, and chance levels and permutation nulls stay exact although the same
units are transformed. Only questions about *language* (can it still be told?) need units that the
map has not seen: ``folds=2``. Folds are for those alone: units of one fold share a map, which in
noise marks them as of one kind and lifts retrieval above chance.

Costs: ``centre`` and ``lsar`` one pass, ``leace`` a moment matrix of the width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probekit.errors import InputError
from probekit.measures.checks import AnyArray, FloatArray, check_pooled
from probekit.measures.erasers import Eraser, leace
from probekit.measures.subspace import lsar

TRANSFORMS = ("none", "centre", "lsar", "leace")
_FOLDS = 4  # the stream of random numbers that deals units to folds


@dataclass(frozen=True)
class Transform:
    """A fitted transform of one layer.

    Attributes
    ----------
    name : str
        One of `TRANSFORMS`.
    offsets : array of shape (n_languages, d), or None
        Subtracted from each language.
    eraser : Eraser or None
        Applied to all languages alike.
    """

    name: str
    offsets: FloatArray | None = None
    eraser: Eraser | None = None

    @property
    def rank(self) -> int:
        """Directions removed from the space; 0 for ``none`` and ``centre``, which keep it."""
        return 0 if self.eraser is None else self.eraser.rank

    def apply(self, pooled: AnyArray) -> AnyArray:
        """Transform units (n_languages, n_units, d), language by language, in the same dtype."""
        pooled = np.asarray(pooled)
        out = np.empty_like(pooled, dtype=np.result_type(pooled.dtype, np.float32))
        for language, rows in enumerate(pooled):
            moved = rows if self.offsets is None else rows - self.offsets[language]
            out[language] = moved if self.eraser is None else self.eraser.apply(moved)
        return out


def fit(name: str, pooled: AnyArray) -> Transform:
    """Fit a named transform on all languages and units of a layer.

    - ``none``: nothing.
    - ``centre``: ``x − mean of its language``; every language ends at the origin.
    - ``lsar``: ``x − M_s M_s' x``, off all directions in which language means differ.
    - ``leace``: the least change after which language cannot be told by any linear probe.

    Parameters
    ----------
    name : str
    pooled : array of shape (n_languages, n_units, d)

    Raises
    ------
    InputError
        An unknown name, or fewer than two languages or units.
    NumericalError
        A value is not finite, or the layer does not allow it.
    """
    if name not in TRANSFORMS:
        msg = f"transform must be one of {', '.join(TRANSFORMS)}. Got {name!r} instead."
        raise InputError(msg)
    pooled = check_pooled(pooled)
    if name == "centre":
        return Transform(name, offsets=pooled.mean(axis=1, dtype=np.float64))
    if name == "lsar":
        return Transform(name, eraser=lsar(pooled))
    if name == "leace":
        n_languages, n, d = pooled.shape
        labels = np.repeat(np.arange(n_languages), n)
        return Transform(name, eraser=leace(pooled.reshape(-1, d), labels))
    return Transform(name)


def apply(name: str, pooled: AnyArray, *, folds: int = 1, seed: int = 0) -> AnyArray:
    """Transform a layer by a map fitted on it.

    Parameters
    ----------
    name : str
        One of `TRANSFORMS`.
    pooled : array of shape (n_languages, n_units, d)
    folds : int
        1: one map, fitted on all units. Otherwise units are dealt at random to this many folds
        (a unit in all its languages to the same one), and each is transformed by a map fitted on
        the others.
    seed : int
        Deals the units.

    Returns
    -------
    array of shape (n_languages, n_units, d), of the same dtype where that is a float

    Raises
    ------
    InputError
        As `fit`, or folds that leave fewer than two units to fit on.
    NumericalError
        As `fit`.
    """
    pooled = np.asarray(pooled)
    if folds == 1:
        return fit(name, pooled).apply(pooled)
    n = check_pooled(pooled).shape[1]
    if not 2 <= folds <= n // 2:
        msg = f"folds must be 1, or from 2 to half of the {n} units. Got {folds} instead."
        raise InputError(msg)
    fold = np.random.default_rng([seed, _FOLDS]).permutation(n) % folds
    out = np.empty_like(pooled, dtype=np.result_type(pooled.dtype, np.float32))
    for held_out in range(folds):
        inside = fold == held_out
        out[:, inside] = fit(name, pooled[:, ~inside]).apply(pooled[:, inside])
    return out
