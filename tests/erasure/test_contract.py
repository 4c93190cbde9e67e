"""The contract catches one planted tensor, whichever way it breaks."""

from __future__ import annotations

import copy

import pytest
import torch

from probekit.erasure import check_contract, fingerprint
from probekit.erasure.contract import Contract
from probekit.errors import InputError, NumericalError
from tests.tiny import tiny_model, tiny_subject

DOWN = "model.layers.1.mlp.down_proj.weight"
OTHER = "model.layers.2.self_attn.o_proj.weight"


@pytest.fixture(scope="module")
def model():
    return tiny_model("llama")


@pytest.fixture(scope="module")
def before(model):
    return fingerprint(model)


def changed(model, *names):
    other = copy.deepcopy(model)
    with torch.no_grad():
        for name in names:
            other.get_parameter(name).view(-1)[0] += 1e-3
    return fingerprint(other)


def test_a_fingerprint_names_every_tensor_and_is_the_same_twice(model, before):
    assert before == fingerprint(copy.deepcopy(model))
    assert set(before) == set(model.state_dict())
    assert all(len(digest) == 64 for digest in before.values())


def test_a_subject_a_model_and_its_state_have_one_fingerprint(model):
    subject = tiny_subject("llama")
    assert fingerprint(subject) == fingerprint(subject.model)
    assert fingerprint(subject) == fingerprint(subject.model.state_dict())


def test_only_the_allowed_tensor_moved(model, before):
    contract = check_contract(before, changed(model, DOWN), [DOWN])
    assert contract.ok
    assert contract.moved == (DOWN,)
    assert contract.unmoved == contract.extra == contract.missing == ()
    assert contract.require() is contract


def test_one_planted_extra_tensor_breaks_it(model, before):
    contract = check_contract(before, changed(model, DOWN, OTHER), [DOWN])
    assert not contract.ok
    assert contract.extra == (OTHER,)
    with pytest.raises(NumericalError, match=r"1 of \d+ tensors moved without being selected"):
        contract.require()


def test_an_allowed_tensor_that_did_not_move_is_said(model, before):
    contract = check_contract(before, changed(model, DOWN), [DOWN, OTHER])
    assert contract.ok
    assert contract.unmoved == (OTHER,)
    assert "1 unmoved" in str(contract)


def test_an_allowed_tensor_that_does_not_exist_breaks_it(model, before):
    contract = check_contract(before, changed(model, DOWN), [DOWN, "model.layers.9.x"])
    assert contract.missing == ("model.layers.9.x",)
    assert not contract.ok


@pytest.mark.parametrize("way", ["gone", "new", "dtype", "shape"])
def test_a_tensor_that_goes_comes_or_changes_type_or_shape_is_extra(model, before, way):
    state = dict(model.state_dict())
    name = OTHER
    if way == "gone":
        del state[OTHER]
    elif way == "new":
        name = "planted"
        state[name] = torch.zeros(2)
    elif way == "dtype":
        state[OTHER] = state[OTHER].double()
    else:
        state[OTHER] = state[OTHER].reshape(-1)
    assert check_contract(before, fingerprint(state), [DOWN]).extra == (name,)


def test_a_tied_head_is_there_under_both_names():
    model = tiny_model("llama", tie_word_embeddings=True)
    found = fingerprint(model)
    assert found["lm_head.weight"] == found["model.embed_tokens.weight"]


def test_a_contract_survives_json(model, before):
    contract = check_contract(before, changed(model, DOWN, OTHER), [DOWN])
    assert Contract.from_json(contract.to_json()) == contract


def test_an_empty_fingerprint_is_refused(before):
    with pytest.raises(InputError, match="fingerprints must hold a tensor each"):
        check_contract(before, {}, [DOWN])
