"""Order of the blocks, its uncertainty, and agreement of measures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from probekit.selection import select
from probekit.selection.agreement import kendall_tau, taus_by_column

SMALL = st.lists(st.integers(0, 4), min_size=8, max_size=8)


@given(SMALL, SMALL)
def test_kendall_tau_equals_scipy_with_ties(a, b):
    ours = kendall_tau(np.array(a, float), np.array(b, float))
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert ours is None
    else:
        assert ours == pytest.approx(kendalltau(a, b).statistic, abs=1e-12)


@given(SMALL, SMALL)
def test_taus_of_columns_are_the_taus_of_each(a, b):
    pairs = np.array([a, b, a], float).T, np.array([b, a, a], float).T
    each = [kendall_tau(x, y) for x, y in zip(pairs[0].T, pairs[1].T, strict=True)]
    expected = [tau for tau in each if tau is not None]
    np.testing.assert_allclose(taus_by_column(*pairs), expected, atol=1e-12)


def test_kendall_tau_ranks_infinities():
    finite = np.array([1.0, 2.0, 3.0, 4.0])
    infinite = np.array([1.0, 2.0, np.inf, np.inf])
    assert kendall_tau(finite, infinite) == pytest.approx(5 / np.sqrt(6 * 5))


@pytest.mark.parametrize("rule", ["plateau", "mute"])
def test_every_block_is_ranked_and_a_block_clears_where_its_margin_is_not_negative(planted, rule):
    found = select(planted(), rule=rule)
    scores = [each.score for each in found.ranked]
    assert sorted(each.layer for each in found.ranked) == list(range(12))
    assert scores == sorted(scores, reverse=True)
    assert {each.layer for each in found.ranked if each.score >= 0} == set(found.region)
    for each in found.ranked:
        assert each.selected_in == found.probabilities[each.layer]
        assert 1 <= each.rank_low <= each.rank_high <= 12


def test_rank_interval_widens_with_noise(planted):
    widths = [
        np.mean([each.rank_high - each.rank_low for each in select(planted(sd=sd)).ranked])
        for sd in (1e-4, 0.05)
    ]
    assert widths[0] < widths[1]


def test_measures_that_favour_the_same_blocks_agree(evidence_of):
    align = np.linspace(0.1, 0.9, 8)
    agreement = select(evidence_of(align, 1 - align, align)).agreement
    agreement = [each for each in agreement if not each.metric_b.startswith("rule:")]
    taus = {each.metric_b: each.kendall_tau for each in agreement}
    assert taus == pytest.approx({"-lrds_centred": -1.0, "-lrds": 1.0, "-lrds_over_sads": 1.0})


def test_a_constant_measure_has_no_agreement(planted):
    agreement = select(planted(ratio=np.full(12, np.inf))).agreement
    assert "-lrds_over_sads" not in {each.metric_b for each in agreement}
