"""Zeroed neurons: exactly those, in exactly those rows, and nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probekit.ablation.zeroing import as_sets, random_like, size, zeroed
from probekit.errors import InputError, ModelError
from probekit.models.examination import count_hooks
from tests.tiny import D_MLP, N_BLOCKS, tiny_subject

FAMILIES = ("llama", "gpt2", "phi3", "bloom", "gemma3", "opt")
IDS = torch.tensor([[5, 40, 41, 42, 43], [5, 50, 51, 52, 53]])


def logits(subject):
    with torch.no_grad():
        return subject.model(IDS).logits


def width_of(subject):
    return subject.anatomy.require_neurons().width


@pytest.mark.parametrize("family", FAMILIES)
def test_zeroing_nothing_changes_nothing(family):
    subject = tiny_subject(family)
    plain = logits(subject)
    with zeroed(subject, [{}], [0, 0]):
        assert torch.equal(logits(subject), plain)
    nothing = {1: np.zeros(0, dtype=np.int64)}
    with zeroed(subject, [nothing], [0, 0]):
        assert torch.equal(logits(subject), plain)


@pytest.mark.parametrize("family", FAMILIES)
def test_zeroing_a_layer_is_a_model_with_that_down_projection_zeroed(family):
    subject, broken = tiny_subject(family), tiny_subject(family)
    neurons = broken.anatomy.require_neurons()
    down = broken.model.get_submodule(f"{broken.anatomy.block(1)}.{neurons.down}")
    with torch.no_grad():
        down.weight.zero_()
    with zeroed(subject, [{1: np.arange(neurons.width)}], [0, 0]):
        assert torch.equal(logits(subject), logits(broken))
    assert not torch.equal(logits(subject), logits(broken))


def test_one_neuron_is_one_column_of_the_down_projection():
    subject, broken = tiny_subject("llama"), tiny_subject("llama")
    with torch.no_grad():
        broken.model.model.layers[2].mlp.down_proj.weight[:, 7] = 0
    with zeroed(subject, [{2: np.array([7])}], [0, 0]):
        torch.testing.assert_close(logits(subject), logits(broken))


@pytest.mark.parametrize("family", ["llama", "opt"])
def test_each_row_has_its_own_set(family):
    subject = tiny_subject(family)
    plain, sets = logits(subject), [{0: np.arange(20)}, {}]
    with zeroed(subject, sets, [1, 0]):
        mixed = logits(subject)
    with zeroed(subject, sets, [0, 0]):
        both = logits(subject)
    torch.testing.assert_close(mixed[0], plain[0])
    torch.testing.assert_close(mixed[1], both[1])
    assert not torch.allclose(mixed[1], plain[1])


def test_hooks_go_after_an_exception_and_weights_stay():
    subject = tiny_subject("llama")
    before, hash_before = count_hooks(subject.model), tiny_subject("llama").state_sha256

    def fail():
        with zeroed(subject, [{0: np.arange(5)}], [0]):
            assert count_hooks(subject.model) == before + 1
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert count_hooks(subject.model) == before
    assert subject.state_sha256 == hash_before


def test_a_mixture_of_experts_is_refused_by_name():
    with pytest.raises(ModelError, match="Mixtral"), zeroed(tiny_subject("mixtral"), [{}], [0]):
        pass


def test_pairs_become_sets_by_block_without_repeats():
    sets = as_sets({"en": [(2, 5), (0, 1), (2, 3), (2, 5)], "de": []}, n_blocks=3, width=6)
    assert {layer: rows.tolist() for layer, rows in sets["en"].items()} == {0: [1], 2: [3, 5]}
    assert sets["de"] == {}
    assert size(sets["en"]) == 3


@pytest.mark.parametrize(
    ("neurons", "said"),
    [
        ([(3, 0)], r"blocks 0 … 2.*\(3, 0\)"),
        ([(0, -1)], r"\(0, -1\)"),
        ([(0, 6)], r"neurons 0 … 5"),
        ([1, 2], r"pairs \(block, neuron\)"),
        ([(0.5, 1.0)], "whole numbers"),
    ],
)
def test_neurons_that_are_not_there_are_refused(neurons, said):
    with pytest.raises(InputError, match=said):
        as_sets({"en": neurons}, n_blocks=3, width=6)


def test_random_neurons_have_the_same_count_per_block_and_are_others():
    chosen = {0: np.array([1, 4, 9]), 2: np.arange(20)}
    draws = [random_like(chosen, width=D_MLP, rng=np.random.default_rng(s)) for s in (0, 1, 0)]
    for drawn in draws:
        assert {layer: len(set(rows)) for layer, rows in drawn.items()} == {0: 3, 2: 20}
        assert not set(drawn[0]) & set(chosen[0])
        assert not set(drawn[2]) & set(chosen[2])
    assert not np.array_equal(draws[0][2], draws[1][2])
    assert np.array_equal(draws[0][2], draws[2][2])


def test_random_neurons_where_few_others_are_left():
    drawn = random_like({0: np.arange(5)}, width=6, rng=np.random.default_rng(0))
    assert len(set(drawn[0])) == 5


def test_the_tiny_models_have_the_blocks_that_are_zeroed():
    assert N_BLOCKS == 3
    assert width_of(tiny_subject("llama")) == D_MLP
