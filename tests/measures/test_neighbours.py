"""CSLS, MEXA and mutual neighbours against loops over pairs of units."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from scipy.stats import ortho_group

from probekit.errors import InputError
from probekit.measures import alignment, bootstrap_weights, planted_pooled, pure_noise

module = import_module("probekit.measures.neighbours")


def measure(pooled, k=10):
    return alignment(
        pooled, weights=bootstrap_weights(pooled.shape[1], n_resamples=40, seed=0), k=k
    )


def units(pooled):
    return pooled / np.linalg.norm(pooled, axis=-1, keepdims=True)


@pytest.fixture
def layer():
    return planted_pooled(1, 3, 44, d=6, shared_layers=[0], seed=0, noise=1)[0]


def brute_csls(x, y, k):
    cos = x @ y.T
    r_x = [np.sort(row)[-k:].mean() for row in cos]
    r_y = [np.sort(column)[-k:].mean() for column in cos.T]
    scores = 2 * cos - np.array(r_x)[:, None] - np.array(r_y)
    return (scores.argmax(axis=1) == np.arange(len(x))).mean()


def brute_mexa(x, y):
    cos, n = x @ y.T, len(x)
    return np.mean(
        [
            all(cos[i, i] > cos[i, j] and cos[i, i] > cos[j, i] for j in range(n) if j != i)
            for i in range(n)
        ]
    )


def brute_mutual(x, y, k):
    def near(z, i):
        cosines = z @ z[i]
        cosines[i] = -np.inf
        return set(np.argsort(cosines)[-k:].tolist())

    return np.mean([len(near(x, i) & near(y, i)) / k for i in range(len(x))])


def test_tables_equal_loops(layer):
    result, u = measure(layer, k=7), units(layer)
    assert result.k == 7
    for a in range(3):
        for b in range(3):
            assert result.csls[a, b] == pytest.approx(brute_csls(u[a], u[b], 7))
            assert result.mexa[a, b] == pytest.approx(brute_mexa(u[a], u[b]))
            assert result.mutual_knn[a, b] == pytest.approx(brute_mutual(u[a], u[b], 7))
    assert not (result.csls == result.csls.T).all()
    assert (result.mexa == result.mexa.T).all()


def test_blocks_do_not_change_the_hits(monkeypatch, layer):
    whole = measure(layer)
    monkeypatch.setattr(module, "_CELLS", 44 * 7)  # less than the ten neighbours of a column
    cut = measure(layer)
    for name in ("p_at_1", "csls", "mexa", "mutual_knn"):
        assert (getattr(cut, name) == getattr(whole, name)).all()
        assert 0 < getattr(whole, f"{name}_mean") < 1


def test_noise_is_at_chance():
    results = [measure(pure_noise(1, 4, 50, d=60, seed=s)[0]) for s in range(12)]
    first = results[0]
    assert (first.mexa_chance, first.mutual_knn_chance) == (1 / 99, 10 / 49)
    # 12 × 12 ordered pairs × 50 units: standard errors .0017, .0017 (half as many pairs), .0024
    for name, chance, tolerance in (
        ("csls", 1 / 50, 0.006),
        ("mexa", 1 / 99, 0.006),
        ("mutual_knn", 10 / 49, 0.008),
    ):
        found = np.mean([getattr(result, f"{name}_mean") for result in results])
        assert found == pytest.approx(chance, abs=tolerance), name


def test_copies_agree_in_everything(rng):
    one = rng.standard_normal((1, 45, 8))
    result = measure(np.concatenate([one, 3 * one]))
    for name in ("csls", "mexa", "mutual_knn"):
        assert (getattr(result, name) == 1).all()
        assert getattr(result, f"{name}_low") == getattr(result, f"{name}_high") == 1


def test_mutual_neighbours_need_no_common_space(rng):
    one = rng.standard_normal((45, 8))
    turned = one @ ortho_group.rvs(8, random_state=0)
    result = measure(np.stack([one, turned]))
    assert (result.mutual_knn == 1).all()
    assert result.p_at_1_mean < 0.2


def test_csls_makes_up_for_a_hub(rng):
    """One unit of b lies in the middle of all units of a and takes their first place."""
    a = rng.standard_normal((60, 10)) + 1.5
    b = a + 1.2 * rng.standard_normal((60, 10))
    b[0] = a.mean(axis=0)
    result = measure(np.stack([a, b]))
    assert result.csls[0, 1] > result.p_at_1[0, 1] + 0.05


def test_ties_are_misses(rng):
    one = rng.standard_normal((1, 44, 8))
    one[0, 7] = one[0, 2]
    result = measure(np.concatenate([one, one]))
    assert result.mexa == pytest.approx(np.full((2, 2), 42 / 44))
    assert result.csls == pytest.approx(np.full((2, 2), 42 / 44))


def test_a_unit_that_ties_beyond_the_kth_is_no_neighbour():
    angles = np.radians([0, 10, 10, 90, 120, 150, 180, 210, 240])
    one = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    near = module.mutual_neighbours(np.stack([one, one]), k=1)
    assert near[0, 1, 0] == 0  # units 1 and 2 are equally near to unit 0
    assert near[0, 1, 1] == near[0, 1, 2] == 1


def test_mexa_is_both_ways_at_once(layer):
    result = measure(layer)
    assert (result.mexa <= np.minimum(result.p_at_1, result.p_at_1.T) + 1e-12).all()
    assert result.mexa_mean < result.p_at_1_mean


@pytest.mark.parametrize(("n", "k", "used"), [(168, 10, 10), (41, 10, 10), (12, 10, 2), (2, 5, 1)])
def test_few_units_lower_k(n, k, used):
    assert module.neighbourhood(n, k) == used


def test_k_changes_the_result(layer):
    few, many = measure(layer, k=2), measure(layer, k=10)
    assert few.mutual_knn_mean != many.mutual_knn_mean
    assert few.csls_mean != many.csls_mean
    with pytest.raises(InputError, match=r"k must be at least 1\. Got 0"):
        measure(layer, k=0)


def test_two_units_have_one_neighbour(rng):
    result = measure(rng.standard_normal((2, 2, 4)))
    assert result.k == 1
    assert (result.mutual_knn == 1).all()
    assert result.mutual_knn_chance == 1
