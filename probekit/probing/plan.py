"""What a study probes, fixed before the pass: items, tasks, folds, baselines, all from one seed.

Costs nothing to speak of; vectors come later, layer by layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from probekit.capture.words import OTHER
from probekit.measures.probing import Items, Labels, unit_folds
from probekit.probing.tasks import (
    ENTITY,
    ENTITY_KIND,
    LANGUAGE_TASK,
    WORD_TASKS,
    Task,
    corpus_tasks,
    fold_problem,
    stratifying,
    task_problem,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jaxtyping import Float, Int

    from probekit.capture.words import Word
    from probekit.corpora import ParallelCorpus

#: Separate random streams from one seed.
_SHUFFLE, _CONTROL, _ORDER = 5, 6, 7


@dataclass(frozen=True)
class Sheet:
    """Items that share their vectors, and the tasks over them.

    Attributes
    ----------
    tasks
        In order.
    labels
        The same tasks by language and item, with their baselines ``shuffled`` and ``control``.
    units
        Array (language, item): unit of each item; -1 for padding.
    words
        Array (language, item): row among the words of the corpus; None for whole texts.
    """

    tasks: tuple[Task, ...]
    labels: tuple[Labels, ...]
    units: Int[np.ndarray, "language item"]
    words: Int[np.ndarray, "language item"] | None = None

    def items(
        self,
        pooled: Float[np.ndarray, "language unit d_model"],
        words: Callable[[], Float[np.ndarray, "word d_model"]],
    ) -> Items:
        """The items at one layer."""
        n_units = pooled.shape[1]
        if self.words is None:
            return Items(pooled, self.units, n_units)
        return Items(words()[self.words], self.units, n_units)


@dataclass(frozen=True)
class Plan:
    """Everything that a study probes.

    Attributes
    ----------
    sheets
        Items and tasks; one over texts, one or two over words.
    folds
        Fold of every unit.
    order
        Units as the online code tells them.
    language
        Whether language identity is probed.
    problems
        Task → why it cannot be probed.
    """

    sheets: tuple[Sheet, ...]
    folds: Int[np.ndarray, unit]  # noqa: F821
    order: Int[np.ndarray, unit]  # noqa: F821
    language: bool
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks of all sheets, in order."""
        return tuple(task for sheet in self.sheets for task in sheet.tasks)

    def with_problems(self, problems: Mapping[str, str]) -> Plan:
        """The same plan, with better reasons for what it lacks."""
        return replace(self, problems={**self.problems, **problems})


def make_plan(
    corpus: ParallelCorpus,
    words: Sequence[Word],
    *,
    named: Sequence[str] | None,
    n_folds: int,
    seed: int,
) -> Plan:
    """Tasks of a corpus that can be probed, or those named, with what cannot and why.

    Parameters
    ----------
    corpus
        Whose labels are the tasks over texts.
    words
        Entities and other words of all languages, for ``entity`` and ``entity_kind``.
    named
        Tasks; None for all there are: labels, word tasks and ``language``.
    n_folds, seed
        Folds of units, and what everything drawn comes from.
    """
    by_label = corpus_tasks(corpus)
    wanted = tuple(named) if named is not None else (*by_label, *WORD_TASKS, LANGUAGE_TASK)
    problems = {name: _unknown(name, by_label) for name in wanted if _unknown(name, by_label)}
    least = max(4, 2 * n_folds)
    if corpus.n_units < least:
        said = f"{n_folds} folds need at least {least} units (has {corpus.n_units})"
        problems |= dict.fromkeys(wanted, f"{said}: add units, or lower the option folds")
    chosen = {n: by_label[n] for n in wanted if n in by_label and n not in problems}
    folds, unfit = _folds(chosen, corpus.n_units, n_folds=n_folds, seed=seed)
    problems |= unfit
    chosen = {name: task for name, task in chosen.items() if name not in unfit}
    sheets = [_text_sheet(corpus, chosen, seed)] if chosen else []
    for name in WORD_TASKS:
        if name in wanted and name not in problems:
            sheet = _word_sheet(corpus, words, name, folds, seed=seed)
            if isinstance(sheet, str):
                problems[name] = sheet
            else:
                sheets.append(sheet)
    if len(corpus.languages) < 2 and LANGUAGE_TASK in wanted:
        problems[LANGUAGE_TASK] = "the corpus has one language: add another"
    language = LANGUAGE_TASK in wanted and LANGUAGE_TASK not in problems
    order = np.random.default_rng([seed, _ORDER]).permutation(corpus.n_units)
    return Plan(tuple(sheets), folds, order, language, problems)


