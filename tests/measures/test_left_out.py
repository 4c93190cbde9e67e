"""One language left out equals measuring without it."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.measures import (
    bootstrap_weights,
    cka,
    lrds_left_out,
    permutations,
    planted_pooled,
    region_scores,
)
from probekit.measures.left_out import pair_means_without

WEIGHTS = bootstrap_weights(25, n_resamples=9, seed=0)


@pytest.fixture
def pooled():
    return planted_pooled(1, 4, 25, d=6, shared_layers=[0], seed=0)[0] + 1


def test_pair_means_are_over_the_pairs_that_are_left(rng):
    table = rng.standard_normal((5, 5))
    table += table.T
    for out, mean in enumerate(pair_means_without(table)):
        rest = np.delete(np.delete(table, out, axis=0), out, axis=1)
        assert mean == pytest.approx(rest[np.triu_indices(4, 1)].mean())


def test_raw_lrds_without_a_language_is_that_of_the_others(pooled):
    found = lrds_left_out(pooled, weights=WEIGHTS, centred=False)
    for out in range(4):
        rest = region_scores(np.delete(pooled, out, axis=0), weights=WEIGHTS)
        assert found.without[out] == pytest.approx(rest.lrds, abs=1e-12)


@pytest.mark.parametrize("centred", [True, False])
def test_each_resample_leaves_out_its_turn(pooled, centred):
    found = lrds_left_out(pooled, weights=WEIGHTS, centred=centred)
    every = region_scores(pooled, weights=WEIGHTS)
    if centred:
        assert found.samples == pytest.approx(every.lrds_centred_samples, abs=1e-12)
    for row in range(len(WEIGHTS)):
        alone = lrds_left_out(pooled, weights=WEIGHTS[row : row + 1], centred=centred)
        # a row of its own leaves out language 0; turn the languages to leave out another
        turned = lrds_left_out(
            np.roll(pooled, -(row % 4), axis=0), weights=WEIGHTS[row : row + 1], centred=centred
        )
        assert found.samples[row] == pytest.approx(alone.samples[0], abs=1e-12)
        assert found.samples_left_out[row] == pytest.approx(turned.samples_left_out[0], abs=1e-12)


def test_cka_without_a_language_is_that_of_the_others(pooled):
    orders = permutations(25, n=3, seed=0)
    every = cka(pooled, weights=WEIGHTS, permutations=orders)
    for out in range(4):
        rest = cka(np.delete(pooled, out, axis=0), weights=WEIGHTS, permutations=orders)
        assert every.mean_without[out] == pytest.approx(rest.mean, abs=1e-12)
        for row in range(out, len(WEIGHTS), 4):
            assert every.mean_samples_left_out[row] == pytest.approx(
                rest.mean_samples[row], abs=1e-12
            )


def test_two_languages_leave_nothing_to_leave_out(pooled):
    result = cka(pooled[:2], weights=WEIGHTS, permutations=permutations(25, n=3, seed=0))
    assert result.mean_without.size == result.mean_samples_left_out.size == 0
    found = lrds_left_out(pooled[:2], weights=WEIGHTS, centred=True)
    assert found.without.size == found.samples_left_out.size == 0
    assert found.samples.shape == (9,)
