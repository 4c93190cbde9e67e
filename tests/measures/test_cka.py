"""CKA: closed forms, invariances, planted truth, and nulls that must hold."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ortho_group

from probekit.errors import InputError, NumericalError
from probekit.measures import (
    bootstrap_weights,
    cka,
    linear_cka,
    permutations,
    planted_pooled,
    pure_noise,
)
from probekit.measures.cka import unit_batches


def measure(pooled, *, n_resamples=60, n_permutations=60, **options):
    n = np.shape(pooled)[1]
    return cka(
        pooled,
        weights=bootstrap_weights(n, n_resamples=n_resamples, seed=0),
        permutations=permutations(n, n=n_permutations, seed=0),
        **options,
    )


@pytest.mark.parametrize("debiased", [True, False])
def test_cka_of_x_with_itself_is_one(debiased, rng):
    x = rng.standard_normal((20, 50))
    assert linear_cka(x, x, debiased=debiased) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("debiased", [True, False])
def test_cka_of_a_rotated_scaled_shifted_copy_is_one(debiased, rng):
    x = rng.standard_normal((20, 6))
    y = -3.7 * x @ ortho_group.rvs(6, random_state=1) + rng.standard_normal(6)
    assert linear_cka(x, y, debiased=debiased) == pytest.approx(1, abs=1e-12)


def test_a_linear_map_that_is_no_rotation_is_not_one(rng):
    x = rng.standard_normal((50, 6))
    assert linear_cka(x, x * np.array([30, 1, 1, 1, 1, 1])) < 0.9


@pytest.mark.parametrize("shapes", [((9, 3), (9, 40)), ((30, 2), (30, 5)), ((4, 2), (4, 2))])
@pytest.mark.parametrize("debiased", [True, False])
def test_two_matrices_equal_the_reference(shapes, debiased, rng, reference_cka):
    x, y = (rng.standard_normal(shape) + 3 for shape in shapes)
    y[:, 0] += x[:, 0]
    slow = reference_cka(x, y, debiased)
    assert linear_cka(x, y, debiased=debiased) == pytest.approx(slow, abs=1e-10)


def test_all_pairs_equal_the_reference_pair_by_pair(aligned, reference_cka):
    result = measure(aligned)
    for a in range(3):
        for b in range(3):
            x, y = aligned[a], aligned[b]
            slow = reference_cka(x, y), reference_cka(x, y, debiased=False)
            assert result.debiased[a, b] == pytest.approx(slow[0], abs=1e-10)
            assert result.biased[a, b] == pytest.approx(slow[1], abs=1e-10)
    standard = (aligned - aligned.mean(1, keepdims=True)) / aligned.std(1, keepdims=True)
    assert result.standardised[0, 2] == pytest.approx(
        reference_cka(standard[0], standard[2]), abs=1e-10
    )
    assert result.mean == pytest.approx(result.debiased[np.triu_indices(3, 1)].mean())


def test_known_answer_of_partly_shared_features():
    """Half of the variance directions shared: population CKA is k / d, here one half."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((4000, 5))
    x, y = (np.hstack([shared, rng.standard_normal((4000, 5))]) for _ in range(2))
    assert linear_cka(x, y) == pytest.approx(0.5, abs=0.03)


