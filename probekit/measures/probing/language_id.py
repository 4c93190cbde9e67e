"""Which language a vector is in: accuracy, the price of telling it, and how deep it sits.

Accuracy is near 1 at almost every layer of almost every model, so two more numbers say how strongly
language is written there: the bits of the online code, and how many directions must be removed
before a fresh probe fails. Costs six eigendecompositions of ``min(texts, width)²`` for the folds
and the code's last blocks, one for LEACE, and one fit for every step of the removal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from probekit.measures.probing.basis import standardised_basis
from probekit.measures.probing.crossfit import crossfit
from probekit.measures.probing.items import Items, Labels, tensor
from probekit.measures.probing.online_code import OnlineCode, online_code
from probekit.measures.probing.scores import (
    Estimate,
    Resampler,
    confusion,
    estimate,
    macro_f1,
)
from probekit.measures.probing.solver import Problems, solve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from probekit.measures.checks import AnyArray, FloatArray
    from probekit.measures.probing.solver import Solution

_TOLERANCE, _STEPS = 3e-2, 15
_Z = 1.96


@dataclass(frozen=True)
class LanguageIdentity:
    """Language identity at one layer.

    Attributes
    ----------
    accuracy, macro_f1
        Held out, over all texts; scalars with intervals.
    recall
        By language: share of its texts that are told to be in it.
    code
        Online code of the language labels.
    chance
        ``1 / languages``.
    confusion
        (language, language): texts of the first that are told to be in the second.
    """

    accuracy: Estimate
    macro_f1: Estimate
    recall: Estimate
    code: OnlineCode
    chance: float
    confusion: Int[np.ndarray, "language language_b"]


@dataclass(frozen=True)
class Removal:
    """Directions that carry language, removed until a fresh probe fails.

    Attributes
    ----------
    leace_rank
        Directions that LEACE removes, at most ``languages − 1``.
    leace_accuracy
        Held-out accuracy of a fresh probe after LEACE, which never saw the held-out units; its
        interval is that of a mean over those units.
    directions
        Directions that iterated null-space projection removed (INLP, Ravfogel et al. 2020, arXiv
        2004.07667) when it stopped.
    accuracy
        Held-out accuracy of the fresh probe before every step, and after the last.
    at_chance
        Whether the last accuracy does not differ from chance.
    """

    leace_rank: int
    leace_accuracy: Estimate
    directions: int
    accuracy: tuple[Estimate, ...]
    at_chance: bool


def pooled_items(
    vectors: Float[np.ndarray, "language unit d_model"],
    units: Int[np.ndarray, kept],  # noqa: F821
) -> tuple[Items, Labels]:
    """All languages as the items of one: every unit has one text a language, labelled by it.

    Parameters
    ----------
    vectors
        Of one layer.
    units
        Rows of the units to take.
    """
    n = len(vectors)
    taken = vectors[:, units].reshape(1, n * len(units), -1)
    items = Items(taken, np.tile(np.arange(len(units)), n)[None], len(units))
    labels = np.repeat(np.arange(n), len(units))[None]
    return items, Labels("language", n, labels, {})


def language_identity(
    vectors: Float[np.ndarray, "language unit d_model"],
    units: Int[np.ndarray, kept],  # noqa: F821
    *,
    folds: Int[np.ndarray, unit],  # noqa: F821
    order: Int[np.ndarray, unit],  # noqa: F821
    weights: AnyArray,
    penalty: float,
    penalties: Sequence[float],
    device: str = "cpu",
) -> LanguageIdentity:
    """Probe the language of a text, folds by unit.

    Parameters
    ----------
    vectors
        Of one layer.
    units
        Rows of the units to take.
    folds, order, weights
        Of all units of the corpus, as for the other tasks.
    penalty
        C of the probes whose accuracy is reported.
    penalties
        C among which the online code chooses.
    """
    (items, task), draw = pooled_items(vectors, units), Resampler(weights[:, units])
    found = crossfit(items, [task], _dense(folds[units]), penalties=(penalty,), device=device)
    said = found[task.name].predictions[0]
    right = (said == task.values) * 1.0
    accuracy = draw.ratio(items.sums(right)[0], items.sums(np.ones_like(right))[0])
    f1, drawn = macro_f1(items, task, said, draw=draw)
    told = right.reshape(len(vectors), len(units))
    codes = online_code(
        items,
        [task],
        np.argsort(np.argsort(order)[units]),
        weights=weights[:, units],
        penalties=penalties,
        device=device,
    )
    return LanguageIdentity(
        accuracy=estimate(*accuracy),
        macro_f1=estimate(f1[0], drawn[:, 0]),
        recall=estimate(*draw.ratio(told, np.ones_like(told))),
        code=codes[task.name],
        chance=1.0 / len(vectors),
        confusion=confusion(items, task, said)[0],
    )


def _dense(folds: np.ndarray) -> np.ndarray:
    """Folds renumbered without gaps."""
    return np.unique(folds, return_inverse=True)[1]


def remove_language(
    vectors: Float[np.ndarray, "language unit d_model"],
    units: Int[np.ndarray, kept],  # noqa: F821
    *,
    held_out: Bool[np.ndarray, unit],  # noqa: F821
    penalty: float,
    max_steps: int,
    device: str = "cpu",
) -> Removal:
    """Erase language by LEACE, and step by step by null-space projection.

    Both see the texts of the units that are not ``held_out``; accuracy is that of a probe fitted
    afresh on those and judged on the others. INLP stops when the 95 % interval of the accuracy
    over held-out units reaches down to chance, or after ``max_steps`` steps of at most
    ``languages − 1`` directions.
    """
    from probekit.measures.erasers import leace

    items, task = pooled_items(vectors, units)
    out = held_out[units][items.units[0]]
    train, test = items.vectors[0][~out], items.vectors[0][out]
    labels, truth = task.values[0][~out], task.values[0][out]
    eraser = leace(train, labels)
    judge = _Judge(truth, items.units[0][out], task.n_classes)
    fresh = _Probe(eraser.apply(train), labels, task.n_classes, penalty=penalty, device=device)
    after = judge(fresh.scores(fresh.rotated(eraser.apply(test))))
    accuracy, directions = _project(
        _Probe(train, labels, task.n_classes, penalty=penalty, device=device),
        test,
        judge,
        max_steps=max_steps,
    )
    return Removal(int(eraser.rank), after, directions, accuracy, judge.at_chance(accuracy[-1]))


class _Judge:
    """Held-out accuracy with its interval from the spread over units."""

    def __init__(self, truth: np.ndarray, units: np.ndarray, n_classes: int) -> None:
        self.truth, self.chance = truth, 1 / n_classes
        self.place = np.unique(units, return_inverse=True)[1]

    def __call__(self, scores: AnyArray) -> Estimate:
        right = (scores.argmax(1) == self.truth) * 1.0
        by_unit = np.bincount(self.place, right) / np.bincount(self.place)
        error = by_unit.std(ddof=1) / np.sqrt(len(by_unit))
        mean = right.mean()
        low, high = max(0.0, mean - _Z * error), min(1.0, mean + _Z * error)
        return Estimate(np.asarray(mean), np.asarray(low), np.asarray(high))

    def at_chance(self, accuracy: Estimate) -> bool:
        """Whether the interval reaches down to chance."""
        return bool(accuracy.low <= self.chance)


class _Probe:
    """A probe over rotated training vectors, from which directions can be taken."""

    def __init__(
        self,
        vectors: AnyArray,
        labels: np.ndarray,
        n_classes: int,
        *,
        penalty: float,
        device: str,
    ) -> None:
        import torch

        rows = tensor(np.asarray(vectors, dtype=np.float32), device=device)[None]
        self.basis = standardised_basis(rows, torch.ones_like(rows[..., 0]))
        self.features = self.basis.features
        self.labels = tensor(labels, device=device)[None, :, None]
        self.n_classes = n_classes
        self.strength = self.features.new_full((1, 1), 1 / penalty)
        self.found = self._fit()

    def rotated(self, vectors: AnyArray) -> Tensor:
        """Held-out vectors in the coordinates of the training set."""
        import torch

        rows = tensor(np.asarray(vectors)).to(self.features)[None]
        standard = (rows - self.basis.mean[:, None]) / self.basis.scale[:, None]
        eye = torch.eye(self.features.shape[2]).to(self.features)[None]
        return (standard @ self.basis.lift(eye))[0]

    def _fit(self) -> Solution:
        problems = Problems(
            self.features,
            self.basis.spectrum,
            self.basis.rows,
            self.labels,
            self.strength,
            self.n_classes,
        )
        return solve(problems, tolerance=_TOLERANCE, max_steps=_STEPS)

    def scores(self, rotated: Tensor) -> FloatArray:
        """Scores of held-out rows: array (row, class)."""
        found: FloatArray = (
            (rotated @ self.found.weights[0, :, :, 0] + self.found.intercept[0, :, 0])
            .double()
            .cpu()
            .numpy()
        )
        return found

    def remove(self, rotated: Tensor) -> tuple[Tensor, int]:
        """Take the probe's own directions out of both sides and fit it afresh."""
        import torch

        axes, sizes, _ = torch.linalg.svd(self.found.weights[0, :, :, 0], full_matrices=False)
        axes = axes[:, sizes > 1e-5 * sizes[0]]
        self.features = self.features - (self.features @ axes) @ axes.T
        self.found = self._fit()
        return rotated - (rotated @ axes) @ axes.T, axes.shape[1]


def _project(
    probe: _Probe, test: AnyArray, judge: _Judge, *, max_steps: int
) -> tuple[tuple[Estimate, ...], int]:
    """Accuracies, and directions removed."""
    rotated, directions = probe.rotated(test), 0
    told = [judge(probe.scores(rotated))]
    for _ in range(max_steps):
        if judge.at_chance(told[-1]):
            break
        rotated, removed = probe.remove(rotated)
        directions += removed
        told.append(judge(probe.scores(rotated)))
    return tuple(told), directions
