"""Types of neurons: shares add up, chance is that of units paired at random, intervals cover."""

from __future__ import annotations

from itertools import product

import numpy as np

from probekit.measures import bootstrap_weights
from probekit.measures.neuron_types import TYPES, chance_types, neuron_types


def counted(active):
    """Types (1, unit, 4) and units (1, language, neuron) of flags (language, unit, neuron)."""
    n = active.sum(axis=0)
    inner = (n > 1) & (n < len(active))
    types = np.stack([(n == 0).sum(1), (n == 1).sum(1), inner.sum(1), (n == len(active)).sum(1)], 1)
    return types[None], active.sum(axis=1)[None]


def measured(active, n_resamples=60):
    weights = bootstrap_weights(active.shape[1], n_resamples=n_resamples, seed=0)
    return neuron_types(*counted(active), weights=weights)


def test_shares_sum_to_one_and_lie_in_their_intervals(rng):
    found = measured(rng.random((4, 20, 50)) < 0.4)
    np.testing.assert_allclose(found.share.sum(axis=1), 1)
    np.testing.assert_allclose(found.chance.sum(axis=1), 1)
    assert (found.low <= found.share).all()
    assert (found.share <= found.high).all()
    assert (found.low < found.high).all()


def test_chance_is_the_sum_over_all_outcomes(rng):
    shares = rng.random((4, 3))
    expected = np.zeros(4)
    for outcome in product([False, True], repeat=4):
        each = np.where(np.array(outcome)[:, None], shares, 1 - shares)
        n = sum(outcome)
        kind = 0 if n == 0 else 1 if n == 1 else 3 if n == 4 else 2
        expected[kind] += each.prod(axis=0).mean()
    np.testing.assert_allclose(chance_types(shares), expected)


def test_neurons_that_follow_the_meaning_are_shared_beyond_chance(rng):
    meaning = rng.random((1, 30, 40)) < 0.5
    found = measured(np.repeat(meaning, 3, axis=0))
    shared, partial = TYPES.index("shared"), TYPES.index("partial")
    assert found.low[0, shared] > found.chance[0, shared] + 0.2
    assert found.share[0, partial] == 0


def test_independent_languages_are_at_chance(rng):
    found = measured(rng.random((3, 200, 200)) < np.array([0.2, 0.5, 0.8])[:, None, None])
    np.testing.assert_allclose(found.share, found.chance, atol=0.01)


def test_two_languages_have_no_partial_neurons(rng):
    found = measured(rng.random((2, 12, 30)) < 0.5)
    assert found.share[0, TYPES.index("partial")] == 0
    assert found.chance[0, TYPES.index("partial")] < 1e-12
