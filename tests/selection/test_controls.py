"""Controls: the right size, never the region, reproducible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probekit.selection import select
from probekit.selection.controls import RMU_LAYERS, make_controls


def by_kind(controls):
    return {each.kind: each.layers for each in controls if each.kind != "random_same_size"}


def test_controls_by_hand():
    controls, notes = make_controls((5, 6, 7, 8, 9), n_blocks=12, seed=0)
    assert by_kind(controls) == {
        "shallow": (0, 1, 2, 3, 4),
        "deep": (7, 8, 9, 10, 11),
        "neighbours": (2, 3, 4, 10, 11),
        "all_layers": tuple(range(12)),
        "paper_default": RMU_LAYERS,
    }
    assert not notes


@given(st.integers(3, 24).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_no_control_is_the_region_or_leaves_the_model(case):
    n_blocks, region = case[0], tuple(sorted(case[1]))
    controls, notes = make_controls(region, n_blocks=n_blocks, seed=1)
    for control in controls:
        assert control.layers != region
        assert set(control.layers) <= set(range(n_blocks))
        if control.kind in {"random_same_size", "shallow", "deep", "neighbours"}:
            assert len(control.layers) == len(region) > 0
    random = [each.layers for each in controls if each.kind == "random_same_size"]
    assert len(random) == len(set(random)) <= 3
    if region and len(controls) < 8:
        assert notes


def test_random_controls_follow_from_the_seed_they_carry():
    first, again, other = (
        make_controls((2, 3), n_blocks=12, seed=seed)[0][:3] for seed in (7, 7, 70)
    )
    assert first == again
    assert [each.seed for each in first] == [7, 8, 9]
    assert first != other


@pytest.mark.parametrize(
    ("region", "n_blocks", "words"),
    [
        ((0, 1), 12, "control shallow is left out: it equals the region"),
        ((10, 11), 12, "control deep is left out: it equals the region"),
        ((5, 6, 7), 12, "control paper_default is left out: it equals the region"),
        ((1,), 6, "control paper_default is left out: block 7 is beyond the last of 6"),
        ((0, 1, 2, 3), 6, "control neighbours is left out: only 2 blocks"),
        ((0, 1, 2), 3, "0 of 3 random controls"),
        ((1,), 3, "2 of 3 random controls"),
    ],
)
def test_a_control_left_out_is_warned_of(region, n_blocks, words):
    assert any(words in note for note in make_controls(region, n_blocks=n_blocks, seed=0)[1])


def test_a_refusal_still_carries_the_controls_that_need_no_size(planted):
    found = select(planted(align_p=[0.5] * 12))
    assert [each.kind for each in found.controls] == ["all_layers", "paper_default"]
