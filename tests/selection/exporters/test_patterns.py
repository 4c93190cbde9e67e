"""Patterns accept the names they were made from and nothing near them."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probekit.selection.exporters.patterns import exact_patterns

TAILS = ("mlp.down_proj.weight", "mlp.down_proj.bias", "mlp.down_proj", "mlp.down", "w")
EVERY = [f"a.b.{block}.{tail}" for block, tail in itertools.product(range(24), TAILS)]
DECOYS = [name.replace(".", "x", 1) for name in EVERY] + [f"v.{name}" for name in EVERY]
DECOYS += [f"{name}.more" for name in EVERY] + ["a.b.w", "a.b.c.w", "lm_head.weight"]


def accepted(patterns):
    return {n for n in (*EVERY, *DECOYS) if any(re.fullmatch(p, n) for p in patterns)}


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(EVERY), min_size=1))
def test_exactly_the_names_given(names):
    assert accepted(exact_patterns(sorted(names), layers_path="a.b")) == names


def test_blocks_of_one_make_share_one_pattern():
    names = [f"a.b.{block}.{tail}" for block in (3, 11) for tail in TAILS[:2]]
    [pattern] = exact_patterns(names, layers_path="a.b")
    assert pattern == r"a\.b\.(3|11)\.(mlp\.down_proj\.weight|mlp\.down_proj\.bias)"


def test_a_name_outside_the_blocks_stands_alone():
    patterns = exact_patterns(["lm_head.weight", "a.b.2.w"], layers_path="a.b")
    assert accepted(patterns) == {"lm_head.weight", "a.b.2.w"}


@pytest.mark.parametrize("path", ["a.b", "a"])
def test_dots_are_left_to_tools_that_escape_them(path):
    [pattern] = exact_patterns([f"{path}.2.w"], layers_path=path, escape=str)
    assert pattern == f"{path}.2.w"
