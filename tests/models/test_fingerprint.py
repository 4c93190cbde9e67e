"""The hash of a model changes with any value, name, type or shape, and with nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from probekit.models.fingerprint import names_sha256, state_sha256
from tests.tiny import tiny_model, tiny_subject


def linear(dtype=torch.float32, width=3):
    layer = nn.Linear(2, width, bias=False).to(dtype)
    nn.init.constant_(layer.weight, 0.5)
    return layer


def test_same_weights_have_the_same_hash():
    assert state_sha256(tiny_model("llama")) == state_sha256(tiny_model("llama"))
    assert state_sha256(tiny_model("llama")) != state_sha256(tiny_model("llama", seed=1))


def test_one_bit_changes_the_hash():
    model = tiny_model("gpt2")
    before = state_sha256(model)
    model.transformer.h[2].mlp.c_fc.bias[0] += 1e-6
    assert state_sha256(model) != before


@pytest.mark.parametrize(
    "other", [linear(torch.bfloat16), linear(width=4), nn.Sequential(linear())]
)
def test_type_shape_and_name_change_the_hash(other):
    assert state_sha256(other) != state_sha256(linear())


def test_memory_layout_does_not_change_the_hash():
    model = linear()
    before = state_sha256(model)
    model.weight = nn.Parameter(torch.full((2, 3), 0.5).T)
    assert not model.weight.is_contiguous()
    assert state_sha256(model) == before


def test_empty_and_scalar_tensors_are_hashed():
    model = nn.Module()
    model.register_buffer("empty", torch.zeros(0))
    model.register_buffer("scalar", torch.tensor(3, dtype=torch.int64))
    before = state_sha256(model)
    model.scalar += 1
    assert state_sha256(model) != before


def test_names_are_a_set():
    assert names_sha256(["b", "a"]) == names_sha256(["a", "b"])
    assert names_sha256(["a", "b"]) != names_sha256(["ab"])


def test_a_subject_knows_its_hash_and_its_numbers():
    subject = tiny_subject("llama")
    assert subject.state_sha256 == state_sha256(subject.model)
    assert subject.n_parameters == sum(p.numel() for p in subject.model.parameters())
    assert "3 blocks, width 32" in repr(subject)
    assert subject._repr_html_().startswith("<code>Subject(&#x27;tiny-llama")
