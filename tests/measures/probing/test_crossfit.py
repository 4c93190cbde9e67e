"""Cross-fitting: scikit-learn's fold loop, no leaks, baselines at chance, transfer."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from probekit.errors import InputError, NumericalError
from probekit.measures.probing import Items, Labels, crossfit, unit_folds
from probekit.measures.probing.folds import inner_sets, outer_sets
from tests.measures.probing.planted import problem, task, text_items, tiled


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_classes", "d"), [(2, 20), (4, 20), (4, 200)])
def test_the_fold_loop_is_that_of_a_scikit_learn_pipeline(n_classes, d, dtype):
    vectors, y = problem(2, 100, d, n_classes=n_classes, strength=1.5, dtype=dtype)
    folds = unit_folds(100, n_folds=5, seed=0)
    found = crossfit(text_items(vectors), [task(y)], folds, penalties=(0.05,))["task"]
    for a in range(2):
        for fold in range(5):
            held = folds == fold
            model = make_pipeline(
                StandardScaler(), LogisticRegression(C=0.05, tol=1e-10, max_iter=50_000)
            )
            model.fit(vectors[a][~held].astype(float), y[~held])
            for b in range(2):
                said = model.predict(vectors[b][held].astype(float))
                assert np.array_equal(found.predictions[a, b][held], said)
                own_mean = vectors[b][~held].mean(0) - vectors[a][~held].mean(0)
                moved = model.predict(vectors[b][held].astype(float) - own_mean)
                assert np.array_equal(found.centred[a, b][held], moved)


def test_the_penalty_is_the_first_minimum_of_log_loss_on_inner_folds():
    vectors, y = problem(1, 80, 30, n_classes=3, strength=1.0, seed=5)
    folds = unit_folds(80, n_folds=4, seed=0)
    penalties = (1e-3, 1e-2, 1e-1, 1.0)
    found = crossfit(text_items(vectors), [task(y, 1)], folds, penalties=penalties)["task"]
    for fold in range(4):
        losses = []
        for C in penalties:
            loss = 0.0
            for other in ((fold + 1) % 4, (fold - 1) % 4):
                train, judge = (folds != fold) & (folds != other), folds == other
                model = make_pipeline(
                    StandardScaler(), LogisticRegression(C=C, tol=1e-8, max_iter=50_000)
                )
                model.fit(vectors[0][train], y[train])
                loss -= model.predict_log_proba(vectors[0][judge])[
                    np.arange(judge.sum()), y[judge]
                ].sum()
            losses.append(loss)
        first = next((at for at in range(3) if losses[at + 1] >= losses[at]), len(penalties) - 1)
        assert found.penalty[0, fold] == penalties[first]
    assert len(np.unique(found.penalty)) > 0


def test_a_readable_label_is_read_and_baselines_are_not():
    vectors, y = problem(2, 90, 15, strength=6.0)
    folds = unit_folds(90, n_folds=5, seed=0)
    given = task(y)
    found = crossfit(text_items(vectors), [given], folds)["task"]
    for a in range(2):
        assert (found.predictions[a, a] == y).mean() > 0.95
        for name, values in given.companions.items():
            right = (found.companions[name][a] == values[a]).mean()
            assert right < 1 / 3 + 3 * np.sqrt(2 / 9 / 90)


def test_random_labels_are_at_chance():
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((4, 120, 10))
    y = rng.permutation(np.arange(120) % 2)
    folds = unit_folds(120, n_folds=5, seed=0)
    found = crossfit(text_items(vectors), [task(y, 4)], folds)["task"]
    right = np.mean([(found.predictions[a, a] == y).mean() for a in range(4)])
    assert abs(right - 0.5) < 3 * 0.5 / np.sqrt(4 * 120)


def test_no_translation_of_a_test_unit_is_in_training():
    """A label that only a unit's own identity tells: a leak would read it, folds by unit cannot."""
    rng = np.random.default_rng(4)
    identity = 20 * rng.standard_normal((1, 60, 200))
    vectors = identity + 0.01 * rng.standard_normal((3, 60, 200))
    y = rng.permutation(np.arange(60) % 2)
    # all languages as items of one: the translations of a unit are its other items
    joined = Items(vectors.reshape(1, 180, 200), np.tile(np.arange(60), 3)[None], 60)
    labels = Labels("task", 2, np.tile(y, 3)[None], {})
    folds = unit_folds(60, n_folds=5, seed=0)
    held = crossfit(joined, [labels], folds, penalties=(1.0,))["task"].predictions[0, 0]
    assert (held == np.tile(y, 3)).mean() < 0.75
    apart = Items(vectors.reshape(1, 180, 200), np.arange(180)[None], 180)
    leaking = unit_folds(180, n_folds=5, seed=0)  # the control: rows split as if unrelated
    leaked = crossfit(apart, [labels], leaking, penalties=(1.0,))["task"].predictions[0, 0]
    assert (leaked == np.tile(y, 3)).mean() > 0.95


def test_centring_mends_transfer_that_an_offset_breaks():
    vectors, y = problem(2, 90, 10, n_classes=2, strength=4.0)
    vectors[1] = vectors[0] + 30 * np.eye(10)[0] + 0.01 * vectors[1]
    folds = unit_folds(90, n_folds=5, seed=0)
    found = crossfit(text_items(vectors), [task(y)], folds)["task"]
    assert (found.predictions[0, 1] == y).mean() < 0.7
    assert (found.centred[0, 1] == y).mean() > 0.9


