"""Axes that set classes apart, for drawing: linear discriminant analysis, every unit held out.

LDA draws classes apart that are not: with more dimensions than units it can always find such axes.
So each text's coordinates come from axes found without its unit, and the share of texts that lie
nearest to their own class says how much of the picture is true. A second for 2000 texts of width
640; grows with texts × width × ``rank``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probekit.errors import InputError
from probekit.measures.checks import AnyArray, FloatArray, check_pooled, check_weights
from probekit.measures.projection import project
from probekit.measures.resampling import percentile_interval

FOLDS = 5
RANK = 64
_RIDGE = 1e-3


@dataclass(frozen=True)
class Discriminant:
    """Discriminant coordinates of all texts of a layer.

    Attributes
    ----------
    coordinates : array of shape (n_languages, n_units, n_components)
        Of every text by axes found without its unit, in units of the spread within classes.
    accuracy, accuracy_low, accuracy_high : float
        Share of classed texts that lie nearest to the mean of their own class on these axes, with
        a 95 % interval over units.
    majority : float
        Share of the commonest class: the chance level.
    """

    coordinates: FloatArray
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    majority: float


def discriminant(
    pooled: AnyArray,
    classes: AnyArray,
    *,
    weights: AnyArray,
    centred: bool = False,
    n_components: int = 2,
    seed: int = 0,
) -> Discriminant:
    """Coordinates ``A'(x − mean)``, A from the other folds' classes and spread within them.

    On at most ``RANK`` principal components of all texts, which see no class; axes of the folds
    are turned onto each other.

    Parameters
    ----------
    pooled : array of shape (n_languages, n_units, d_model)
        One layer.
    classes : int array of shape (n_languages, n_units)
        Class of each text, from 0; −1 for texts that have none, which are drawn and not fitted.
    weights : array of shape (n_resamples, n_units)
        From `bootstrap_weights`.
    centred : bool
        Subtract each language's mean first, over the units that are not held out.
    n_components, seed : int
        Axes, at most one fewer than classes; of the folds.

    Raises
    ------
    InputError, NumericalError
        Fewer than two classes or ten units, or values that are not finite or do not vary.
    """
    pooled = check_pooled(pooled, min_units=2 * FOLDS, min_languages=1)
    n = pooled.shape[1]
    classes, n_classes = _checked(classes, pooled.shape[:2])
    weights = check_weights(weights, n)
    fold_of = np.random.default_rng(seed).permutation(np.arange(n) % FOLDS)
    rank = min(RANK, pooled.shape[2] - 1, n - 1)
    z = project(pooled, centred=centred, n_components=rank).coordinates
    width = min(n_components, n_classes - 1)
    reference = _Axes(z, classes, np.ones(n, dtype=bool), centred=centred, width=width)
    coordinates, hits = np.zeros((*classes.shape, width)), np.zeros(classes.shape)
    for fold in range(FOLDS):
        out = fold_of == fold
        axes = _Axes(z, classes, ~out, centred=centred, width=width)
        turn = axes.onto(reference, z[:, ~out])
        coordinates[:, out] = axes(z[:, out]) @ turn
        hits[:, out] = axes.hits(z[:, out], classes[:, out])
    return Discriminant(coordinates, *_accuracy(hits, classes, weights), _majority(classes))


def _checked(classes: AnyArray, shape: tuple[int, ...]) -> tuple[NDArray[np.int_], int]:
    """Classes as an array, and how many there are."""
    classes = np.asarray(classes)
    n_classes = int(classes.max(initial=-1)) + 1
    if classes.shape != shape or n_classes < 2:
        msg = (
            f"classes must be of shape {shape} with at least two classes. Got shape "
            f"{classes.shape} with {n_classes} instead."
        )
        raise InputError(msg)
    return classes, n_classes


class _Axes:
    """Discriminant axes from some units."""

    def __init__(
        self,
        z: FloatArray,
        classes: NDArray[np.int_],
        units: NDArray[np.bool_],
        *,
        centred: bool,
        width: int,
    ) -> None:
        self._mean = z[:, units].mean(axis=1 if centred else (0, 1), keepdims=True)
        x, y = (z - self._mean)[:, units], classes[:, units]
        x, y = x[y >= 0], y[y >= 0]
        known, y = np.unique(y, return_inverse=True)
        self._known = known
        means = np.stack([x[y == at].mean(axis=0) for at in range(len(known))])
        spread = x - means[y]
        within = spread.T @ spread / len(x)
        within += _RIDGE * np.trace(within) / len(within) * np.eye(len(within))
        values, vectors = np.linalg.eigh(within)
        whiten = vectors / np.sqrt(np.maximum(values, np.finfo(float).tiny))
        share = np.sqrt(np.bincount(y) / len(y))[:, None]
        middle = (share**2 * means).sum(axis=0)
        _, _, right = np.linalg.svd(share * ((means - middle) @ whiten), full_matrices=False)
        self._axes = whiten @ right[:width].T
        self._places = means @ self._axes

    def __call__(self, z: FloatArray) -> FloatArray:
        drawn: FloatArray = (z - self._mean) @ self._axes
        return drawn

    def onto(self, other: _Axes, z: FloatArray) -> FloatArray:
        """The rotation or mirror image that brings these axes nearest to others on the texts."""
        flat = [axes(z).reshape(-1, axes._axes.shape[1]) for axes in (self, other)]
        left, _, right = np.linalg.svd(flat[0].T @ flat[1])
        turn: FloatArray = left @ right
        return turn

    def hits(self, z: FloatArray, classes: NDArray[np.int_]) -> NDArray[np.bool_]:
        """Whether each text lies nearest to its own class's mean."""
        away = np.square(self(z)[:, :, None] - self._places).sum(axis=-1)
        right: NDArray[np.bool_] = self._known[away.argmin(axis=-1)] == classes
        return right


def _accuracy(
    hits: FloatArray, classes: NDArray[np.int_], weights: FloatArray
) -> tuple[float, float, float]:
    """Share of hits over classed texts, with its bootstrap interval over units."""
    classed = classes >= 0
    right, there = (hits * classed).sum(axis=0), classed.sum(axis=0)
    drawn = weights @ there
    samples = (weights @ right)[drawn > 0] / drawn[drawn > 0]
    return float(right.sum() / there.sum()), *percentile_interval(samples)


def _majority(classes: NDArray[np.int_]) -> float:
    counts = np.bincount(classes[classes >= 0])
    return float(counts.max() / counts.sum())
