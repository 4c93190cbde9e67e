"""Scores: scikit-learn's accuracy and F1, brute-force resamples, masks instead of zero division."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from probekit.measures import bootstrap_weights
from probekit.measures.probing import (
    CrossFit,
    Items,
    Labels,
    Resampler,
    crossfit,
    estimate,
    majority_accuracy,
    normalised_transfer,
    probe_scores,
    unit_folds,
)
from tests.measures.probing.planted import problem, task, text_items

WEIGHTS = bootstrap_weights(60, n_resamples=50, seed=0)


@pytest.fixture(scope="module")
def scored():
    vectors, y = problem(3, 60, 10, strength=1.5)
    items, given, folds = text_items(vectors), task(y, 3), unit_folds(60, n_folds=5, seed=0)
    found = crossfit(items, [given], folds)["task"]
    majority = majority_accuracy(items, given)
    return found, y, given, probe_scores(items, given, found, weights=WEIGHTS, majority=majority)


def test_accuracy_and_f1_are_those_of_scikit_learn(scored):
    found, y, _, scores = scored
    for a in range(3):
        said = found.predictions[a, a]
        assert scores.accuracy.value[a] == pytest.approx((said == y).mean())
        assert scores.macro_f1.value[a] == pytest.approx(f1_score(y, said, average="macro"))


def test_transfer_has_the_accuracy_on_its_diagonal(scored):
    found, y, _, scores = scored
    assert np.array_equal(np.diag(scores.transfer.value), scores.accuracy.value)
    assert np.array_equal(np.diag(scores.transfer.low), scores.accuracy.low)
    assert scores.transfer.value[0, 2] == pytest.approx((found.predictions[0, 2] == y).mean())
    off = ~np.eye(3, dtype=bool)
    assert scores.mean["transfer"].value == pytest.approx(scores.transfer.value[off].mean())


def test_resamples_repeat_units_by_their_weights(scored):
    found, y, _, scores = scored
    by_hand = [
        f1_score(np.repeat(y, w), np.repeat(found.predictions[1, 1], w), average="macro")
        for w in WEIGHTS
    ]
    low, high = (
        np.quantile(by_hand, 0.025, method="lower"),
        np.quantile(by_hand, 0.975, method="higher"),
    )
    assert scores.macro_f1.low[1] == pytest.approx(low)
    assert scores.macro_f1.high[1] == pytest.approx(high)


def test_selectivity_is_paired(scored):
    found, y, given, scores = scored
    task_hits = found.predictions[0, 0] == y
    control_hits = found.companions["control"][0] == given.companions["control"][0]
    difference = task_hits.astype(float) - control_hits
    assert scores.selectivity.value[0] == pytest.approx(difference.mean())
    drawn = WEIGHTS @ difference / 60
    assert scores.selectivity.low[0] == pytest.approx(np.quantile(drawn, 0.025, method="lower"))


def test_intervals_hold_their_values(scored):
    scores = scored[3]
    for each in (scores.accuracy, scores.macro_f1, scores.transfer_centred, *scores.mean.values()):
        assert (each.low <= each.value).all()
        assert (each.value <= each.high).all()


def test_normalised_transfer_is_one_at_home_and_zero_where_it_says_nothing():
    transfer = np.array([[0.9, 0.5], [0.5, 0.5]])
    found = normalised_transfer(transfer, np.array([0.5, 0.5]), np.array([True, False]))
    assert np.array_equal(found, [[1.0, 0.0], [0.0, 0.0]])


def test_the_majority_is_the_share_of_the_commonest_class_of_each_language():
    items = Items(np.zeros((2, 10, 1)), np.array([[*range(10)], [*range(8), -1, -1]]), 10)
    values = np.array([[1] * 7 + [0] * 3, [2] * 4 + [1] * 4 + [0] * 2])
    assert majority_accuracy(items, Labels("t", 3, values, {})) == pytest.approx([0.7, 0.5])


def test_a_resample_that_drew_nothing_keeps_the_value():
    hits, counts = np.array([1.0, 0.0, 0.0]), np.array([2.0, 0.0, 0.0])
    value, drawn = Resampler(np.array([[0, 2, 1], [3, 0, 0]])).ratio(hits, counts)
    assert value == 0.5
    assert np.array_equal(drawn, [0.5, 0.5])


def test_groups_of_languages_average_their_pairs(scored):
    found, _, given, _ = scored
    vectors, _ = problem(3, 60, 10, strength=1.5)
    scores = probe_scores(
        text_items(vectors),
        given,
        found,
        weights=WEIGHTS,
        majority=np.full(3, 1 / 3),
        groups=([0, 1], [1, 2]),
    )
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = np.mean([scores.transfer.value[pair] for pair in pairs])
    assert scores.mean["transfer_groups"].value == pytest.approx(expected)


def test_one_language_has_no_transfer_to_average():
    items = Items(np.zeros((1, 60, 1)), np.arange(60)[None], 60)
    labels = np.arange(60)[None] % 2
    said = np.zeros((1, 1, 60), dtype=int)
    found = CrossFit(said, said, {"control": labels, "shuffled": labels}, np.ones((1, 5)))
    given = Labels("t", 2, labels, {"control": labels, "shuffled": labels})
    scores = probe_scores(items, given, found, weights=WEIGHTS, majority=np.array([0.5]))
    assert "transfer" not in scores.mean
    assert scores.selectivity.value == pytest.approx([-0.5])


def test_estimates_contain_a_value_outside_their_samples():
    found = estimate(np.array(2.0), np.array([0.0, 1.0]))
    assert (found.low, found.high) == (0.0, 2.0)
