"""Adjusted p-values and the sup-t test of flatness."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from probekit.selection.significance import adjusted_p, flatness_p


def test_adjusted_p_equals_scipy():
    p = np.random.default_rng(0).uniform(size=17)
    np.testing.assert_allclose(adjusted_p(p), false_discovery_control(p), rtol=1e-12)


def test_adjusted_p_of_equal_values_is_that_value():
    np.testing.assert_allclose(adjusted_p(np.full(6, 0.03)), 0.03)


def test_equal_blocks_are_flat_however_their_resamples_spread():
    samples = 0.3 + np.random.default_rng(0).normal(size=(8, 50))
    assert flatness_p(np.full(8, 0.3), samples, seed=0) == 1.0


def test_noise_shared_by_all_blocks_does_not_hide_a_difference():
    rng = np.random.default_rng(0)
    values = np.array([0.1, 0.1, 0.1, 0.2])
    shared = values[:, None] + rng.normal(0, 1, (1, 100)) + rng.normal(0, 0.001, (4, 100))
    own = values[:, None] + rng.normal(0, 1, (4, 100))
    assert flatness_p(values, shared, seed=0) < 0.001
    assert flatness_p(values, own, seed=0) > 0.5


def test_resamples_shifted_as_a_whole_change_nothing():
    rng = np.random.default_rng(1)
    values = rng.normal(0.5, 0.02, 6)
    samples = values[:, None] + rng.normal(0, 0.02, (6, 80))
    shifted = samples + rng.normal(0, 1, (6, 1))  # a bootstrap bias of each block
    assert flatness_p(values, shifted, seed=3) == pytest.approx(flatness_p(values, samples, seed=3))


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_flatness_p_is_calibrated_on_flat_evidence(shared):
    rng = np.random.default_rng(7)
    factor = np.linalg.cholesky(np.full((12, 12), shared) + (1 - shared) * np.eye(12))
    p = [
        flatness_p(factor @ rng.normal(size=12), factor @ rng.normal(size=(12, 200)), seed=0)
        for _ in range(150)
    ]
    # 150 Bernoulli(.05): 15 is 2.8 standard deviations above the mean of 7.5
    assert np.mean(np.array(p) <= 0.05) <= 0.1
    assert 0.3 < np.mean(p) < 0.7


def test_flatness_p_has_power_with_few_resamples():
    rng = np.random.default_rng(2)
    values = np.repeat([0.1, 0.7], 5)
    samples = values[:, None] + rng.normal(0, 0.02, (10, 12))
    assert flatness_p(values, samples, seed=0) < 0.001
