"""From the residual stream to logits: scales, caps, projections, masked-language heads."""

from __future__ import annotations

import pytest
import torch

from probekit.errors import ModelError
from probekit.models.families import head_scales
from probekit.models.head import before_unembedding, final_norm, unembedding
from tests.tiny import (
    CAUSAL,
    ENCODER_DECODERS,
    MASKED,
    subject_of,
    tiny_config,
    tiny_model,
    tiny_subject,
)

X = torch.linspace(-2, 2, 64).reshape(2, 32)


def test_granite_divides_its_logits():
    subject = tiny_subject("granite")
    raw = subject.model.lm_head(subject.model.model.norm(X))
    torch.testing.assert_close(subject.logits(X), raw / 4)


def test_cohere_multiplies_its_logits():
    subject = tiny_subject("cohere")
    raw = subject.model.lm_head(subject.model.model.norm(X))
    torch.testing.assert_close(subject.logits(X), raw / 4)  # logit_scale 0.25


def test_gemma2_caps_its_logits():
    subject = tiny_subject("gemma2", final_logit_softcapping=2.0)
    raw = subject.model.lm_head(subject.model.model.norm(X))
    torch.testing.assert_close(subject.logits(X), 2 * torch.tanh(raw / 2))
    assert subject.logits(X).abs().max() <= 2
    assert raw.abs().max() > 2


def test_t5_scales_before_its_unembedding_and_mt5_does_not():
    for family, scale in (("t5", 32**-0.5), ("umt5", 32**-0.5), ("mt5", 1.0)):
        subject = tiny_subject(family, stack="decoder")
        normed = subject.model.decoder.final_layer_norm(X)
        torch.testing.assert_close(subject.logits(X), subject.model.lm_head(normed * scale))


def test_opt_projects_before_it_unembeds():
    subject = tiny_subject("opt-projected")
    assert subject.anatomy.head == ("model.decoder.project_out", "lm_head")


def test_an_unknown_masked_head_is_left_out_not_guessed():
    model = tiny_model("xlm-roberta")
    model.add_module("strange_head", model.lm_head)
    model.lm_head = None
    model.get_output_embeddings = lambda: model.strange_head.decoder
    assert subject_of(model).anatomy.head == ()


def test_final_norm_of_a_model_without_one_is_the_identity():
    assert torch.equal(final_norm(tiny_subject("bert"), X), X)
    subject = tiny_subject("llama")
    assert torch.equal(final_norm(subject, X), subject.model.model.norm(X))


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_most_families_scale_nothing(family):
    assert head_scales(tiny_config(family)) == {
        "logit_scale": 1.0,
        "pre_scale": 1.0,
        "softcap": None,
    }


@pytest.mark.parametrize("family", [*CAUSAL, *MASKED, *ENCODER_DECODERS])
def test_a_head_is_what_comes_before_and_its_product(family):
    subject = tiny_subject(family, stack="decoder" if family in ENCODER_DECODERS else None)
    head = unembedding(subject)
    z = before_unembedding(subject, X) @ head.weight.T
    z = head.logit_scale * (z if head.bias is None else z + head.bias)
    z = z if head.softcap is None else head.softcap * torch.tanh(z / head.softcap)
    torch.testing.assert_close(z, subject.logits(X), atol=1e-4, rtol=1e-4)
    assert head.vocabulary == 264


def test_the_product_is_the_models_own_matrix():
    subject = tiny_subject("llama")
    weight = unembedding(subject).weight
    assert weight.data_ptr() == subject.model.lm_head.weight.data_ptr()


def test_a_head_in_one_module_is_left_at_its_product_with_no_hook_behind():
    subject = tiny_subject("roberta")
    decoder = subject.model.lm_head.decoder
    decoder.forward = None  # calling it would raise
    x = before_unembedding(subject, X)
    assert x.shape == X.shape
    assert not decoder._forward_pre_hooks


def test_a_head_that_goes_on_after_its_product_is_refused():
    model = tiny_model("roberta")

    class Louder(type(model.lm_head)):
        def forward(self, features, **kwargs):
            return 2 * super().forward(features, **kwargs)

    model.lm_head.__class__ = Louder
    with pytest.raises(ModelError, match="not a plain matrix product"):
        unembedding(subject_of(model))


def test_a_quantised_unembedding_is_refused():
    subject = tiny_subject("llama")
    del subject.model.lm_head.weight
    subject.model.lm_head.weight = torch.zeros(264, 32, dtype=torch.int8)
    with pytest.raises(ModelError, match="Load the model unquantised"):
        unembedding(subject)


def test_a_stack_without_a_head_has_neither_part():
    subject = tiny_subject("t5", stack="encoder")
    for part in (unembedding, lambda s: before_unembedding(s, X)):
        with pytest.raises(ModelError, match="has no unembedding that reads this stack"):
            part(subject)
