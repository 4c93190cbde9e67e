"""Retrieval and cosines: chance on noise, one on copies, loops as the reference."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from scipy.stats import ortho_group

from probekit.errors import NumericalError
from probekit.measures import alignment, bootstrap_weights, planted_pooled, pure_noise


def measure(pooled, n_resamples=60, seed=0):
    weights = bootstrap_weights(pooled.shape[1], n_resamples=n_resamples, seed=seed)
    return alignment(pooled, weights=weights)


def cosine(x, y):
    return x @ y / np.sqrt((x @ x) * (y @ y))


def test_tables_equal_loops(aligned):
    pooled = aligned[:, :9]
    result = measure(pooled)
    centred = pooled - pooled.mean(axis=1, keepdims=True)
    for a in range(3):
        for b in range(3):
            raw = np.array([[cosine(x, y) for y in pooled[b]] for x in pooled[a]])
            own = np.array([[cosine(x, y) for y in centred[b]] for x in centred[a]])
            off = ~np.eye(9, dtype=bool)
            assert result.p_at_1[a, b] == (raw.argmax(axis=1) == np.arange(9)).mean()
            assert result.random_cosine[a, b] == pytest.approx(raw[off].mean(), abs=1e-12)
            difference = own.diagonal().mean() - own[off].mean()
            assert result.centred_cosine[a, b] == pytest.approx(difference, abs=1e-12)
    assert result.anisotropy.tolist() == result.random_cosine.diagonal().tolist()


def test_retrieval_is_not_symmetric_and_both_ways_are_kept():
    """Directions in the plane, in degrees: b lies between the first two units of a."""
    angles = np.radians([[0, 50, 100], [2, 10, 20]])
    result = measure(np.stack([np.cos(angles), np.sin(angles)], axis=2))
    assert result.p_at_1[0, 1] == pytest.approx(2 / 3)  # 50 is nearest to 20, not to 10
    assert result.p_at_1[1, 0] == pytest.approx(1 / 3)  # all three are nearest to 0
    assert result.p_at_1_mean == pytest.approx(1 / 2)


def test_blocks_do_not_change_the_hits(monkeypatch):
    module = import_module("probekit.measures.neighbours")
    pooled = planted_pooled(1, 3, 50, d=6, shared_layers=[0], seed=0, noise=1)[0]
    whole = measure(pooled)
    monkeypatch.setattr(module, "_CELLS", 50 * 7)
    cut = measure(pooled)
    assert (cut.p_at_1 == whole.p_at_1).all()
    assert 0.1 < whole.p_at_1_mean < 0.9
    assert whole.p_at_1[0, 1] != whole.p_at_1[1, 0]


def test_noise_is_at_chance():
    results = [measure(pure_noise(1, 4, 50, d=20, seed=s)[0]) for s in range(10)]
    assert results[0].p_at_1_chance == 1 / 50
    # 10 × 12 ordered pairs × 50 units: standard error .0018
    assert np.mean([r.p_at_1_mean for r in results]) == pytest.approx(1 / 50, abs=0.008)
    assert np.mean([r.centred_cosine_mean for r in results]) == pytest.approx(0, abs=0.02)
    assert np.mean([r.centred_cosine_low < 0 < r.centred_cosine_high for r in results]) >= 0.7


def test_copies_are_found_always(rng):
    one = rng.standard_normal((1, 20, 8))
    result = measure(np.concatenate([one, 3 * one, one]))
    assert (result.p_at_1 == 1).all()
    assert (result.p_at_1_low, result.p_at_1_high) == (1, 1)
    # centred unit vectors of 20 units: different ones are a little opposed
    assert result.centred_cosine == pytest.approx(np.full((3, 3), 1.05), abs=0.03)


def test_a_tie_is_a_miss(rng):
    one = rng.standard_normal((1, 10, 8))
    one[0, 7] = one[0, 2]
    result = measure(np.concatenate([one, one]))
    assert result.p_at_1 == pytest.approx(np.full((2, 2), 0.8))


def test_a_language_offset_breaks_raw_retrieval_but_not_the_centred_cosine():
    pooled = planted_pooled(1, 2, 60, d=16, shared_layers=[0], seed=0, noise=0.3)[0]
    plain = measure(pooled)
    pooled[1] += 4 * np.random.default_rng(0).standard_normal(16)
    moved = measure(pooled)
    assert moved.p_at_1_mean < plain.p_at_1_mean - 0.1
    assert moved.centred_cosine == pytest.approx(plain.centred_cosine, abs=1e-9)
    assert moved.anisotropy[1] > plain.anisotropy[1] + 0.3


def test_rotation_scale_and_common_order_change_nothing(aligned):
    turned = 0.01 * aligned @ ortho_group.rvs(12, random_state=0)
    order = np.random.default_rng(0).permutation(30)
    weights = bootstrap_weights(30, n_resamples=20, seed=0)
    plain = alignment(aligned, weights=weights)
    moved = alignment(turned[:, order], weights=weights[:, order])
    for name, value in vars(plain).items():
        assert np.asarray(getattr(moved, name)) == pytest.approx(np.asarray(value), abs=1e-10)


def test_means_are_over_pairs_and_inside_their_intervals():
    pooled = planted_pooled(1, 4, 40, d=8, shared_layers=[0], seed=0, noise=0.8)[0]
    result = measure(pooled, n_resamples=200)
    off = ~np.eye(4, dtype=bool)
    assert result.p_at_1_mean == pytest.approx(result.p_at_1[off].mean())
    assert result.centred_cosine_mean == pytest.approx(result.centred_cosine[off].mean())
    assert 0 <= result.p_at_1_low < result.p_at_1_mean < result.p_at_1_high <= 1
    assert result.centred_cosine_low < result.centred_cosine_mean < result.centred_cosine_high


def test_hit_interval_has_the_width_of_a_bootstrap_of_units():
    pooled = planted_pooled(1, 2, 100, d=6, shared_layers=[0], seed=0, noise=0.8)[0]
    result = measure(pooled, n_resamples=1000)
    # both ways of one pair: between independent (n = 200) and identical (n = 100) hits
    p = result.p_at_1_mean
    width = (result.p_at_1_high - result.p_at_1_low) / (2 * 1.96)
    assert np.sqrt(p * (1 - p) / 200) * 0.9 < width < np.sqrt(p * (1 - p) / 100) * 1.1


def test_a_vector_equal_to_its_languages_mean_is_named(rng):
    pooled = rng.standard_normal((2, 6, 3)) + 1
    pooled[1, 4] = np.delete(pooled[1], 4, axis=0).mean(axis=0)
    with pytest.raises(NumericalError, match="language 1, unit 4"):
        measure(pooled)
