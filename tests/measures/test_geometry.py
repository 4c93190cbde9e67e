"""Separation of languages: closed forms, invariances, and chance by exchanging languages."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group

from probekit.errors import NumericalError
from probekit.measures import bootstrap_weights, geometry, pure_noise


def measure(pooled, n_resamples=60):
    return geometry(
        pooled, weights=bootstrap_weights(pooled.shape[1], n_resamples=n_resamples, seed=0)
    )


def fisher(pooled):
    """The formula by loops."""
    n_languages, n, _ = pooled.shape
    means = [rows.mean(0) for rows in pooled]
    middle = np.mean(means, axis=0)
    between = sum(np.square(mean - middle).sum() for mean in means) / (n_languages - 1)
    within = sum(np.square(rows - m).sum() for rows, m in zip(pooled, means, strict=True))
    return between / (within / (n_languages * (n - 1)))


def test_the_fisher_ratio_equals_loops(aligned):
    assert measure(aligned).fisher == pytest.approx(fisher(aligned))


def test_distances_have_the_spread_of_a_language_as_their_unit(aligned):
    result = measure(aligned)
    spread = np.mean([np.var(rows, axis=0, ddof=1).sum() for rows in aligned])
    for a in range(3):
        for b in range(3):
            apart = np.linalg.norm(aligned[a].mean(0) - aligned[b].mean(0))
            assert result.centroid_distance[a, b] == pytest.approx(apart / np.sqrt(spread))
    assert result.centroid_distance_low < result.centroid_distance_mean
    assert result.centroid_distance_mean < result.centroid_distance_high


def test_a_planted_separation_is_measured(rng):
    """Two languages three apart on one axis, ten unit variances: 3 / √10, and 4.5 / 10."""
    pooled = rng.standard_normal((2, 4000, 10))
    pooled[1, :, 0] += 3
    result = measure(pooled)
    assert result.centroid_distance_mean == pytest.approx(3 / np.sqrt(10), rel=0.02)
    assert result.fisher == pytest.approx(0.45, rel=0.04)


def test_chance_is_what_exchanging_languages_within_units_gives(rng):
    pooled = rng.standard_normal((3, 12, 5)) + rng.standard_normal((1, 12, 5))
    pooled[2] += 4
    dealt = [
        np.stack([rng.permutation(pooled[:, i]) for i in range(12)], axis=1) for _ in range(4000)
    ]
    result = measure(pooled)
    assert result.fisher_chance == pytest.approx(np.mean([fisher(d) for d in dealt]), rel=0.06)
    spread = np.mean([np.var(rows, axis=0, ddof=1).sum() for rows in pooled])
    squares = []
    for a, b in ((0, 1), (0, 2), (1, 2)):
        signs = rng.choice([-1, 1], size=(4000, 12, 1))
        means = (signs * (pooled[a] - pooled[b])).mean(axis=1)
        squares.append(np.square(means).sum(axis=1).mean() / spread)
    expected = np.sqrt(squares).mean()
    assert result.centroid_distance_chance == pytest.approx(expected, rel=0.03)


def test_languages_that_are_one_are_at_chance():
    results = [measure(pure_noise(1, 4, 50, d=20, seed=s)[0]) for s in range(8)]
    found = np.mean([r.fisher for r in results])
    assert found == pytest.approx(np.mean([r.fisher_chance for r in results]), rel=0.1)
    assert found == pytest.approx(1 / 50, rel=0.1)
    distance = np.mean([r.centroid_distance_mean for r in results])
    chance = np.mean([r.centroid_distance_chance for r in results])
    assert distance == pytest.approx(chance, rel=0.05)


def test_rotation_scale_and_a_common_offset_leave_the_separation(aligned):
    turned = 0.01 * aligned @ ortho_group.rvs(12, random_state=0) + 30
    plain, moved = measure(aligned), measure(turned)
    for name, value in vars(plain).items():
        if not name.startswith("anisotropy"):
            assert getattr(moved, name) == pytest.approx(value, rel=1e-8), name
    assert moved.anisotropy > plain.anisotropy


def test_anisotropy_is_the_mean_cosine_within_languages(aligned, brute_cosines):
    result = measure(aligned[:, :9])
    expected = brute_cosines(aligned[:, :9], np.ones(9))["within"]
    assert result.anisotropy == pytest.approx(expected, abs=1e-12)
    assert result.anisotropy_low < result.anisotropy < result.anisotropy_high


def test_isotropic_vectors_have_no_anisotropy():
    result = measure(pure_noise(1, 3, 200, d=30, seed=1)[0])
    assert result.anisotropy == pytest.approx(0, abs=0.005)


def test_the_interval_covers_the_truth(rng):
    """Fisher of two languages 2 apart on one of four axes is 2 / 4 · 2² / 4 = .5."""
    covered = 0
    for _ in range(60):
        pooled = rng.standard_normal((2, 80, 4))
        pooled[1, :, 0] += 2
        result = measure(pooled, n_resamples=100)
        covered += result.fisher_low <= 0.5 <= result.fisher_high
    assert covered >= 50


def test_coinciding_means_have_distance_zero_and_an_interval_from_zero(aligned):
    result = measure(aligned - aligned.mean(axis=1, keepdims=True))
    assert result.centroid_distance == pytest.approx(np.zeros((3, 3)), abs=1e-7)
    assert result.centroid_distance_low == 0
    assert 0 < result.centroid_distance_high < 2 * result.centroid_distance_chance


def test_languages_that_do_not_vary_are_refused():
    pooled = np.ones((2, 5, 3)) * np.array([1.0, 2.0])[:, None, None]
    with pytest.raises(NumericalError, match="must vary over units"):
        measure(pooled)
