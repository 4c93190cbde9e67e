"""ANC: numpy's own correlations, chance on noise, constant dimensions skipped and counted."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from scipy.stats import ortho_group

from probekit.errors import NumericalError
from probekit.measures import anc, bootstrap_weights, planted_pooled, pure_noise

module = import_module("probekit.measures.anc")


def measure(pooled, n_resamples=50):
    return anc(pooled, weights=bootstrap_weights(pooled.shape[1], n_resamples=n_resamples, seed=0))


def loop(x, y):
    return np.mean([np.corrcoef(x[:, j], y[:, j])[0, 1] for j in range(x.shape[1])])


def test_tables_equal_a_loop_over_dimensions(aligned):
    result = measure(aligned)
    for a in range(3):
        for b in range(3):
            assert result.table[a, b] == pytest.approx(loop(aligned[a], aligned[b]), abs=1e-12)
    assert result.mean == pytest.approx(result.table[np.triu_indices(3, 1)].mean())
    assert result.low < result.mean < result.high
    assert result.n_constant == 0


def test_noise_is_at_zero():
    results = [measure(pure_noise(1, 4, 50, d=20, seed=s)[0]) for s in range(10)]
    assert np.mean([result.mean for result in results]) == pytest.approx(0, abs=0.01)
    assert np.mean([result.low < 0 < result.high for result in results]) >= 0.7


def test_scale_and_offset_of_each_dimension_change_nothing(aligned, rng):
    moved = aligned * rng.uniform(0.1, 9, (3, 1, 12)) + rng.standard_normal((3, 1, 12))
    assert measure(moved).table == pytest.approx(measure(aligned).table, abs=1e-12)


def test_it_depends_on_the_basis_and_copies_are_one(rng):
    one = rng.standard_normal((40, 12))
    turned = one @ ortho_group.rvs(12, random_state=0)
    result = measure(np.stack([one, 2 * one + 1, turned]))
    assert result.table[0, 1] == pytest.approx(1)
    assert abs(result.table[0, 2]) < 0.3


def test_constant_dimensions_are_skipped_and_counted(aligned):
    aligned[1, :, 4] = 7.0
    aligned[2, :, 4] = 1e9
    aligned[2, :, 9] = 0.0
    result = measure(aligned)
    assert result.n_constant == 2
    assert result.table[0, 1] == pytest.approx(
        loop(np.delete(aligned[0], 4, 1), np.delete(aligned[1], 4, 1))
    )
    assert result.table[1, 2] == pytest.approx(
        loop(np.delete(aligned[1], [4, 9], 1), np.delete(aligned[2], [4, 9], 1))
    )
    assert result.table[1, 1] == 1


def test_the_interval_is_that_of_a_bootstrap():
    pooled = planted_pooled(1, 3, 120, d=6, shared_layers=[0], seed=3, noise=0.7)[0]
    weights = bootstrap_weights(120, n_resamples=600, seed=0)
    result = anc(pooled, weights=weights)
    rows = [np.repeat(np.arange(120), w) for w in weights]
    pairs = ((0, 1), (0, 2), (1, 2))
    drawn = [np.mean([loop(pooled[a, r], pooled[b, r]) for a, b in pairs]) for r in rows]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert result.low == pytest.approx(low, abs=0.15 * (high - low))
    assert result.high == pytest.approx(high, abs=0.15 * (high - low))


def test_blocks_of_units_do_not_change_it(monkeypatch, aligned):
    whole = measure(aligned)
    monkeypatch.setattr(module, "_CELLS", 3 * 12 * 7)
    cut = measure(aligned)
    assert cut.table == pytest.approx(whole.table, abs=1e-12)
    assert (cut.low, cut.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


def test_languages_with_no_dimension_in_common_are_named(aligned):
    aligned[0, :, :6] = 1.0
    aligned[2, :, 6:] = 1.0
    with pytest.raises(NumericalError, match="Languages 0 and 2 have none"):
        measure(aligned)
