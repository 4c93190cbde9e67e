"""Groups are balanced and seeded, exchanges stay within units, the jackknife fits a mean."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from probekit.errors import InputError
from probekit.measures.unit_groups import (
    exchanged_labels,
    halves,
    jackknife_band,
    jackknife_error,
    unit_groups,
)


def test_groups_are_balanced_and_drawn_from_the_seed():
    groups = unit_groups(21, 8, seed=3)
    assert sorted(np.bincount(groups)) == [2] * 3 + [3] * 5
    assert np.array_equal(groups, unit_groups(21, 8, seed=3))
    assert not np.array_equal(groups, unit_groups(21, 8, seed=4))
    assert not np.array_equal(np.sort(groups), groups)


@pytest.mark.parametrize("n_groups", [1, 9])
def test_too_few_or_too_many_groups_are_refused(n_groups):
    with pytest.raises(InputError, match="between 2 and the 8 units"):
        unit_groups(8, n_groups, seed=0)


def test_every_exchange_is_an_order_of_the_languages_within_each_unit():
    labels = exchanged_labels(30, 4, n=3, seed=1)
    assert labels.shape == (3, 30, 4)
    assert (np.sort(labels, axis=2) == np.arange(4)).all()
    assert not (labels == np.arange(4)).all(axis=2).all()
    assert not np.array_equal(labels[0], labels[1])
    share = np.bincount(exchanged_labels(4000, 4, n=1, seed=1)[0, :, 0]) / 4000
    np.testing.assert_allclose(share, 0.25, atol=0.03)  # four standard errors


def test_an_exchange_needs_two_languages():
    with pytest.raises(InputError, match="n_languages >= 2"):
        exchanged_labels(5, 1, n=1, seed=0)


def test_halves_are_every_cut_once():
    cuts = {tuple(half) for half in halves(4)}
    assert cuts == {(0, 1), (0, 2), (0, 3)}
    assert len(halves(8)) == 35


def test_the_jackknife_of_a_mean_is_its_standard_error(rng):
    groups = rng.standard_normal(8)
    replicates = (groups.sum() - groups) / 7
    expected = groups.std(ddof=1) / np.sqrt(8)
    np.testing.assert_allclose(jackknife_error(replicates), expected)
    low, high = jackknife_band(groups.mean(), replicates)
    t = stats.ttest_1samp(groups, 0).confidence_interval(0.95)
    np.testing.assert_allclose((low, high), (t.low, t.high))


def test_a_band_stays_in_the_range_of_its_statistic():
    low, high = jackknife_band(0.5, np.array([0.0, 1.0]), least=0, most=0.8)
    assert (low, high) == (0.0, 0.8)


def test_one_group_has_no_error():
    with pytest.raises(InputError, match="at least 2 groups"):
        jackknife_error(np.zeros((1, 3)))
