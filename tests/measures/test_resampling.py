"""Weights, permutations and intervals."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.measures import (
    bootstrap_weights,
    centre_on,
    percentile_band,
    percentile_interval,
    permutations,
)


def test_weights_are_multiplicities_of_as_many_draws_as_units():
    weights = bootstrap_weights(50, n_resamples=400, seed=1)
    assert weights.shape == (400, 50)
    assert weights.dtype == np.int64
    assert (weights.sum(axis=1) == 50).all()
    # a unit's multiplicity is binomial(n, 1/n): mean 1, variance 1 - 1/n (20,000 draws)
    assert weights.mean(axis=0) == pytest.approx(np.ones(50), abs=0.25)
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.05)


def test_same_seed_same_weights_another_seed_others():
    first, again, other = (bootstrap_weights(20, n_resamples=5, seed=s) for s in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(("n_units", "distinct"), [(2, 2), (3, 2), (4, 4), (5, 4), (9, 4)])
def test_every_resample_keeps_enough_distinct_units(n_units, distinct):
    weights = bootstrap_weights(n_units, n_resamples=300, seed=0)
    assert (weights > 0).sum(axis=1).min() >= distinct
    assert (weights.sum(axis=1) == n_units).all()


def test_permutations_order_all_units_and_differ():
    rows = permutations(40, n=30, seed=0)
    assert (np.sort(rows, axis=1) == np.arange(40)).all()
    assert len({tuple(row) for row in rows}) == 30
    # a uniform permutation keeps one unit in place on average
    assert (rows == np.arange(40)).sum(axis=1).mean() == pytest.approx(1, abs=0.7)


def test_percentile_interval_is_the_central_share():
    low, high = percentile_interval(np.arange(1001.0))
    assert (low, high) == (25, 975)
    assert percentile_interval(np.arange(1001.0), 0.5) == (250, 750)


def test_infinite_samples_stay_infinite_and_never_become_nan():
    low, high = percentile_interval(np.r_[np.arange(90.0), np.full(10, np.inf)])
    assert low == 2
    assert high == np.inf
    assert percentile_interval(np.full(7, np.inf)) == (np.inf, np.inf)


def test_percentile_band_treats_every_entry_alone(rng):
    samples = rng.standard_normal((200, 2, 3))
    low, high = percentile_band(samples, 0.8)
    assert low.shape == high.shape == (2, 3)
    assert (low[1, 2], high[1, 2]) == percentile_interval(samples[:, 1, 2], 0.8)


def test_centred_samples_have_the_estimate_as_mean(rng):
    samples = rng.standard_normal((50, 2)) + 3
    moved = centre_on(samples, np.array([1.0, -1.0]))
    assert moved.mean(axis=0) == pytest.approx([1, -1], abs=1e-12)
    assert moved.std(axis=0) == pytest.approx(samples.std(axis=0))


@pytest.mark.parametrize(
    "call",
    [
        lambda: bootstrap_weights(1, n_resamples=2, seed=0),
        lambda: bootstrap_weights(5, n_resamples=0, seed=0),
        lambda: permutations(1, n=2, seed=0),
        lambda: permutations(5, n=0, seed=0),
        lambda: percentile_interval(np.empty(0)),
        lambda: percentile_interval(np.ones((3, 2))),
        lambda: percentile_interval(np.ones(3), 1.0),
        lambda: percentile_band(np.ones(3), 0.0),
    ],
)
def test_impossible_requests_are_refused(call):
    with pytest.raises(InputError):
        call()
