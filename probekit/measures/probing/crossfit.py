"""Cross-fitted probes of one layer: every text is judged by probes that never saw its unit.

All languages, folds, tasks and penalties share the standardised, rotated training sets; a penalty
is chosen on inner folds of units, along a path from the strongest to the weakest that each problem
leaves when its held-out loss rises. Costs two eigendecompositions for a language and fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError
from probekit.measures.probing.basis import Basis, standardised_basis
from probekit.measures.probing.folds import inner_sets, outer_sets
from probekit.measures.probing.items import Rows, same_size, tensor
from probekit.measures.probing.solver import Problems, solve, thin, unflatten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int
    from torch import Tensor

    from probekit.measures.probing.items import Items, Labels

#: C of scikit-learn, strongest penalty first.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: Relative error of weights: of inner folds and baselines, and of the probes that are reported.
ROUGH, FINE = 1e-2, 3e-4


@dataclass(frozen=True)
class CrossFit:
    """Held-out predictions of one task.

    Attributes
    ----------
    predictions
        Array (language, language_b, item): what the probe of ``language`` says of items of
        ``language_b``; its own on the diagonal.
    centred
        The same after the training mean of its own language was taken from every vector.
    companions
        Name → array (language, item): predictions of the baselines, in the own language.
    penalty
        Array (language, fold): C that was chosen.
    """

    predictions: Int[np.ndarray, "language language_b item"]
    centred: Int[np.ndarray, "language language_b item"]
    companions: dict[str, Int[np.ndarray, "language item"]]
    penalty: Float[np.ndarray, "language fold"]


def crossfit(
    items: Items,
    labels: Sequence[Labels],
    folds: Int[np.ndarray, unit],  # noqa: F821
    *,
    penalties: Sequence[float] = PENALTIES,
    device: str = "cpu",
) -> dict[str, CrossFit]:
    """Predict every item from probes trained on the other folds of units, in each language.

    Standardisation uses training rows alone. With one penalty nothing is chosen.

    Raises
    ------
    InputError
        Penalties that are not positive and rising.
    """
    _check_penalties(penalties)
    groups = same_size(labels)
    fold_of = items.by_unit(folds, padding=-1)
    n_folds = int(folds.max()) + 1
    chosen = [np.zeros((items.n_languages, n_folds, len(group)), dtype=np.intp) for group in groups]
    if len(penalties) > 1:
        _choose(items, groups, fold_of, chosen=chosen, penalties=penalties, device=device)
    numbers = [np.asarray(penalties)[choice] for choice in chosen]
    return _Outer(items, groups, fold_of, numbers, device).run()


def _check_penalties(penalties: Sequence[float]) -> None:
    given = np.asarray(penalties, dtype=np.float64)
    if not len(given) or not (given > 0).all() or not (np.diff(given) > 0).all():
        msg = (
            "penalties must be values of C above 0, the smallest first. Got "
            f"{tuple(penalties)} instead."
        )
        raise InputError(msg)


def rows_in(fold_of: np.ndarray, kept: np.ndarray) -> Rows:
    """Rows of every language in the folds that each set keeps."""
    there = kept[:, fold_of.clip(0)] & (fold_of >= 0)
    return Rows.where(np.moveaxis(there, 0, 1))


def flat_basis(items: Items, rows: Rows, languages: slice, *, device: str) -> Basis:
    """Basis of the training sets of some languages; languages × sets become one axis."""
    part = rows.part(languages)
    vectors = tensor(part.of(items.vectors[languages]), device=device)
    there = tensor(part.there).to(vectors)
    return standardised_basis(vectors.flatten(0, 1), there.flatten(0, 1))


def bytes_per_row(items: Items) -> int:
    """What one row of a training set costs, with the copies that standardising makes."""
    return int(4 * items.vectors.shape[2] * items.vectors.itemsize)


def _choose(
    items: Items,
    groups: list[list[Labels]],
    fold_of: np.ndarray,
    *,
    chosen: list[np.ndarray],
    penalties: Sequence[float],
    device: str,
) -> None:
    """Write into ``chosen`` the number of the best penalty by language, fold and task."""
    kept = inner_sets(int(fold_of.max()) + 1)
    train, judged = rows_in(fold_of, kept), rows_in(fold_of, ~kept)
    for languages in train.batches(bytes_per_row(items)):
        basis = flat_basis(items, train, languages, device=device)
        judges = _Judges(items, judged, fold_of, languages=languages, basis=basis)
        for group, choice in zip(groups, chosen, strict=True):
            labels = np.stack([task.values for task in group], axis=-1)[languages]
            path = _Path(basis, train.part(languages), labels, n_classes=group[0].n_classes)
            choice[languages] = path.follow(penalties, judges)


class _Judges:
    """Rows that an inner set left out, and whose verdict counts for which test fold."""

    def __init__(
        self, items: Items, judged: Rows, fold_of: np.ndarray, *, languages: slice, basis: Basis
    ) -> None:
        self.rows = judged.part(languages)
        vectors = tensor(self.rows.of(items.vectors[languages])).flatten(0, 1).to(basis.mean)
        self.standard = (vectors - basis.mean[:, None]) / basis.scale[:, None]
        folds = self.rows.of(fold_of[languages])
        own = np.arange(folds.shape[1])[:, None]
        self.own = self.rows.there & (folds == own)
        self.next = self.rows.there & (folds != own)

    def losses(self, scores: Tensor, labels: np.ndarray) -> np.ndarray:
        """Log loss by test fold: array (language, fold, problem)."""
        lengths = scores.logsumexp(2).cpu().double().numpy().reshape(labels.shape)
        index = tensor(labels).flatten(0, 1).to(scores.device)[:, :, None]
        said = scores.gather(2, index)[:, :, 0].cpu().double().numpy().reshape(labels.shape)
        loss = lengths - said
        for_own = np.where(self.next[..., None], loss, 0.0).sum(axis=2)
        for_next = np.where(self.own[..., None], loss, 0.0).sum(axis=2)
        total: np.ndarray = for_own + np.roll(for_next, 1, axis=1)
        return total


class _Path:
    """One group of tasks from the strongest penalty to the weakest, each warm from the last."""

    def __init__(self, basis: Basis, rows: Rows, labels: np.ndarray, *, n_classes: int) -> None:
        self.basis, self.labels, self.n_classes = basis, labels, n_classes
        self.targets = tensor(rows.of(labels)).flatten(0, 1).to(basis.features.device)

    def follow(self, penalties: Sequence[float], judges: _Judges) -> np.ndarray:
        """Penalties at the first minimum of held-out loss, by number: (language, fold, task)."""
        said = judges.rows.of(self.labels)
        shape = (*said.shape[:2], said.shape[3])
        best, choice = np.full(shape, np.inf), np.zeros(shape, dtype=np.intp)
        falling, found = np.ones(shape, dtype=bool), None
        for number, penalty in enumerate(penalties):
            found = solve(self.problems(penalty), tolerance=ROUGH, start=found)
            weights = self.basis.lift(found.weights.flatten(2))
            scores = unflatten(thin(judges.standard, weights), 2, found.weights.shape[2:])
            loss = judges.losses(scores + found.intercept[:, None], said)
            falling &= loss < best
            choice[falling], best[falling] = number, loss[falling]
            if not falling.any():
                break
        return choice

    def problems(self, penalty: float) -> Problems:
        """Every task at one penalty."""
        basis, n = self.basis, self.targets.shape[2]
        strength = basis.features.new_full((len(basis.features), n), 1 / penalty)
        return Problems(
            basis.features, basis.spectrum, basis.rows, self.targets, strength, self.n_classes
        )


@dataclass(frozen=True)
class _Probes:
    """Probes of all languages and folds for one group of tasks, over raw vectors."""

    weights: Tensor  # (language, fold, d_model, classes, task)
    at_mean: Tensor  # (language, fold, classes, task): scores of the training mean
    mean: Tensor  # (language, fold, d_model)


class _Outer:
    """Fits the probes that are reported and applies them to what they did not see."""

    def __init__(
        self,
        items: Items,
        groups: list[list[Labels]],
        fold_of: np.ndarray,
        *rest: object,
    ) -> None:
        self.items, self.groups, self.fold_of = items, groups, fold_of
        self.penalties: list[np.ndarray]
        self.device: str
        self.penalties, self.device = rest  # type: ignore[assignment]
        kept = outer_sets(int(fold_of.max()) + 1)
        self.train, self.test = rows_in(fold_of, kept), rows_in(fold_of, ~kept)

    def run(self) -> dict[str, CrossFit]:
        """Predictions of every task."""
        fitted: list[list[_Probes]] = [[] for _ in self.groups]
        aside: dict[str, dict[str, np.ndarray]] = {
            task.name: {name: np.zeros_like(values) for name, values in task.companions.items()}
            for group in self.groups
            for task in group
        }
        for languages in self.train.batches(bytes_per_row(self.items)):
            basis = flat_basis(self.items, self.train, languages, device=self.device)
            for number, group in enumerate(self.groups):
                probes = self._fit(basis, number, languages)
                fitted[number].append(self._first(probes, len(group)))
                self._companions(probes, group, languages, aside)
        found: dict[str, CrossFit] = {}
        for number, (group, parts) in enumerate(zip(self.groups, fitted, strict=True)):
            raw, centred = self._apply(_joined(parts), len(group))
            for at, task in enumerate(group):
                penalty = self.penalties[number][..., at]
                found[task.name] = CrossFit(raw[at], centred[at], aside[task.name], penalty)
        return found

    def _fit(self, basis: Basis, number: int, languages: slice) -> _Probes:
        """Tasks of a group, then their companions, at the penalties of the tasks."""
        import torch

        group = self.groups[number]
        labels = [task.values for task in group]
        owners = list(range(len(group)))
        for at, task in enumerate(group):
            labels += task.companions.values()
            owners += [at] * len(task.companions)
        part = self.train.part(languages)
        targets = tensor(part.of(np.stack(labels, axis=-1)[languages])).flatten(0, 1)
        strength = 1 / self.penalties[number][languages][..., owners]
        problems = Problems(
            basis.features,
            basis.spectrum,
            basis.rows,
            targets.to(basis.features.device),
            tensor(strength).flatten(0, 1).to(basis.features),
            group[0].n_classes,
        )
        precise = torch.full((len(owners),), ROUGH).to(basis.features)
        precise[: len(group)] = FINE
        found = solve(problems, tolerance=precise)
        weights = basis.lift(found.weights.flatten(2)) / basis.scale[..., None]
        sets = part.there.shape[:2]
        return _Probes(
            unflatten(unflatten(weights, 2, found.weights.shape[2:]), 0, sets),
            unflatten(found.intercept, 0, sets),
            unflatten(basis.mean, 0, sets),
        )

    def _first(self, probes: _Probes, n_tasks: int) -> _Probes:
        """Without the companions."""
        return _Probes(
            probes.weights[..., :n_tasks].clone(),
            probes.at_mean[..., :n_tasks].clone(),
            probes.mean,
        )

    def _vectors(self, rows: Rows, languages: slice, like: Tensor) -> Tensor:
        return tensor(rows.part(languages).of(self.items.vectors[languages]), like=like)

    def _companions(
        self,
        probes: _Probes,
        group: list[Labels],
        languages: slice,
        aside: dict[str, dict[str, np.ndarray]],
    ) -> None:
        """Predictions of the baselines in their own language."""
        vectors = self._vectors(self.test, languages, probes.mean) - probes.mean[:, :, None]
        weights = probes.weights[..., len(group) :]
        scores = unflatten(vectors @ weights.flatten(3), 3, weights.shape[3:])
        said = (scores + probes.at_mean[:, :, None, :, len(group) :]).argmax(3).cpu().numpy()
        column = 0
        for task in group:
            for name in task.companions:
                self._scatter(said[..., column], aside[task.name][name], languages)
                column += 1

    def _scatter(self, values: np.ndarray, onto: np.ndarray, languages: slice) -> None:
        """Put values (…, language, fold, row) where their items are in ``onto``."""
        rows = self.test.part(languages)
        language, fold, row = np.nonzero(rows.there)
        item = rows.index[language, fold, row]
        onto[..., language + (languages.start or 0), item] = values[..., language, fold, row]

    def _apply(self, probes: _Probes, n_tasks: int) -> tuple[np.ndarray, np.ndarray]:
        """Raw and centred predictions: arrays (task, language, language_b, item)."""
        n = self.items.n_languages
        shape = (n_tasks, n, *self.items.units.shape)
        raw, centred = np.zeros(shape, dtype=np.intp), np.zeros(shape, dtype=np.intp)
        # (fold, d_model, language · classes · task)
        weights = probes.weights.movedim(0, 2).flatten(2)
        own = (probes.mean[:, :, None] @ probes.weights.flatten(3))[:, :, 0]
        own = unflatten(own, 2, probes.weights.shape[3:])
        for b in range(n):
            at = slice(b, b + 1)
            vectors = self._vectors(self.test, at, probes.mean)[0]
            scores = unflatten(vectors @ weights, 2, (n, *probes.weights.shape[3:]))
            there = unflatten(probes.mean[b][:, None] @ weights, 2, scores.shape[2:])
            plain = scores + (probes.at_mean - own).movedim(0, 1)[:, None]
            moved = scores - there + probes.at_mean.movedim(0, 1)[:, None]
            for values, onto in ((plain, raw), (moved, centred)):
                said = values.argmax(3).permute(3, 2, 0, 1).cpu().numpy()
                self._scatter(said[:, :, None], onto, at)
        return raw, centred


def _joined(parts: list[_Probes]) -> _Probes:
    import torch

    names = ("weights", "at_mean", "mean")
    return _Probes(*(torch.cat([getattr(part, name) for part in parts]) for name in names))
