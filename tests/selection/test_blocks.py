"""Runs, overlap and spelling of sets of blocks."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probekit.selection.blocks import describe, is_contiguous, jaccard, longest_run, runs_of

BLOCKS = st.sets(st.integers(0, 19))


@given(BLOCKS)
def test_runs_partition_the_blocks_and_never_touch(blocks):
    runs = runs_of(blocks)
    assert sorted(block for run in runs for block in run) == sorted(blocks)
    assert all(run == tuple(range(run[0], run[-1] + 1)) for run in runs)
    assert all(left[-1] + 1 < right[0] for left, right in itertools.pairwise(runs))


@given(BLOCKS)
def test_longest_run_is_the_longest_window_inside_the_blocks(blocks):
    windows = [
        length
        for length in range(21)
        if any(set(range(start, start + length)) <= blocks for start in range(21 - length))
    ]
    assert len(longest_run(blocks, np.ones(20))) == max(windows)


def test_longest_run_breaks_a_tie_by_mean_weight_then_by_depth():
    weight = np.array([0.6, 0.6, 0.0, 0.9, 0.9, 0.0, 0.9, 0.9])
    blocks = {0, 1, 3, 4, 6, 7}
    assert longest_run(blocks, weight) == (3, 4)
    assert longest_run(blocks, np.ones(8)) == (0, 1)


def test_longest_run_prefers_length_over_weight():
    assert longest_run({0, 1, 3}, np.array([0.1, 0.1, 0.0, 1.0])) == (0, 1)


@given(BLOCKS, BLOCKS)
def test_jaccard_is_symmetric_within_bounds_and_one_only_for_equal_sets(a, b):
    assert jaccard(a, b) == jaccard(b, a)
    assert 0 <= jaccard(a, b) <= 1
    assert (jaccard(a, b) == 1) == (a == b)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [((1, 2, 3), (2, 3, 4), 0.5), ((1,), (2,), 0.0), ((), (2,), 0.0), ((), (), 1.0)],
)
def test_jaccard_by_hand(a, b, expected):
    assert jaccard(a, b) == expected


@pytest.mark.parametrize(
    ("blocks", "text", "contiguous"),
    [((5, 6, 7), "5–7", True), ((3, 5, 6), "3, 5–6", False), ((4,), "4", True), ((), "none", True)],
)
def test_blocks_are_written_as_spans(blocks, text, contiguous):
    assert describe(blocks) == text
    assert is_contiguous(blocks) is contiguous
