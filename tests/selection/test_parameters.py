"""Tensor names, their hash and their pattern, in several dialects."""

import hashlib
import re

import pytest

from probekit.errors import RuleError
from probekit.selection import select
from probekit.selection.parameters import name_parameters


def matched(card, pattern):
    return {name for name in card.parameters if re.fullmatch(pattern, name)}


@pytest.mark.parametrize(
    ("dialect", "tails"),
    [
        ("llama", ["mlp.down_proj.weight"]),
        ("gpt2", ["mlp.c_proj.weight", "mlp.c_proj.bias"]),
        ("gpt_neox", ["mlp.dense_4h_to_h.weight", "mlp.dense_4h_to_h.bias"]),
        ("fused_experts", ["mlp.experts.down_proj"]),
    ],
)
def test_names_and_pattern_pick_exactly_the_blocks_asked(card_of, dialect, tails):
    card = card_of(dialect, n_layers=22)
    named, notes = name_parameters(card, (1, 2), ("mlp_out",))
    expected = [f"{card.layers_path}.{block}.{tail}" for block in (1, 2) for tail in tails]
    assert list(named.names) == expected
    assert matched(card, named.pattern) == set(expected)  # neither 11, 12 nor 21
    assert named.numel == sum(card.parameters[name] for name in expected)
    assert named.share == pytest.approx(named.numel / sum(card.parameters.values()))
    assert named.names_sha256 == hashlib.sha256("\n".join(sorted(expected)).encode()).hexdigest()
    assert not notes


def test_roles_choose_the_tensors(card_of, planted):
    card = card_of("gpt2")
    both = select(planted(), card=card, roles=("mlp_out", "attn_out"))
    attention = select(planted(), card=card, roles=("attn_out",))
    assert len(both.parameters.names) == 2 * len(attention.parameters.names) == 12
    assert matched(card, attention.parameters.pattern) == set(attention.parameters.names)
    assert all(".attn.c_proj." in name for name in attention.parameters.names)


def test_a_repeated_role_names_its_tensors_once(card_of, planted):
    twice = select(planted(), card=card_of(), roles=("mlp_out", "mlp_out"))
    assert twice.parameters.names == select(planted(), card=card_of()).parameters.names


def test_pattern_lists_the_names_where_blocks_are_of_unequal_make(card_of):
    card = card_of("gpt2")
    parameters = dict(card.parameters)
    del parameters["transformer.h.3.mlp.c_proj.weight"]
    del parameters["transformer.h.4.attn.c_proj.weight"]
    del parameters["transformer.h.4.attn.c_proj.bias"]
    uneven = card_of("gpt2", parameters=parameters)
    named, notes = name_parameters(uneven, (3, 4), ("mlp_out", "attn_out"))
    assert matched(uneven, named.pattern) == set(named.names)
    assert len(named.names) == 5
    assert notes == ["the model has no tensor for attn_out of block 4"]


def test_a_sibling_outside_the_selection_is_not_matched(card_of):
    # a block's own name that the product of blocks and tails would reach by accident
    parameters = {
        "model.layers.1.mlp.down_proj.weight": 4,
        "model.layers.1.mlp.down_proj.bias": 1,
        "model.layers.2.mlp.down_proj": 4,
        "model.layers.2.mlp.down_proj_scale.weight": 1,
    }
    card = card_of("llama", n_layers=3, parameters=parameters)
    named, _ = name_parameters(card, (1, 2), ("mlp_out",))
    assert (
        matched(card, named.pattern)
        == set(named.names)
        == set(parameters) - {"model.layers.2.mlp.down_proj_scale.weight"}
    )


def test_a_dot_in_the_path_is_a_dot(card_of):
    card = card_of("llama", n_layers=2)
    decoy = {"modelxlayers.1.mlp.down_proj.weight": 1}
    card = card_of("llama", n_layers=2, parameters=dict(card.parameters) | decoy)
    named, _ = name_parameters(card, (1,), ("mlp_out",))
    assert matched(card, named.pattern) == {"model.layers.1.mlp.down_proj.weight"}


def test_roles_that_name_no_tensor_are_refused(card_of, planted):
    card = card_of(roles={"mlp_out": "mlp.c_proj"})
    with pytest.raises(RuleError, match=r"Got none under 'model\.layers\.5\.mlp\.c_proj'"):
        select(planted(), card=card)


def test_without_a_card_or_a_region_no_tensor_is_named(card_of, planted):
    for found in (select(planted()), select(planted(align_p=[0.5] * 12), card=card_of())):
        assert found.parameters.names == ()
        assert found.parameters.numel == 0
        assert found.parameters.names_sha256 == hashlib.sha256(b"").hexdigest()
    assert any("no tensor is named" in warning for warning in select(planted()).warnings)
