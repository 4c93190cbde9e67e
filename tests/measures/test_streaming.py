"""Minibatch CKA: the ratio last, merging, and memory that does not grow."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from probekit.errors import InputError, NumericalError
from probekit.measures import MinibatchCKA, linear_cka, planted_pooled


def stream(batches):
    accumulator = MinibatchCKA(len(batches[0]))
    for batch in batches:
        accumulator.update(batch)
    return accumulator


def batches_of(pooled, size):
    return [pooled[:, start : start + size] for start in range(0, pooled.shape[1], size)]


def test_one_batch_equals_the_gram_form(aligned):
    result = stream([aligned]).result()
    for a in range(3):
        for b in range(3):
            x, y = aligned[a], aligned[b]
            assert result.debiased[a, b] == pytest.approx(linear_cka(x, y), abs=1e-9)
            biased = linear_cka(x, y, debiased=False)
            assert result.biased[a, b] == pytest.approx(biased, abs=1e-9)
    assert (result.n_units, result.n_batches) == (30, 1)


def test_ratio_last_is_right_where_the_mean_of_ratios_is_not():
    """Small batches of spaces that are shared by half: population CKA (1 / (1 + .5²))² = .64."""
    pooled = planted_pooled(1, 2, 3000, d=6, shared_layers=[0], seed=0)[0]
    batches = batches_of(pooled, 5)
    averaged = np.mean([linear_cka(*batch) for batch in batches])
    assert stream(batches).result().mean == pytest.approx(0.64, abs=0.03)
    assert abs(averaged - 0.64) > 0.05


def test_merging_equals_streaming_on(aligned):
    batches = batches_of(aligned, 6)
    merged = stream(batches[:2]).merge(stream(batches[2:])).result()
    whole = stream(batches).result()
    for name, value in vars(whole).items():
        assert np.asarray(getattr(merged, name)) == pytest.approx(np.asarray(value), rel=1e-12)


def test_state_round_trip_and_state_is_a_copy(aligned):
    accumulator = stream([aligned])
    state = accumulator.state()
    again = MinibatchCKA.from_state(state)
    accumulator.update(aligned + np.arange(30)[:, None] ** 2)
    assert again.result().mean == stream([aligned]).result().mean
    assert accumulator.result().mean != again.result().mean


def test_interval_covers_and_one_batch_says_nothing():
    hits = 0
    for seed in range(60):
        pooled = planted_pooled(1, 3, 200, d=6, shared_layers=[0], seed=seed)[0]
        result = stream(batches_of(pooled, 10)).result()
        assert result.mean_low < result.mean < result.mean_high
        hits += result.mean_low <= 0.64 <= result.mean_high
    assert hits >= 51  # 3 sd under 95 % of 60
    alone = stream([pooled]).result()
    assert (alone.mean_low, alone.mean_high) == (-1, 1)


def test_ten_times_the_units_take_no_more_memory(rng):
    batch = rng.standard_normal((3, 64, 32))

    def peak(n_batches):
        accumulator = MinibatchCKA(3)
        accumulator.update(batch)
        tracemalloc.start()
        for k in range(n_batches):
            accumulator.update(batch + k)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(30) < 1.2 * peak(3)


def test_what_does_not_fit_is_refused(aligned):
    with pytest.raises(InputError, match="n_languages"):
        MinibatchCKA(1)
    with pytest.raises(InputError, match="before result"):
        MinibatchCKA(3).result()
    with pytest.raises(InputError, match="3 languages"):
        MinibatchCKA(3).update(aligned[:2])
    with pytest.raises(InputError, match="at least 4 units"):
        MinibatchCKA(3).update(aligned[:, :3])
    with pytest.raises(InputError, match="other must have 3 languages"):
        MinibatchCKA(3).merge(MinibatchCKA(2))
    with pytest.raises(NumericalError, match="language 0"):
        MinibatchCKA(3).update(np.ones((3, 5, 2))).result()
