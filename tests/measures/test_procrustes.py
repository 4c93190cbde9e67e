"""Procrustes: scipy's disparity, zero for rotated copies, its own chance level."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from scipy.spatial import procrustes as scipy_procrustes
from scipy.stats import ortho_group

from probekit.errors import InputError, NumericalError
from probekit.measures import (
    bootstrap_weights,
    permutations,
    planted_pooled,
    procrustes,
    pure_noise,
)

module = import_module("probekit.measures.procrustes")


def measure(pooled, **options):
    n = pooled.shape[1]
    return procrustes(
        pooled,
        weights=bootstrap_weights(n, n_resamples=60, seed=0),
        permutations=permutations(n, n=60, seed=0),
        **options,
    )


@pytest.mark.parametrize("d", [5, 12, 70])
def test_it_is_scipys_disparity(rng, d):
    """Fewer features than units, and more: through the vectors, and through the Grams."""
    meaning = rng.standard_normal((1, 30, d))
    pooled = meaning + 0.8 * rng.standard_normal((3, 30, d)) + 5
    result = measure(pooled)
    for a in range(3):
        for b in range(3):
            assert result.table[a, b] == pytest.approx(
                scipy_procrustes(pooled[a], pooled[b])[2], abs=1e-7
            )
    assert result.mean == pytest.approx(result.table[np.triu_indices(3, 1)].mean())
    assert result.low < result.mean < result.high


@pytest.mark.parametrize("d", [8, 60])
def test_a_rotated_scaled_moved_copy_is_at_zero(rng, d):
    one = rng.standard_normal((40, d))
    copy = 3 * one @ ortho_group.rvs(d, random_state=0) + 7
    result = measure(np.stack([one, copy]))
    assert result.table == pytest.approx(np.zeros((2, 2)), abs=1e-6)
    assert (result.low, result.high) == pytest.approx((0, 0), abs=1e-6)
    assert result.chance > 0.05


def test_noise_is_at_its_chance_level_far_below_one():
    for d in (6, 80):
        result = measure(pure_noise(1, 5, 40, d=d, seed=0)[0])
        assert result.mean == pytest.approx(result.chance, abs=0.04)
    assert result.chance < 0.4


def test_shared_meaning_is_under_the_chance_level():
    shared, apart = planted_pooled(2, 4, 60, d=12, shared_layers=[0], seed=0)
    assert measure(shared).high < measure(shared).chance - 0.2
    assert measure(apart).mean == pytest.approx(measure(apart).chance, abs=0.05)


def test_influence_is_the_derivative_by_a_units_weight(rng):
    """Two copies of one unit stand for a weight of two; a small step by finite differences."""
    x = rng.standard_normal((25, 4))
    y = x + 0.7 * rng.standard_normal((25, 4))

    def disparity(w):
        root = np.sqrt(w / w.sum())[:, None]
        a, b = ((z - np.average(z, axis=0, weights=w)) * root for z in (x, y))
        a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
        return 1 - np.linalg.svd(a.T @ b, compute_uv=False).sum() ** 2

    shapes = [module._shape(z, language=0) for z in (x, y)]
    influence = module._all_pairs(shapes)[1]
    for unit in (0, 11, 24):
        step = np.ones(25)
        step[unit] += 1e-5
        slope = (disparity(step) - disparity(np.ones(25))) / 1e-5
        assert influence[unit] / 25 == pytest.approx(slope, rel=1e-3, abs=1e-7)


def test_more_units_than_the_limit_are_thinned_evenly(rng):
    pooled = rng.standard_normal((2, 50, 6))
    result = measure(pooled, max_units=10)
    chosen = np.linspace(0, 49, 10).round().astype(int)
    assert result.n_units == 10
    assert result.table[0, 1] == pytest.approx(scipy_procrustes(*pooled[:, chosen])[2], abs=1e-7)
    assert measure(pooled).n_units == 50


def test_bad_input_is_named(rng):
    pooled = rng.standard_normal((2, 10, 4))
    with pytest.raises(InputError, match=r"max_units must be at least 3\. Got 2"):
        measure(pooled, max_units=2)
    pooled[1] = 4.0
    with pytest.raises(NumericalError, match="language 1, which is constant"):
        measure(pooled)