def _folds(
    tasks: Mapping[str, Task], n_units: int, *, n_folds: int, seed: int
) -> tuple[np.ndarray, dict[str, str]]:
    """Folds of units that suit the tasks, and the tasks that suit no folds."""
    units = np.arange(n_units)
    unfit = {
        name: problem
        for name, task in tasks.items()
        if (problem := task_problem(task, units, n_folds))
    }
    fit = {name: task for name, task in tasks.items() if name not in unfit}
    if n_units < max(4, 2 * n_folds):
        return np.zeros(n_units, dtype=np.intp), unfit
    folds = unit_folds(n_units, n_folds=n_folds, seed=seed, labels=stratifying(fit))
    for name, task in fit.items():
        if problem := fold_problem(task, units, folds):
            unfit[name] = problem
    return folds, unfit


def _unknown(name: str, by_label: Mapping[str, Task]) -> str:
    if name in by_label or name in (*WORD_TASKS, LANGUAGE_TASK):
        return ""
    has = ", ".join((*by_label, *WORD_TASKS, LANGUAGE_TASK))
    return f"the corpus has no such label (tasks: {has}): correct the option tasks"


def _text_sheet(corpus: ParallelCorpus, tasks: Mapping[str, Task], seed: int) -> Sheet:
    """Whole texts: one item a unit, the same labels in every language."""
    n = len(corpus.languages)
    labels = []
    for number, task in enumerate(tasks.values()):
        shuffle = np.random.default_rng([seed, _SHUFFLE, number])
        control = np.random.default_rng([seed, _CONTROL, number])
        companions = {
            "shuffled": np.tile(shuffle.permutation(task.labels), (n, 1)),
            # a text is a type of its own, so a random label a type is a random label a unit
            "control": np.tile(control.permutation(task.labels), (n, 1)),
        }
        tiled = np.tile(task.labels, (n, 1))
        labels.append(Labels(task.name, task.n_classes, tiled, companions))
    units = np.tile(np.arange(corpus.n_units), (n, 1))
    return Sheet(tuple(tasks.values()), tuple(labels), units)


def _word_sheet(
    corpus: ParallelCorpus, words: Sequence[Word], name: str, folds: np.ndarray, *, seed: int
) -> Sheet | str:
    """Words of one task, or why there are none."""
    taken = [(row, word) for row, word in enumerate(words) if name == ENTITY or word.kind != OTHER]
    if not taken:
        return "the corpus marks no entities: give spans in the field entities"
    values = [_class_of(word, name) for _, word in taken]
    task = Task.of(name, values)
    rows = [
        [at for at, (_, word) in enumerate(taken) if word.language == language]
        for language in range(len(corpus.languages))
    ]
    for code, here in zip(corpus.languages, rows, strict=True):
        units = np.array([taken[at][1].unit for at in here], dtype=np.intp)
        own = Task(name, task.classes, task.labels[here])
        problem = task_problem(own, units, int(folds.max()) + 1) if here else "it has no words"
        problem = problem or fold_problem(own, units, folds)
        if problem:
            return f"language {code!r}: {problem}"
    return _padded(task, taken, rows, seed=seed)


def _class_of(word: Word, name: str) -> str:
    if name == ENTITY_KIND:
        return word.kind
    return OTHER if word.kind == OTHER else ENTITY


def _padded(
    task: Task, taken: Sequence[tuple[int, Word]], rows: Sequence[Sequence[int]], *, seed: int
) -> Sheet:
    """Words of every language side by side."""
    shape = (len(rows), max(map(len, rows)))
    units, index, labels = (np.full(shape, fill, dtype=np.intp) for fill in (-1, 0, 0))
    shuffled, control = labels.copy(), labels.copy()
    for language, here in enumerate(rows):
        n = len(here)
        own = task.labels[list(here)]
        units[language, :n] = [taken[at][1].unit for at in here]
        index[language, :n] = [taken[at][0] for at in here]
        labels[language, :n] = own
        mix = np.random.default_rng([seed, _SHUFFLE, 1000 + language])
        shuffled[language, :n] = mix.permutation(own)
        draw = np.random.default_rng([seed, _CONTROL, 1000 + language])
        surfaces = [taken[at][1].surface.casefold() for at in here]
        types = sorted(set(surfaces))
        given = dict(zip(types, draw.choice(own, size=len(types)), strict=True))
        control[language, :n] = [given[surface] for surface in surfaces]
    companions = {"shuffled": shuffled, "control": control}
    return Sheet((task,), (Labels(task.name, task.n_classes, labels, companions),), units, index)
