"""LRDS and SADS against loops over all pairs, and what they must not see."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group

from probekit.errors import NumericalError
from probekit.measures import bootstrap_weights, planted_pooled, pure_noise, region_scores
from probekit.measures.regions import mean_cosines


def measure(pooled, n_resamples=80, seed=0):
    weights = bootstrap_weights(pooled.shape[1], n_resamples=n_resamples, seed=seed)
    return region_scores(pooled, weights=weights)


def test_closed_form_equals_loops_over_pairs(rng, brute_cosines):
    pooled = rng.standard_normal((3, 7, 5)) + rng.standard_normal((3, 1, 5))
    result = measure(pooled)
    slow = brute_cosines(pooled, np.ones(7))
    assert {k: getattr(result, k) for k in slow} == pytest.approx(slow, abs=1e-12)
    assert result.lrds == pytest.approx(slow["within"] - slow["across"], abs=1e-12)
    assert result.sads == pytest.approx(slow["paired"] - slow["across"], abs=1e-12)
    assert result.ratio == pytest.approx(result.lrds / result.sads)
    shifted = brute_cosines(pooled - pooled.mean(axis=(0, 1)), np.ones(7))
    assert result.lrds_centred == pytest.approx(shifted["within"] - shifted["across"], abs=1e-12)
    assert result.sads_centred == pytest.approx(shifted["paired"] - shifted["across"], abs=1e-12)


def test_weighted_form_never_pairs_a_unit_with_itself(rng, brute_cosines):
    pooled = rng.standard_normal((3, 6, 4))
    weights = rng.integers(0, 4, (8, 6)).astype(float)
    weights[:, :2] += 1
    found = mean_cosines(pooled, weights)
    for row, w in enumerate(weights):
        slow = brute_cosines(pooled, w)
        for kind in slow:
            assert getattr(found, kind)[row] == pytest.approx(slow[kind], abs=1e-12)


def test_identical_languages_have_no_language_structure_and_full_meaning(rng):
    one = rng.standard_normal((1, 20, 8))
    result = measure(np.concatenate([one, one, one]))
    assert result.paired == pytest.approx(1)
    assert result.lrds == pytest.approx(0, abs=1e-12)
    assert result.ratio == pytest.approx(0, abs=1e-12)


def test_one_point_per_language_is_all_language_and_no_meaning():
    pooled = np.zeros((2, 5, 2))
    pooled[0, :, 0] = 1
    pooled[1, :, 1] = 1
    result = measure(pooled)
    assert (result.within, result.across, result.paired) == pytest.approx((1, 0, 0))
    assert (result.lrds, result.lrds_low, result.lrds_high) == pytest.approx((1, 1, 1))
    assert (result.lrds_centred, result.sads) == pytest.approx((2, 0))


def test_a_common_offset_shrinks_raw_lrds_but_not_the_ratio_nor_the_centred_score():
    layer = planted_pooled(1, 4, 60, d=64, shared_layers=[0], seed=0)[0]
    layer += 0.6 * np.random.default_rng(1).standard_normal((4, 1, 64))
    far = layer + 20 * np.random.default_rng(2).standard_normal(64)
    near, moved = measure(layer), measure(far)
    assert moved.lrds < near.lrds / 20
    assert moved.ratio == pytest.approx(near.ratio, rel=0.05)
    assert moved.lrds_centred == pytest.approx(near.lrds_centred, abs=1e-9)
    assert moved.sads_centred == pytest.approx(near.sads_centred, abs=1e-9)


def test_sads_is_nothing_after_shuffling_one_languages_ids():
    pooled = planted_pooled(1, 2, 80, d=32, shared_layers=[0], seed=0)[0]
    kept = measure(pooled)
    assert kept.sads_low > 0.5
    pooled[1] = pooled[1][np.random.default_rng(0).permutation(80)]
    shuffled = measure(pooled)
    assert shuffled.sads_low < 0 < shuffled.sads_high
    assert abs(shuffled.sads) < 0.05


def test_without_shared_meaning_the_ratio_is_infinite_and_never_nan():
    layers = [pure_noise(1, 3, 20, d=10, seed=s)[0] for s in range(12)]
    results = [measure(layer) for layer in layers]
    assert all((r.ratio == np.inf) == (r.sads <= 0) for r in results)
    assert any(r.ratio == np.inf for r in results)
    assert any(np.isfinite(r.ratio) for r in results)
    # whenever SADS cannot be told from 0, the upper end says so
    assert all((r.ratio_high == np.inf) == (r.sads_low <= 0) for r in results)
    assert not any(np.isnan(value).any() for r in results for value in vars(r).values())


def test_rotation_scale_and_common_order_change_nothing(aligned):
    turned = 7 * aligned @ ortho_group.rvs(12, random_state=0)
    order = np.random.default_rng(0).permutation(30)
    weights = bootstrap_weights(30, n_resamples=20, seed=0)
    plain = region_scores(aligned, weights=weights)
    moved = region_scores(turned[:, order], weights=weights[:, order])
    for name, value in vars(plain).items():
        assert np.asarray(getattr(moved, name)) == pytest.approx(np.asarray(value), abs=1e-10)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_lengths_at_the_edge_of_float64_are_no_matter(scale, aligned):
    assert measure(aligned * scale).lrds == pytest.approx(measure(aligned).lrds, abs=1e-12)


def test_the_length_of_a_single_vector_is_no_matter_in_raw_space(aligned):
    stretched = aligned.copy()
    stretched[1, 3] *= 50
    assert measure(stretched).lrds == pytest.approx(measure(aligned).lrds, abs=1e-12)


def test_intervals_hold_their_estimate_and_cover():
    """The population value is taken from a sample so large that its own error is negligible."""
    population = planted_pooled(1, 3, 4000, d=8, shared_layers=[0], seed=99)[0]
    truth = measure(population, n_resamples=2)
    hits = {"lrds_centred": 0, "sads": 0}
    for seed in range(80):
        rows = np.random.default_rng(seed).choice(4000, 50, replace=False)
        result = measure(population[:, rows], n_resamples=150, seed=seed)
        for name in hits:
            low, high = getattr(result, f"{name}_low"), getattr(result, f"{name}_high")
            assert low <= getattr(result, name) <= high
            hits[name] += low <= getattr(truth, name) <= high
    # 95 % nominal; 68 of 80 is 4 sd under it
    assert min(hits.values()) >= 68


def test_samples_follow_the_rows_of_the_weights(aligned):
    weights = bootstrap_weights(30, n_resamples=40, seed=0)
    forward = region_scores(aligned, weights=weights)
    backward = region_scores(aligned, weights=weights[::-1])
    assert forward.lrds_centred_samples.shape == (40,)
    assert backward.lrds_centred_samples[::-1] == pytest.approx(forward.lrds_centred_samples)


def test_language_structure_is_low_exactly_in_the_planted_layers():
    layers = planted_pooled(5, 3, 40, d=16, shared_layers=[1, 2], seed=0)
    scores = [measure(layer) for layer in layers]
    assert max(scores[k].lrds_centred_high for k in (1, 2)) < min(
        scores[k].lrds_centred_low for k in (0, 3, 4)
    )
    assert min(scores[k].sads_low for k in (1, 2)) > max(scores[k].sads_high for k in (0, 3, 4))


def test_a_zero_vector_is_named(aligned):
    spoiled = aligned.copy()
    spoiled[2, 5] = 0
    with pytest.raises(NumericalError, match="language 2, unit 5"):
        measure(spoiled)


def test_a_vector_equal_to_the_global_mean_is_named(rng):
    pooled = rng.standard_normal((2, 6, 3))
    pooled[1, 4] = 0
    pooled[0, 0] -= pooled.sum(axis=(0, 1))
    with pytest.raises(NumericalError, match="language 1, unit 4"):
        measure(pooled + 3)
