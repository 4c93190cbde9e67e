"""Rogue dimensions: planted ones are found, with their share."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError, NumericalError
from probekit.measures import rogue, rogue_dimensions


def test_planted_dimensions_are_listed_with_their_share(rng):
    pooled = rng.standard_normal((3, 200, 20))
    pooled[:, :, 4] *= 30
    pooled[:, :, 11] *= 10
    found = rogue_dimensions(pooled, 2)
    assert found.indices.tolist() == [4, 11]
    # 900 and 100 of 1018
    assert found.shares == pytest.approx([900 / 1018, 100 / 1018], abs=0.03)


def test_a_dimension_that_only_tells_languages_apart_has_no_variance(rng):
    pooled = rng.standard_normal((2, 50, 5))
    pooled[0, :, 3] = 1000.0
    pooled[1, :, 3] = -1000.1
    found = rogue_dimensions(pooled)
    assert found.indices[-1] == 3
    assert found.shares[-1] == 0


def test_participation_ratio_counts_equal_features():
    signs = np.array([1.0, -1.0, 1.0, -1.0])[None, :, None]
    assert rogue_dimensions(np.ones((1, 4, 7)) * signs).participation_ratio == pytest.approx(7)
    one = np.zeros((1, 4, 7))
    one[:, :, 2] = signs[..., 0]
    assert rogue_dimensions(one).participation_ratio == pytest.approx(1)


def test_ties_go_to_the_lower_index_and_top_is_cut_at_the_width():
    signs = np.array([1.0, -1.0])[None, :, None]
    found = rogue_dimensions(np.ones((1, 2, 3)) * signs, 9)
    assert found.indices.tolist() == [0, 1, 2]


def test_shares_sum_to_one_and_do_not_see_mean_or_scale(rng):
    pooled = rng.standard_normal((2, 40, 6))
    plain, moved = rogue_dimensions(pooled, 6), rogue_dimensions(1e6 + 50 * pooled, 6)
    assert plain.shares.sum() == pytest.approx(1)
    assert moved.indices.tolist() == plain.indices.tolist()
    assert moved.shares == pytest.approx(plain.shares, rel=1e-6)


def test_blocks_of_units_do_not_change_the_moments(rng, monkeypatch):
    pooled = rng.standard_normal((2, 50, 6)) + 100
    monkeypatch.setattr(rogue, "_CELLS", 2 * 6 * 7)
    mean, variance = rogue.feature_moments(pooled)
    assert mean == pytest.approx(pooled.mean(axis=1))
    assert variance == pytest.approx(pooled.var(axis=1), rel=1e-9)


def test_nothing_to_rank_is_refused(rng):
    with pytest.raises(NumericalError, match="vary"):
        rogue_dimensions(np.full((2, 5, 3), 0.1))
    with pytest.raises(InputError, match="top"):
        rogue_dimensions(rng.standard_normal((2, 5, 3)), 0)