def test_a_large_common_mean_costs_no_digits(rng):
    x = rng.standard_normal((3, 30, 16))
    far = measure(x + 1e4)
    assert far.debiased == pytest.approx(measure(x).debiased, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scale_is_no_matter(scale, aligned):
    scaled, plain = measure(aligned * scale), measure(aligned)
    assert scaled.debiased == pytest.approx(plain.debiased, abs=1e-10)
    assert scaled.mean_high == pytest.approx(plain.mean_high, abs=1e-10)
    assert scaled.null_samples == pytest.approx(plain.null_samples, abs=1e-10)


def test_a_rotation_of_each_language_changes_no_debiased_number(aligned):
    turned = np.stack([x @ ortho_group.rvs(12, random_state=k) for k, x in enumerate(aligned)])
    plain, moved = measure(aligned), measure(turned)
    for name in ("debiased", "biased", "mean_samples", "null_samples", "pair_low"):
        assert getattr(moved, name) == pytest.approx(getattr(plain, name), abs=1e-10)
    assert moved.standardised != pytest.approx(plain.standardised, abs=1e-6)


def test_a_common_order_of_the_units_changes_nothing(aligned):
    order = np.random.default_rng(0).permutation(30)
    assert measure(aligned[:, order]).debiased == pytest.approx(measure(aligned).debiased)


def test_independent_data_stay_inside_their_null():
    p_values = [
        measure(pure_noise(1, 4, 30, d=20, seed=s)[0], n_permutations=99).p_value for s in range(40)
    ]
    # uniform p: mean .5 (sd .046 over 40), and P(a share of p <= .05 over .2) < .001
    assert 0.35 < np.mean(p_values) < 0.65
    assert np.mean(np.array(p_values) <= 0.05) <= 0.2


def test_null_is_not_narrowed_by_dealing_the_same_rows_to_all_languages():
    """Strongly aligned languages: every draw is a permutation test of one space with itself."""
    pooled = planted_pooled(1, 6, 40, d=10, shared_layers=[0], seed=0, noise=0.1)[0]
    dealt = measure(pooled, n_permutations=400).null_samples
    rng = np.random.default_rng(1)
    fresh = []
    for _ in range(150):
        moved = [x[rng.permutation(40)] for x in pooled]
        fresh.append(np.mean([linear_cka(x, y) for x, y in combinations(moved, 2)]))
    assert dealt.std() == pytest.approx(np.std(fresh), rel=0.25)
    assert dealt.mean() == pytest.approx(np.mean(fresh), abs=4 * np.std(fresh) / np.sqrt(150))


def test_draws_of_the_null_do_not_repeat_each_other():
    """Languages alike: were rows dealt in turn, most pairs of a draw would return in the next."""
    pooled = planted_pooled(1, 8, 30, d=10, shared_layers=[0], seed=0, noise=0.0)[0]
    samples = measure(pooled, n_resamples=2, n_permutations=400).null_samples
    samples = (samples - samples.mean()) / samples.std()
    lagged = [np.mean(samples[:-lag] * samples[lag:]) for lag in range(1, 11)]
    assert np.abs(lagged).max() < 0.35  # a single lag has standard error .05


def test_biased_cka_of_independent_data_is_about_d_over_d_plus_n():
    result = measure(pure_noise(1, 2, 50, d=450, seed=0)[0])
    assert result.biased[0, 1] == pytest.approx(450 / 500, abs=0.02)
    assert abs(result.debiased[0, 1]) < 0.05


def test_debiased_cka_keeps_its_negative_values():
    means = [measure(pure_noise(1, 2, 20, d=50, seed=s)[0], n_resamples=2).mean for s in range(20)]
    assert min(means) < 0 < max(means)


def test_aligned_languages_beat_the_null_as_far_as_it_can_be_beaten(aligned):
    result = measure(aligned)
    assert result.p_value == pytest.approx(1 / 61)
    assert result.mean > result.mean_null95
    assert result.null_samples.shape == (60,)
    assert np.sum(result.null_samples <= result.mean_null95) >= 57


def test_identical_orders_count_against_the_p_value(aligned):
    same = np.tile(np.arange(30), (3, 1))
    # rows equal up to rotation would break pairs; with two languages each draw is the data itself
    result = cka(
        aligned[:2], weights=bootstrap_weights(30, n_resamples=5, seed=0), permutations=same
    )
    assert result.p_value == 1
    assert result.null_samples == pytest.approx(np.full(3, result.mean), abs=1e-12)


@pytest.mark.parametrize(("n", "noise"), [(30, 0.5), (60, 1.0)])
def test_interval_covers_the_population_value(n, noise):
    """z + noise e in width d: CKA is 1 / (1 + noise²)²; 95 % nominal, 120 repetitions."""
    truth = 1 / (1 + noise**2) ** 2
    hits = 0
    for seed in range(120):
        pooled = planted_pooled(1, 3, n, d=8, shared_layers=[0], seed=seed, noise=noise)[0]
        weights = bootstrap_weights(n, n_resamples=150, seed=seed)
        result = cka(pooled, weights=weights, permutations=np.arange(n)[None])
        hits += result.mean_low <= truth <= result.mean_high
    # simulated coverage is 89-96 %, higher on noise: 100 of 120 is 3 sd under 92 %
    assert hits >= 100


def test_interval_narrows_with_more_units():
    wide, narrow = (
        measure(planted_pooled(1, 3, n, d=8, shared_layers=[0], seed=0)[0]) for n in (25, 400)
    )
    # sixteen times the units: a quarter of the width, within what one draw of data allows
    assert 0.1 < (narrow.mean_high - narrow.mean_low) / (wide.mean_high - wide.mean_low) < 0.5


def test_samples_belong_to_the_pair_intervals(aligned):
    result = measure(aligned[:2])
    assert result.mean_low == result.pair_low[0, 1] == pytest.approx(result.pair_low[1, 0])
    assert result.mean_high == result.pair_high[0, 1]
    assert result.mean_samples.mean() == pytest.approx(result.mean, abs=1e-12)
    assert result.pair_low.diagonal() == pytest.approx(1)
    assert result.pair_high.max() <= 1


def test_resamples_follow_the_weights_given(aligned):
    weights = bootstrap_weights(30, n_resamples=40, seed=0)
    orders = permutations(30, n=3, seed=0)
    forward = cka(aligned, weights=weights, permutations=orders)
    backward = cka(aligned, weights=weights[::-1], permutations=orders)
    assert backward.mean_samples[::-1] == pytest.approx(forward.mean_samples, abs=1e-12)


def test_one_rogue_dimension_moves_debiased_cka_but_not_the_controls():
    pooled = planted_pooled(1, 3, 60, d=100, shared_layers=[], seed=0)[0]
    plain = measure(pooled)
    assert abs(plain.mean) < 0.1
    rogue = pooled.copy()
    rogue[:, :, 17] = 100 * np.random.default_rng(0).standard_normal(60)
    result = measure(rogue)
    assert result.mean > 0.99
    assert result.n_rogue_dropped == 1
    off = np.triu_indices(3, 1)
    assert abs(result.without_rogue[off].mean()) < 0.1
    assert abs(result.standardised[off].mean()) < 0.15


@pytest.mark.parametrize(
    ("width", "count"), [(1, 0), (2, 1), (64, 1), (200, 2), (640, 6), (4096, 8)]
)
def test_default_number_of_rogue_dimensions(width, count, rng):
    result = measure(rng.standard_normal((2, 6, width)), n_resamples=2, n_permutations=1)
    assert result.n_rogue_dropped == count


def test_n_rogue_changes_what_is_left_out(aligned):
    none, three = measure(aligned, n_rogue=0), measure(aligned, n_rogue=3)
    assert none.without_rogue == pytest.approx(none.debiased, abs=1e-12)
    assert three.n_rogue_dropped == 3
    variance = aligned.var(axis=1).sum(axis=0)
    kept = np.argsort(variance)[:-3]
    assert three.without_rogue[0, 1] == pytest.approx(
        linear_cka(aligned[0][:, kept], aligned[1][:, kept])
    )


def test_a_constant_feature_is_dropped_where_it_is_constant(aligned):
    with_constant = aligned.copy()
    with_constant[1, :, 4] = 0.1
    result = measure(with_constant)
    others = np.delete(with_constant[1], 4, axis=1)
    standard = [(x - x.mean(0)) / x.std(0) for x in (with_constant[0], others)]
    assert result.standardised[0, 1] == pytest.approx(linear_cka(*standard), abs=1e-12)


def test_batches_sum_first_and_take_the_ratio_last(aligned, reference_hsic):
    result = measure(aligned, max_units=10)
    assert result.n_batches == 3
    parts = [aligned[:, k : k + 10] for k in (0, 10, 20)]
    sums = np.sum([[[reference_hsic(x, y) for y in p] for x in p] for p in parts], axis=0)
    ratio_last = sums / np.sqrt(np.outer(sums.diagonal(), sums.diagonal()))
    assert result.debiased == pytest.approx(ratio_last, abs=1e-10)
    averaged = np.mean([linear_cka(p[0], p[1]) for p in parts])
    assert result.debiased[0, 1] != pytest.approx(averaged, abs=1e-3)


def test_batched_and_exact_agree_on_what_they_estimate():
    pooled = planted_pooled(1, 3, 600, d=8, shared_layers=[0], seed=0)[0]
    exact, batched = measure(pooled), measure(pooled, max_units=60)
    assert (exact.n_batches, batched.n_batches) == (1, 10)
    assert batched.mean == pytest.approx(exact.mean, abs=0.02)
    width = exact.mean_high - exact.mean_low
    assert batched.mean_high - batched.mean_low == pytest.approx(width, rel=0.5)
    assert batched.p_value == exact.p_value
    off = np.triu_indices(3, 1)
    assert batched.standardised[off].mean() == pytest.approx(
        exact.standardised[off].mean(), abs=0.02
    )


def test_permutations_inside_batches_give_a_null_around_zero():
    pooled = planted_pooled(1, 3, 120, d=8, shared_layers=[0], seed=0)[0]
    result = measure(pooled, max_units=30, n_permutations=200)
    assert abs(result.null_samples.mean()) < 0.02
    assert 0 < result.null_samples.std() < 0.1


def test_a_permutation_reorders_units_inside_their_batch(aligned):
    pooled = aligned[:2]
    weights, orders = bootstrap_weights(30, n_resamples=2, seed=0), permutations(30, n=1, seed=3)
    moved = pooled.copy()
    for batch in unit_batches(30, 10):
        moved[1, batch] = pooled[1, batch][np.argsort(orders[0, batch])]
    null = cka(pooled, weights=weights, permutations=orders, max_units=10).null_samples
    expected = cka(moved, weights=weights, permutations=orders, max_units=10).mean
    assert null == pytest.approx(np.array([expected]), abs=1e-12)


@pytest.mark.parametrize("n_units", [4, 8, 9, 17, 100, 2048, 2049, 5000])
@pytest.mark.parametrize("max_units", [8, 100, 2048])
def test_batches_cover_all_units_in_order_and_evenly(n_units, max_units):
    batches = unit_batches(n_units, max_units)
    assert np.concatenate([np.arange(n_units)[b] for b in batches]).tolist() == list(range(n_units))
    sizes = [b.stop - b.start for b in batches]
    assert 4 <= min(sizes) <= max(sizes) <= max_units
    assert max(sizes) - min(sizes) <= 1
    assert (len(batches) == 1) == (n_units <= max_units)


def test_planted_layers_are_found_and_others_are_not():
    layers = planted_pooled(6, 4, 40, d=16, shared_layers=[2, 3], seed=0)
    results = [measure(layer) for layer in layers]
    assert [r.p_value < 0.05 for r in results] == [False, False, True, True, False, False]
    assert min(results[k].mean_low for k in (2, 3)) > max(
        results[k].mean_high for k in (0, 1, 4, 5)
    )


@pytest.mark.parametrize("spoil", ["constant", "one unit"])
def test_a_language_without_spread_is_named(spoil, rng):
    pooled = rng.standard_normal((3, 10, 5))
    pooled[1] = 0.1
    if spoil == "one unit":
        pooled[1, 4] = 7.0
    with pytest.raises(NumericalError, match="language 1"):
        measure(pooled)


@pytest.mark.parametrize("options", [{"n_rogue": -1}, {"n_rogue": 12}, {"max_units": 7}])
def test_options_out_of_range_are_refused(options, aligned):
    with pytest.raises(InputError):
        measure(aligned, **options)


@pytest.mark.parametrize(
    ("x", "y"), [((5, 3), (6, 3)), ((3, 3), (3, 3)), ((5,), (5, 3)), ((5, 3), (2, 5, 3))]
)
def test_matrices_that_do_not_match_are_refused(x, y):
    with pytest.raises(InputError, match="X and Y must"):
        linear_cka(np.ones(x), np.ones(y))


def test_matrices_with_nan_or_no_spread_are_refused(rng):
    x = rng.standard_normal((6, 3))
    bad = x.copy()
    bad[2, 1] = np.nan
    with pytest.raises(NumericalError, match="Y: every value must be finite"):
        linear_cka(x, bad)
    with pytest.raises(NumericalError):
        linear_cka(x, np.ones((6, 3)))
