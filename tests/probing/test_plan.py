"""What is probed: tasks that can be, reasons why others cannot, baselines as they should be."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.capture.words import OTHER, Word
from probekit.corpora import ParallelCorpus, open_corpus
from probekit.probing import Task, corpus_tasks, make_plan
from probekit.probing.tasks import fold_problem, task_problem


def corpus(n=40, languages=("en", "sw"), **labels):
    labels = labels or {"kind": tuple("ab"[i % 2] for i in range(n))}
    return ParallelCorpus(
        name="c",
        units=tuple(f"u{i}" for i in range(n)),
        texts={code: tuple(f"{code} {i}" for i in range(n)) for code in languages},
        labels=labels,
    )


def plan(given, words=(), *, named=None, n_folds=5, seed=0):
    return make_plan(given, words, named=named, n_folds=n_folds, seed=seed)


def words(n=40, languages=2):
    return [
        Word(unit, language, 3, kind, f"{kind}{unit % 7}")
        for unit in range(n)
        for language in range(languages)
        for kind in (OTHER, "place" if unit % 2 else "person")
    ]


def test_labels_become_classes():
    task = Task.of("t", ["b", "a", "b"])
    assert task.classes == ("a", "b")
    assert task.labels.tolist() == [1, 0, 1]


def test_the_built_in_corpus_gives_its_labels():
    tasks = corpus_tasks(open_corpus("builtin"))
    assert {name: task.n_classes for name, task in tasks.items()} == {
        "topic": 8,
        "sentiment": 3,
        "form": 2,
        "tense": 3,
        "negation": 2,
    }


def test_cldr_terms_are_a_task_over_their_kinds():
    given = open_corpus("cldr", languages=["en", "de"], kinds=["territory", "month"])
    assert [task.name for task in plan(given).tasks] == ["kind"]


def test_by_default_everything_that_can_be_probed_is():
    found = plan(corpus(), words())
    assert [task.name for task in found.tasks] == ["kind", "entity", "entity_kind"]
    assert found.language
    assert found.problems == {}


def test_what_cannot_be_probed_has_its_reason():
    n = 40
    given = corpus(
        one=("x",) * n,
        rare=tuple("ab"[i < 3] for i in range(n)),
        many=tuple(str(i % 60) for i in range(n)),
        fine=tuple("ab"[i % 2] for i in range(n)),
        languages=("en",),
    )
    found = plan(given)
    assert [task.name for task in found.tasks] == ["fine"]
    said = {
        "one": "one class only ('x')",
        "rare": "class 'b' has 3 units for 5 folds",
        "many": "class '0' has 1 units",
        "entity": "marks no entities",
        "entity_kind": "marks no entities",
        "language": "has one language",
    }
    assert set(found.problems) == set(said)
    for name, reason in said.items():
        assert reason in found.problems[name]


def test_a_task_that_does_not_exist_has_its_reason_too():
    assert "no such label (tasks: kind, entity" in plan(corpus(), named=["mood"]).problems["mood"]


def test_a_corpus_too_small_for_the_folds_has_no_task():
    found = plan(corpus(8))
    assert not found.sheets
    assert not found.language
    assert "5 folds need at least 10 units (has 8)" in found.problems["kind"]
    assert plan(corpus(8), n_folds=3).tasks


def test_words_missing_in_one_language_leave_the_task_out():
    some = [word for word in words() if word.language == 0 or word.unit < 4]
    found = plan(corpus(), some, named=["entity"])
    assert "language 'sw'" in found.problems["entity"]


def test_baselines_of_texts_are_shared_by_translations_and_keep_the_classes():
    found = plan(corpus())
    (labels,) = found.sheets[0].labels
    for values in labels.companions.values():
        assert np.array_equal(values[0], values[1])
        assert np.array_equal(np.sort(values[0]), np.sort(labels.values[0]))
        assert not np.array_equal(values[0], labels.values[0])
    assert not np.array_equal(*labels.companions.values())


def test_the_control_of_words_is_one_label_a_word_type():
    given = words()
    found = plan(corpus(), given)
    sheet = found.sheets[1]
    (labels,) = sheet.labels
    for language in range(2):
        taken = [given[row] for row in sheet.words[language]]
        assert [word.unit for word in taken] == sheet.units[language].tolist()
        seen = {}
        for word, label in zip(taken, labels.companions["control"][language], strict=True):
            assert seen.setdefault(word.surface, label) == label
        assert len(seen) == 21
        kinds = [word.kind != OTHER for word in taken]
        entity = sheet.tasks[0].classes.index("entity")
        assert ((labels.values[language] == entity) == kinds).all()


def test_entity_kinds_leave_other_words_out():
    sheet = plan(corpus(), words()).sheets[2]
    assert sheet.tasks[0].classes == ("person", "place")
    assert sheet.units.shape == (2, 40)


def test_items_of_words_are_rows_of_their_vectors():
    given = words()
    sheet = plan(corpus(), given).sheets[2]
    rows = np.arange(len(given), dtype=float)[:, None] * np.ones(3)
    items = sheet.items(np.zeros((2, 40, 3)), lambda: rows)
    assert np.array_equal(items.vectors[..., 0], sheet.words)


def test_plans_repeat_with_the_seed():
    one, same, other = plan(corpus()), plan(corpus()), plan(corpus(), seed=1)
    assert np.array_equal(one.folds, same.folds)
    assert not np.array_equal(one.folds, other.folds)
    assert not np.array_equal(one.order, other.order)


def test_problems_of_tasks_and_folds():
    units = np.arange(20)
    task = Task.of("t", ["a", "b"] * 10)
    assert task_problem(task, units, 5) == ""
    assert "2 folds need" not in task_problem(task, units, 5)
    assert "51 classes" in task_problem(Task.of("t", [str(i % 51) for i in range(102)]), units, 5)
    assert fold_problem(task, units, units % 5) == ""
    assert "falls into 1 of the folds" in fold_problem(task, units, units % 2)


@pytest.mark.parametrize("n_folds", [3, 5])
def test_every_class_is_in_every_training_set(n_folds):
    given = open_corpus("builtin", languages=["en", "sw"])
    found = plan(given, n_folds=n_folds)
    for task in found.tasks:
        for fold in range(n_folds):
            left = ~np.isin(found.folds, [fold, (fold + 1) % n_folds])
            assert set(task.labels[left]) == set(range(task.n_classes))
