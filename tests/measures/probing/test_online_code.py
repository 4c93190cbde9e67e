"""Online code: uniform where nothing is known or readable, short where something is."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from probekit.errors import InputError
from probekit.measures import bootstrap_weights
from probekit.measures.probing import Labels, frequency_code, online_code
from probekit.measures.probing.online_code import block_ends
from tests.measures.probing.planted import problem, task, text_items

PENALTIES = (1e-3, 1e-2, 1e-1)


def coded(vectors, labels, *, penalties=PENALTIES, n_languages=2):
    n = vectors.shape[1]
    order = np.random.default_rng(0).permutation(n)
    weights = bootstrap_weights(n, n_resamples=40, seed=0)
    given = task(labels, n_languages)
    found = online_code(text_items(vectors), [given], order, weights=weights, penalties=penalties)[
        "task"
    ]
    return found, order


def test_blocks_end_where_voita_and_titov_end_them():
    assert block_ends(100_000).tolist() == [
        *(100, 200, 400, 800, 1600, 3200, 6250, 12500, 25000, 50000, 100000)
    ]
    assert block_ends(168).tolist() == [1, 2, 3, 6, 11, 21, 42, 84, 168]
    with pytest.raises(InputError, match="at least 4"):
        block_ends(3)


def test_random_labels_cost_what_the_uniform_code_costs():
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((2, 160, 20))
    labels = rng.permutation(np.arange(160) % 4)
    found, _ = coded(vectors, labels)
    assert (np.abs(found.compression.value - 1) < 0.06).all()
    assert found.bits.value == pytest.approx(160 * 2, rel=0.06)


def test_readable_labels_cost_much_less():
    vectors, labels = problem(2, 160, 10, n_classes=4, strength=12.0)
    found, _ = coded(vectors, labels, penalties=(*PENALTIES, 1.0))
    assert (found.compression.value > 3).all()
    assert (found.bits.low < found.bits.value).all()
    assert (found.bits.value < found.bits.high).all()


def test_the_first_block_is_uniform():
    vectors, labels = problem(2, 160, 10, n_classes=4, strength=12.0)
    found, order = coded(vectors, labels)
    # 160 units end blocks at 1, 2, 3, 6, …: probes begin once four classes' worth was told
    assert np.allclose(found.by_unit[:, order[:6]], 2.0)
    assert not np.allclose(found.by_unit[:, order[6:]], 2.0)


def test_the_choice_of_the_penalty_is_paid_for():
    vectors, labels = problem(2, 80, 10, strength=5.0)
    alone = [coded(vectors, labels, penalties=(C,))[0].bits.value for C in PENALTIES]
    found, _ = coded(vectors, labels)
    assert found.bits.value == pytest.approx(np.min(alone, axis=0) + np.log2(3), rel=2e-3)


def test_a_block_is_told_by_a_probe_of_the_blocks_before():
    """Against scikit-learn, whose intercept is made to pay by a constant column."""
    vectors, labels = problem(1, 80, 6, n_classes=2, strength=2.0)
    found, order = coded(vectors, labels, penalties=(0.1,), n_languages=1)
    ends = block_ends(80)
    for start, stop in zip(ends[-3:-1], ends[-2:], strict=True):
        before, told = order[:start], order[start:stop]
        mean, scale = vectors[0][before].mean(0), vectors[0][before].std(0)
        Z = (vectors[0] - mean) / scale
        # λ is 10 for weights and, of two opposite ones, 1 for each intercept: b²/2 · ½ in b
        column = np.full((80, 1), np.sqrt(10 * 2.0))
        model = LogisticRegression(C=0.1, fit_intercept=False, tol=1e-10, max_iter=10_000)
        X = np.hstack([Z, column])
        model.fit(X[before], labels[before])
        chances = model.predict_log_proba(X[told])[np.arange(len(told)), labels[told]]
        assert found.by_unit[0, told] == pytest.approx(-chances / np.log(2), abs=3e-2)


def test_the_frequency_code_sees_no_vectors():
    labels = np.array([0, 0, 0, 1])
    given = Labels("t", 2, labels[None], {})
    items = text_items(np.zeros((1, 4, 1)))
    bits = frequency_code(items, given, np.arange(4))
    assert bits == pytest.approx([-np.log2(1 / 2 * 2 / 3 * 3 / 4 * 1 / 5)])
    assert frequency_code(items, given, np.arange(4)[::-1]) == pytest.approx(bits)
