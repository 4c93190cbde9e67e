"""The anatomy of every family, held against what the model itself computes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from probekit.errors import ModelError
from probekit.models import find_anatomy
from probekit.models.anatomy import has_path
from probekit.models.backends import open_backend
from probekit.models.fallback import anatomy_from_structure
from probekit.models.head import final_norm
from probekit.models.inputs import pad_batch
from probekit.sites import Site, residual_sites
from tests.tiny import (
    D_MLP,
    ENCODER_DECODERS,
    FAMILIES,
    MASKED,
    N_BLOCKS,
    subject_of,
    tiny_model,
    tiny_subject,
)

TEXTS = [list(range(5, 17)), list(range(40, 47)), [9], list(range(60, 80))]
STACKS = [
    (family, stack)
    for family in FAMILIES
    for stack in (("encoder", "decoder") if family in ENCODER_DECODERS else (None,))
]
GATED = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "olmo2", "cohere", "granite")
PLAIN = {  # where each family keeps its activation function, under a block
    "gpt2": "mlp.act",
    "gpt_neox": "mlp.act",
    "falcon": "mlp.act",
    "bloom": "mlp.gelu_impl",
    "bert": "intermediate.intermediate_act_fn",
    "xlm-roberta": "intermediate.intermediate_act_fn",
    "t5": "layer.1.DenseReluDense.act",
}


@cache
def shared(family, stack=None):
    """A subject that no test of this file changes."""
    return tiny_subject(family, stack=stack)


every_stack = pytest.mark.parametrize(("family", "stack"), STACKS)


def capture(subject, sites, texts=TEXTS):
    got = {}
    inputs = pad_batch(subject, texts)
    content = inputs["attention_mask"].bool()
    backend = open_backend("hooks", subject)
    backend.run(inputs, sites, lambda site, hidden: got.update({site: hidden[content].clone()}))
    return got


def plain_forward(subject):
    inputs = pad_batch(subject, TEXTS)
    content = inputs["attention_mask"].bool()
    with torch.inference_mode():
        out = subject.model(**inputs, use_cache=False, output_hidden_states=True)
    states = getattr(out, f"{subject.anatomy.stack}_hidden_states", None)
    states = states if states is not None else out.hidden_states
    return [hidden[content] for hidden in states], out.logits[content]


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@every_stack
def test_block_outputs_are_the_hidden_states_up_to_the_last(family, stack):
    subject = shared(family, stack)
    layers = residual_sites(N_BLOCKS)
    got = capture(subject, layers)
    states, _ = plain_forward(subject)
    assert len(states) == len(layers)
    for site, state in zip(layers[:-1], states[:-1], strict=True):
        close(got[site], state)


@pytest.mark.parametrize(
    # opt-projected: its hidden_states[-1] has another width; the lens test covers it
    ("family", "stack"),
    [pair for pair in STACKS if pair[0] != "opt-projected"],
)
def test_last_block_is_captured_before_the_final_norm(family, stack):
    subject = shared(family, stack)
    last = capture(subject, residual_sites(N_BLOCKS))[Site(N_BLOCKS - 1, "resid_post")]
    state = plain_forward(subject)[0][-1]
    close(final_norm(subject, last), state)
    if subject.anatomy.final_norm:
        assert (last - state).abs().max() > 0.5


@pytest.mark.parametrize(("family", "stack"), [pair for pair in STACKS if pair[1] != "encoder"])
def test_lens_of_the_last_block_is_the_models_logits(family, stack):
    subject = shared(family, stack)
    last = Site(N_BLOCKS - 1, "resid_post")
    got = capture(subject, [last, Site(0, "resid_post")])
    logits = plain_forward(subject)[1]
    close(subject.logits(got[last]), logits)
    assert (subject.logits(got[Site(0, "resid_post")]) - logits).abs().max() > 0.05


@pytest.mark.parametrize("family", ENCODER_DECODERS)
def test_an_encoder_stack_has_nothing_to_decode_with(family):
    subject = tiny_subject(family)
    assert subject.anatomy.stack == "encoder"
    with pytest.raises(ModelError, match="no unembedding"):
        subject.logits(torch.zeros(1, subject.anatomy.d_model))


@pytest.mark.parametrize(("family", "stack"), [pair for pair in STACKS if pair[0] != "mixtral"])
def test_down_projection_of_mlp_act_is_mlp_out(family, stack):
    subject = shared(family, stack)
    neurons = subject.anatomy.neurons
    for layer in range(N_BLOCKS):
        act, out = Site(layer, "mlp_act"), Site(layer, "mlp_out")
        got = capture(subject, [act, out])
        down = subject.model.get_submodule(f"{subject.anatomy.block(layer)}.{neurons.down}")
        close(down(got[act]), got[out])
        assert got[act].shape == (sum(map(len, TEXTS)), neurons.width)


@pytest.mark.parametrize("family", GATED)
def test_gated_mlp_act_is_activation_of_mlp_pre_times_up(family):
    subject = shared(family)
    mlp = subject.model.get_submodule(f"{subject.anatomy.block(1)}.mlp")
    ups = []
    handle = mlp.up_proj.register_forward_hook(lambda *call: ups.append(call[2]))
    got = capture(subject, [Site(1, "mlp_pre"), Site(1, "mlp_act")], texts=TEXTS[:1])
    handle.remove()
    close(mlp.act_fn(got[Site(1, "mlp_pre")]) * ups[0][0], got[Site(1, "mlp_act")])


@pytest.mark.parametrize("family", PLAIN)
def test_plain_mlp_act_is_activation_of_mlp_pre(family):
    subject = shared(family)
    pre, act = Site(1, "mlp_pre"), Site(1, "mlp_act")
    got = capture(subject, [pre, act])
    block = subject.model.get_submodule(subject.anatomy.block(1))
    activation = block
    for name in PLAIN[family].split("."):
        activation = activation[int(name)] if name.isdecimal() else getattr(activation, name)
    close(activation(got[pre]), got[act])


@pytest.mark.parametrize("family", ["opt", "opt-post-norm", "opt-projected"])
def test_flattened_mlps_are_given_back_as_batch_position_width(family):
    subject = tiny_subject(family)
    shapes = []
    sites = [Site(0, kind) for kind in ("mlp_pre", "mlp_act", "mlp_out")]
    inputs = pad_batch(subject, TEXTS)
    open_backend("hooks", subject).run(inputs, sites, lambda _, x: shapes.append(tuple(x.shape)))
    assert shapes == [(4, 20, D_MLP), (4, 20, D_MLP), (4, 20, 32)]


def test_phi3_fires_on_the_first_half_of_its_fused_matrix():
    subject = tiny_subject("phi3")
    assert subject.anatomy.neurons.pre_part == "first_half"
    mlp = subject.model.get_submodule(f"{subject.anatomy.block(0)}.mlp")
    fused = []
    handle = mlp.gate_up_proj.register_forward_hook(lambda *call: fused.append(call[2]))
    got = capture(subject, [Site(0, "mlp_pre"), Site(0, "mlp_act")], texts=TEXTS[:1])
    handle.remove()
    gate, up = fused[0][0].chunk(2, dim=-1)
    close(got[Site(0, "mlp_pre")], gate)
    close(mlp.activation_fn(gate) * up, got[Site(0, "mlp_act")])


def test_mixtral_refuses_neurons_and_says_why():
    subject = tiny_subject("mixtral")
    assert subject.anatomy.neurons is None
    with pytest.raises(ModelError, match="mixtures of experts") as error:
        capture(subject, [Site(0, "mlp_act")])
    assert "\n" not in str(error.value)


def test_sublayer_outputs_leave_the_residual_stream_out():
    # Bloom's and BERT's own sublayer modules return residual + sublayer
    for family in ("llama", "bloom"):
        subject = tiny_subject(family)
        kinds = ("attn_out", "mlp_out", "resid_post")
        got = capture(subject, [Site(0, "resid_post"), *(Site(1, kind) for kind in kinds)])
        whole = got[Site(0, "resid_post")] + got[Site(1, "attn_out")] + got[Site(1, "mlp_out")]
        close(whole, got[Site(1, "resid_post")])


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert", "opt", "t5"])
def test_fallback_finds_what_the_adapters_find(family):
    model = tiny_model(family)
    told = find_anatomy(model)
    found = anatomy_from_structure(model, stack=told.stack)
    assert (told.found_by, found.found_by) == ("transformer_lens", "fallback")
    same = replace(found, found_by=told.found_by, mlp=told.mlp, embed=told.embed)
    assert same == replace(told, unembed=found.unembed)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_path_of_an_anatomy_exists(family):
    model = tiny_model(family)
    found = find_anatomy(model)
    inside = (found.attention, found.attention_out, found.mlp, *found.roles.values())
    paths = [found.embed, found.final_norm, found.unembed, *found.head]
    paths += [f"{found.block(0)}.{path}" for path in inside if path]
    assert all(has_path(model, path) for path in paths if path)
    assert found.n_blocks == N_BLOCKS
    assert found.embed


@pytest.mark.parametrize("family", MASKED)
def test_post_norm_encoders_have_no_final_norm(family):
    assert tiny_subject(family).anatomy.final_norm is None


def test_encoder_of_a_one_stack_model_is_refused():
    with pytest.raises(ModelError, match="one stack"):
        find_anatomy(tiny_model("llama"), stack="encoder")


def test_a_model_without_blocks_is_refused():
    model = tiny_model("bert")
    model.bert.encoder.layer = torch.nn.ModuleList()
    with pytest.raises(ModelError, match="no list of transformer blocks"):
        anatomy_from_structure(model, stack="decoder")


def test_shared_blocks_are_refused():
    model = tiny_model("bert")
    model.config.num_hidden_layers = 12
    with pytest.raises(ModelError, match="shared blocks"):
        anatomy_from_structure(model, stack="decoder")


def test_sites_outside_the_model_are_refused():
    with pytest.raises(ModelError, match="blocks 0 to 2"):
        capture(subject_of(tiny_model("llama")), [Site(3, "resid_post")])
