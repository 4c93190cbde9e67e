"""Tasks of a corpus: its labels by unit, and entities by word. Costs a pass over the labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Int

    from probekit.corpora import ParallelCorpus

#: Most classes of one task: with more, most folds would lack some.
MAX_CLASSES = 50
LANGUAGE_TASK = "language"
ENTITY, ENTITY_KIND = "entity", "entity_kind"
WORD_TASKS = (ENTITY, ENTITY_KIND)


@dataclass(frozen=True)
class Task:
    """Labels as classes.

    Attributes
    ----------
    name
        Of the label.
    classes
        Sorted names.
    labels
        Array: class of every unit (or text, or word), as a number into ``classes``.
    """

    name: str
    classes: tuple[str, ...]
    labels: Int[np.ndarray, items]  # noqa: F821

    @classmethod
    def of(cls, name: str, values: Sequence[str]) -> Task:
        """Number the classes of a column of labels."""
        classes = tuple(sorted(set(values)))
        place = {value: at for at, value in enumerate(classes)}
        return cls(name, classes, np.array([place[value] for value in values], dtype=np.intp))

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)


def corpus_tasks(corpus: ParallelCorpus) -> dict[str, Task]:
    """Every label of a corpus as a task over its units."""
    return {name: Task.of(name, values) for name, values in corpus.labels.items()}


def task_problem(task: Task, units: Int[np.ndarray, items], n_folds: int) -> str:  # noqa: F821
    """Why a task cannot be probed in folds of units, with the way out; empty when it can.

    Training, and choosing the penalty, leave out up to two folds at a time: a class needs units in
    three at least, which folds dealt by label give it when it has that many units.

    Parameters
    ----------
    task
        Its labels, one an item.
    units
        Unit of each item.
    n_folds
        Folds of units.
    """
    if task.n_classes < 2:
        only = task.classes[0] if task.classes else "none"
        return f"it has one class only ({only!r}): label it otherwise"
    if task.n_classes > MAX_CLASSES:
        return f"it has {task.n_classes} classes, more than {MAX_CLASSES}: join some"
    n_units = len(set(units.tolist()))
    if n_units < 2 * n_folds:
        return f"{n_folds} folds need at least {2 * n_folds} units (has {n_units}): add units"
    held = Counter(at for at, _ in {*zip(task.labels.tolist(), units.tolist(), strict=True)})
    rarest = min(range(task.n_classes), key=lambda at: held[at])
    if held[rarest] < n_folds:
        return (
            f"class {task.classes[rarest]!r} has {held[rarest]} units for {n_folds} folds: "
            "add units, lower the option folds, or join classes"
        )
    return ""


def fold_problem(
    task: Task,
    units: Int[np.ndarray, items],  # noqa: F821
    folds: Int[np.ndarray, unit],  # noqa: F821
) -> str:
    """Why folds cannot carry a task: a class seen in fewer than three; empty when they can."""
    for at, name in enumerate(task.classes):
        seen = len(set(folds[units[task.labels == at]].tolist()))
        if seen < 3:
            return (
                f"class {name!r} falls into {seen} of the folds and needs three: add units, or "
                "join classes"
            )
    return ""


def stratifying(tasks: Mapping[str, Task]) -> dict[str, np.ndarray]:
    """Labels by which folds of units are dealt, the task with the most classes first."""
    ordered = sorted(tasks.values(), key=lambda task: -task.n_classes)
    return {task.name: task.labels for task in ordered}
