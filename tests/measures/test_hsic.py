"""The sums behind CKA against loops over tuples of distinct units."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.measures import bootstrap_weights, hsic, permutations


def table(function, x):
    return np.array([[function(a, b) for b in x] for a in x])


@pytest.mark.parametrize(("n", "d"), [(4, 3), (9, 40), (25, 2), (60, 5)])
def test_tables_equal_the_reference(n, d, rng, reference_hsic):
    x = rng.standard_normal((3, n, d)) + 4
    unbiased, biased = hsic.hsic_tables(x)
    assert unbiased == pytest.approx(table(reference_hsic, x), rel=1e-10, abs=1e-10)
    slow = table(lambda a, b: reference_hsic(a, b, debiased=False), x)
    assert biased == pytest.approx(slow, rel=1e-10, abs=1e-10)


def test_units_and_features_give_the_same_products(rng, monkeypatch):
    """Narrow data go through feature products; cut into blocks, Grams must say the same."""
    narrow = hsic.centred(rng.standard_normal((3, 40, 2)))
    wide = np.concatenate([narrow, np.zeros((3, 40, 60))], axis=2)
    monkeypatch.setattr(hsic, "_CELLS", 2 * 3 * 40 * 7)
    assert len(list(hsic._gram_blocks(wide))) == 6
    assert hsic.hsic_tables(wide)[0] == pytest.approx(hsic.hsic_tables(narrow)[0], rel=1e-12)


def test_a_pair_equals_its_entry_in_the_table(rng):
    for d in (3, 30):
        x = rng.standard_normal((2, 12, d))
        tables = hsic.hsic_tables(x)
        for sums, whole in zip(hsic.hsic_pair(x[0], x[1]), tables, strict=True):
            assert sums == pytest.approx(whole[0, 1], rel=1e-12)


def test_weighted_form_equals_loops_over_distinct_quadruples(rng, brute_weighted_hsic):
    x = rng.standard_normal((3, 6, 4)) + 2
    weights = rng.integers(0, 4, (12, 6)).astype(float)
    found = hsic.weighted_hsic(x, weights)
    for row, w in zip(found, weights, strict=True):
        slow = table(lambda a, b, w=w: brute_weighted_hsic(a, b, w), x)
        assert row == pytest.approx(slow, rel=1e-10, abs=1e-10)


def test_weighted_form_with_equal_weights_is_the_unbiased_estimate(aligned):
    plain = hsic.hsic_tables(aligned)[0]
    found = hsic.weighted_hsic(aligned, np.stack([np.ones(30), np.full(30, 2.5)]))
    assert found[0] == pytest.approx(plain, rel=1e-12)
    # a common factor of all weights cancels
    assert found[1] == pytest.approx(plain, rel=1e-12)


def test_weight_zero_leaves_the_unit_out(aligned):
    weights = np.ones((1, 30))
    weights[0, [3, 11, 29]] = 0
    kept = weights[0] > 0
    found = hsic.weighted_hsic(aligned, weights)[0]
    assert found == pytest.approx(hsic.hsic_tables(aligned[:, kept])[0], rel=1e-11)


def test_weighted_form_does_not_see_a_shift(aligned):
    weights = bootstrap_weights(30, n_resamples=20, seed=0).astype(float)
    moved = aligned + 1000 * np.arange(12)
    assert hsic.weighted_hsic(moved, weights) == pytest.approx(
        hsic.weighted_hsic(aligned, weights), rel=1e-8
    )


def test_weighted_self_similarity_is_never_negative(rng):
    weights = bootstrap_weights(6, n_resamples=500, seed=0).astype(float)
    found = hsic.weighted_hsic(rng.standard_normal((2, 6, 3)), weights)
    own = found.diagonal(axis1=1, axis2=2)
    assert own.min() > 0
    assert (np.abs(found[:, 0, 1]) <= np.sqrt(own.prod(axis=1)) * (1 + 1e-12)).all()


def test_fewer_than_four_distinct_units_count_as_nothing(rng):
    weights = np.array([[3.0, 2, 1, 0, 0, 0], [3, 1, 1, 1, 0, 0]])
    found = hsic.weighted_hsic(rng.standard_normal((2, 6, 3)), weights)
    assert (found[0] == 0).all()
    assert (found[1].diagonal() > 0).all()


def test_tiles_and_blocks_of_resamples_do_not_change_the_sums(aligned, monkeypatch):
    weights = bootstrap_weights(30, n_resamples=15, seed=0).astype(float)
    whole = hsic.weighted_hsic(aligned, weights)
    monkeypatch.setattr(hsic, "_CELLS", 4 * 3 * 30 * 4)
    assert hsic.weighted_hsic(aligned, weights) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(
    ("n_draws", "limits"),
    [(20, {}), (20, {"_BLOCK": 18}), (20, {"_KEPT": 0, "_CELLS": 81 * 6}), (2, {}), (1, {})],
)
def test_permuted_sum_equals_reordering_every_language(
    n_draws, limits, rng, reference_hsic, monkeypatch
):
    for name, value in limits.items():
        monkeypatch.setattr(hsic, name, value)
    x, scale = rng.standard_normal((4, 9, 3)) + 1, np.array([0.5, 1, 2, 3])
    orders = permutations(9, n=n_draws, seed=0)
    rows, offsets = hsic._deal(orders, 4)
    slow = []
    for draw in range(n_draws):
        own = [np.arange(9)] + [rows[(draw + offset) % len(rows)] for offset in offsets]
        moved = [x[a][own[a]] for a in range(4)]
        slow.append(
            sum(
                scale[a] * scale[b] * reference_hsic(moved[a], moved[b])
                for a in range(4)
                for b in range(a + 1, 4)
            )
        )
    assert hsic.permuted_hsic(x, scale, orders) == pytest.approx(np.array(slow), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("n_draws", [1, 3, 11, 200])
def test_no_two_languages_share_an_order_in_a_draw(n_draws):
    rows, offsets = hsic._deal(permutations(50, n=n_draws, seed=0), 12)
    assert len(set(offsets)) == 11
    assert (np.sort(rows, axis=1) == np.arange(50)).all()
    assert len({tuple(row) for row in rows}) == len(rows)


def test_a_constant_array_is_centred_to_exact_zeros(rng):
    x = rng.standard_normal((2, 7, 3))
    x[1] = 0.1
    centred = hsic.centred(x)
    assert (centred[1] == 0).all()
    assert centred[0] == pytest.approx(x[0] - x[0].mean(axis=0), abs=1e-15)
