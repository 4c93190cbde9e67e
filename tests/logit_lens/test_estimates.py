"""Ratios of sums over units, with intervals that leave out what was not drawn."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import NumericalError
from probekit.logit_lens.estimates import interval, merge_sums, resampled
from probekit.measures import bootstrap_weights

RNG = np.random.default_rng(0)


def test_the_estimate_is_the_mean_over_positions():
    counts = np.array([2, 0, 3, 1])
    per_position = [RNG.normal(size=(n, 5)) for n in counts]
    sums = np.stack([values.sum(0) for values in per_position], axis=-1)
    found = resampled(sums, counts, np.ones((3, 4)))
    np.testing.assert_allclose(found, np.tile(np.concatenate(per_position).mean(0), (4, 1)))


def test_a_resample_is_the_estimate_of_the_drawn_units():
    counts, sums = np.array([2, 1, 3]), RNG.normal(size=(4, 3))
    weights = np.array([[2, 0, 1]])
    found = resampled(sums, counts, weights)[1]
    repeated = sums[:, [0, 0, 2]].sum(1) / counts[[0, 0, 2]].sum()
    np.testing.assert_allclose(found, repeated)


def test_a_resample_without_a_position_is_left_out_of_the_interval():
    counts, sums = np.array([0, 1, 1]), np.array([[0.0, 1.0, 3.0]])
    weights = np.array([[3, 0, 0], [1, 2, 0], [1, 0, 2]])
    ratios = resampled(sums, counts, weights)
    assert np.isnan(ratios[1]).all()
    found = interval(ratios)
    assert (found.value, found.low, found.high) == (2.0, 1.0, 3.0)


def test_intervals_hold_what_they_say():
    """A mean of 60 units with 1 to 4 positions, 200 times: about 95 in 100 hold the truth."""
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        counts = rng.integers(1, 5, size=60)
        sums = np.array([rng.normal(2, 1, n).sum() for n in counts])[None]
        weights = bootstrap_weights(60, n_resamples=200, seed=seed)
        found = interval(resampled(sums, counts, weights))
        hits += bool(found.low <= 2 <= found.high)
    assert 178 <= hits <= 199


def test_nothing_counted_or_drawn_is_an_error():
    with pytest.raises(NumericalError, match="counts must not all be zero"):
        resampled(np.zeros((2, 3)), np.zeros(3), np.ones((1, 3)))
    ratios = resampled(np.ones((2, 3)), np.array([1, 0, 0]), np.array([[0, 1, 2]]))
    with pytest.raises(NumericalError, match="no resample drew a position"):
        interval(ratios)


def test_shards_join_along_the_units():
    def state(start, stop):
        units = np.arange(start, stop)
        return {
            "entropy": np.tile(units, (2, 3, 1)),
            "mass": np.tile(units[:, None], (2, 3, 1, 4)),
            "floor_mass": np.tile(units[:, None], (2, 1, 4)),
            "n": np.tile(units, (3, 1)),
            "class_tokens": np.array([5, 6]),
            "next_token": np.array([1]),
        }

    found = merge_sums([state(0, 2), state(2, 5)])
    assert found["entropy"].shape == (2, 3, 5)
    assert found["mass"].shape == (2, 3, 4, 5)
    assert found["floor_mass"].shape == (2, 4, 5)
    for name in ("entropy", "mass", "floor_mass", "n"):
        assert (found[name] == np.arange(5)).all()
    assert found["class_tokens"].tolist() == [5, 6]