def test_identical_languages_transfer_as_they_read():
    vectors, y = problem(1, 60, 10, strength=2.0)
    both = np.concatenate([vectors, vectors])
    found = crossfit(text_items(both), [task(y)], unit_folds(60, n_folds=5, seed=0))["task"]
    for predictions in (found.predictions, found.centred):
        assert np.array_equal(predictions[0, 1], predictions[0, 0])
        assert np.array_equal(predictions[1, 0], predictions[1, 1])


def test_tasks_fitted_together_are_tasks_fitted_alone():
    vectors, y = problem(2, 60, 10, n_classes=3, strength=2.0)
    two = (y > 0).astype(int)
    items, folds = text_items(vectors), unit_folds(60, n_folds=5, seed=0)
    tasks = [task(y, name="three"), task(two, name="two"), task((y + 1) % 3, name="again")]
    together = crossfit(items, tasks, folds)
    for each in tasks:
        alone = crossfit(items, [each], folds)[each.name]
        assert np.array_equal(alone.predictions, together[each.name].predictions)
        assert np.array_equal(alone.penalty, together[each.name].penalty)
        assert np.array_equal(
            alone.companions["control"], together[each.name].companions["control"]
        )


def test_small_batches_give_the_same(monkeypatch):
    from probekit.measures.probing import items as room

    vectors, y = problem(3, 50, 8, strength=2.0)
    folds = unit_folds(50, n_folds=5, seed=0)
    whole = crossfit(text_items(vectors), [task(y, 3)], folds)["task"]
    monkeypatch.setattr(room, "BATCH_BYTES", 1)
    parts = crossfit(text_items(vectors), [task(y, 3)], folds)["task"]
    assert np.array_equal(whole.predictions, parts.predictions)
    assert np.array_equal(whole.centred, parts.centred)
    assert np.array_equal(whole.companions["shuffled"], parts.companions["shuffled"])


def test_languages_may_have_different_items():
    """Words: several a unit, none in some, padded; the same as each language by itself."""
    rng = np.random.default_rng(6)
    units = np.full((2, 70), -1)
    units[0, :70] = np.arange(70) % 35
    units[1, :50] = np.arange(50) % 25
    vectors = rng.standard_normal((2, 70, 6))
    values = rng.integers(0, 2, (2, 70))
    vectors[..., 0] += 5 * values
    vectors[1, 50:] = np.nan
    folds = unit_folds(35, n_folds=5, seed=0)
    found = crossfit(Items(vectors, units, 35), [Labels("w", 2, values, {})], folds)["w"]
    for language, n in enumerate((70, 50)):
        alone = crossfit(
            Items(vectors[language : language + 1, :n], units[language : language + 1, :n], 35),
            [Labels("w", 2, values[language : language + 1, :n], {})],
            folds,
        )["w"]
        assert np.array_equal(found.predictions[language, language, :n], alone.predictions[0, 0])
    assert (found.predictions[0, 1, :50] == values[1, :50]).mean() > 0.9


@pytest.mark.parametrize("penalties", [(), (1.0, 0.1), (0.0, 1.0), (1.0, 1.0)])
def test_penalties_that_do_not_rise_are_refused(penalties):
    vectors, y = problem(1, 30, 4)
    with pytest.raises(InputError, match="smallest first"):
        crossfit(
            text_items(vectors),
            [task(y, 1)],
            unit_folds(30, n_folds=3, seed=0),
            penalties=penalties,
        )


def test_items_that_do_not_fit_are_refused():
    vectors, _ = problem(2, 10, 4)
    with pytest.raises(InputError, match="Got shapes"):
        Items(vectors, tiled(np.arange(9), 2), 10)
    with pytest.raises(InputError, match="rows below 5"):
        Items(vectors, tiled(np.arange(10), 2), 5)
    vectors[1, 3, 2] = np.inf
    with pytest.raises(NumericalError, match="language 1"):
        text_items(vectors)


def test_folds_are_even_balanced_and_repeatable():
    labels = np.repeat(np.arange(4), 11)
    folds = unit_folds(44, n_folds=5, seed=3, labels={"a": labels})
    assert np.ptp(np.bincount(folds)) <= 1
    for value in range(4):
        counts = np.bincount(folds[labels == value], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert np.array_equal(folds, unit_folds(44, n_folds=5, seed=3, labels={"a": labels}))
    assert not np.array_equal(folds, unit_folds(44, n_folds=5, seed=4, labels={"a": labels}))


@pytest.mark.parametrize("n_folds", [2, 11])
def test_too_few_or_too_many_folds_are_refused(n_folds):
    with pytest.raises(InputError, match=f"Got {n_folds}"):
        unit_folds(10, n_folds=n_folds, seed=0)


def test_inner_sets_leave_out_two_neighbours():
    for n in (3, 5):
        assert np.array_equal((~outer_sets(n)).sum(1), np.ones(n))
        left = ~inner_sets(n)
        for fold in range(n):
            assert set(np.flatnonzero(left[fold])) == {fold, (fold + 1) % n}
