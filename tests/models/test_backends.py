"""Three backends, one protocol: the same numbers, an early stop, nothing left behind.

Parity is to 1e-5 of the site's largest activation in float32, against eager attention: the bridge
computes attention eagerly, and fused attention rounds differently (the default on most models), so
that one comparison with the model as it loads is held to 5e-5 instead.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch

from probekit.errors import ModelError, NumericalError
from probekit.models.backends import BACKENDS, Backend, open_backend
from probekit.models.backends.hooks import last_site, locate
from probekit.models.backends.sharing import as_batch, twin
from probekit.models.examination import count_hooks
from probekit.models.fingerprint import state_sha256
from probekit.models.inputs import pad_batch
from probekit.sites import EMBED, Site, residual_sites
from tests.tiny import N_BLOCKS, subject_of, tiny_model, tiny_subject

TEXTS = [list(range(5, 17)), list(range(40, 47)), [9], list(range(60, 80))]
ALL_SITES = (
    *residual_sites(N_BLOCKS),
    *(Site(layer, kind) for layer in range(N_BLOCKS) for kind in ("mlp_pre", "mlp_act")),
    *(Site(layer, kind) for layer in range(N_BLOCKS) for kind in ("attn_out", "mlp_out")),
)
BOTH = ("llama", "qwen3", "gemma3", "gpt2", "gpt_neox", "bloom", "phi3", "opt", "bert")
OTHERS = ("transformer_lens", "nnsight")


@cache
def eager(family, stack=None):
    model = tiny_model(family)
    model.set_attn_implementation("eager")
    return subject_of(model, stack=stack)


def capture(subject, backend, sites=ALL_SITES):
    """What a backend, or one called so, captures of the texts' tokens."""
    got = {}
    inputs = pad_batch(subject, TEXTS)
    content = inputs["attention_mask"].bool()
    opened = open_backend(backend, subject) if isinstance(backend, str) else backend
    opened.run(inputs, sites, lambda site, hidden: got.update({site: hidden[content].clone()}))
    return got


def worst(got, wanted):
    assert set(got) == set(wanted)
    return max(float((got[s] - wanted[s]).abs().max() / wanted[s].abs().max()) for s in wanted)


@pytest.mark.parametrize("family", BOTH)
def test_all_backends_capture_the_same_at_every_site(family):
    subject = eager(family)
    wanted = capture(subject, "hooks")
    for backend in OTHERS:
        assert worst(capture(subject, backend), wanted) < 1e-5


@pytest.mark.parametrize("stack", ["encoder", "decoder"])
def test_all_backends_capture_both_stacks_of_an_encoder_decoder(stack):
    subject = eager("mt5", stack)
    wanted = capture(subject, "hooks")
    for backend in OTHERS:
        assert worst(capture(subject, backend), wanted) < 1e-5


@pytest.mark.parametrize("backend", OTHERS)
def test_backends_agree_with_a_model_as_it_loads(backend):
    subject = tiny_subject("qwen3")  # fused attention
    assert worst(capture(subject, backend), capture(subject, "hooks")) < 5e-5


@pytest.mark.parametrize("backend", OTHERS)
def test_parity_sees_other_weights(backend):
    # the control: the comparison above must be able to fail
    other = subject_of(tiny_model("llama", seed=1))
    assert worst(capture(other, backend), capture(eager("llama"), "hooks")) > 0.1


@pytest.mark.parametrize("backend", OTHERS)
def test_sites_can_be_asked_for_in_any_order_and_alone(backend):
    subject = eager("llama")
    wanted, opened = capture(subject, "hooks"), open_backend(backend, subject)
    some = [Site(2, "mlp_act"), EMBED, Site(0, "resid_post"), Site(2, "mlp_pre")]
    assert worst(capture(subject, opened, some), {site: wanted[site] for site in some}) < 1e-5
    for site in some:
        assert worst(capture(subject, opened, [site]), {site: wanted[site]}) < 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("site", [Site(1, "resid_post"), Site(1, "mlp_act"), Site(1, "attn_out")])
def test_forward_stops_at_the_deepest_block(backend, site):
    model = tiny_model("llama")

    def explode(*_args, **_kwargs):
        msg = "a block that nobody needs was run"
        raise AssertionError(msg)

    model.model.layers[2].forward = explode
    subject = subject_of(model)
    assert set(capture(subject, backend, [site])) == {site}
    with pytest.raises(AssertionError, match="nobody needs"):
        capture(subject, backend, [Site(2, "resid_post")])


@pytest.mark.parametrize("backend", BACKENDS)
def test_embedding_alone_runs_no_block(backend):
    model = tiny_model("llama")
    model.model.layers[0].self_attn.q_proj = None  # calling it would raise
    assert set(capture(subject_of(model), "hooks", [EMBED])) == {EMBED}
    assert set(capture(tiny_subject("llama"), backend, [EMBED])) == {EMBED}


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_sites_is_no_work(backend):
    assert capture(tiny_subject("llama"), backend, []) == {}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_is_left_as_it_was(backend):
    subject = tiny_subject("gpt2")
    model = subject.model
    kinds = [type(module) for module in model.modules()]
    attention, before = model.config._attn_implementation, state_sha256(model)
    capture(subject, backend)
    assert [type(module) for module in model.modules()] == kinds
    assert not any("forward" in vars(module) for module in model.modules())
    assert count_hooks(model) == 0
    assert model.config._attn_implementation == attention
    assert state_sha256(model) == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_errors_of_an_observer_come_through_and_leave_no_hook(backend):
    subject = tiny_subject("llama")
    opened = open_backend(backend, subject)

    def refuse(_site, _hidden):
        msg = "NaN at layer 0"
        raise NumericalError(msg)

    inputs = pad_batch(subject, TEXTS)
    with pytest.raises(NumericalError, match="NaN at layer 0"):
        opened.run(inputs, [Site(0, "resid_post")], refuse)
    assert count_hooks(subject.model) == 0
    seen = []
    opened.run(inputs, [Site(0, "resid_post")], lambda site, _: seen.append(site))
    assert seen == [Site(0, "resid_post")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_activations_carry_no_gradient_graph(backend):
    graphs = []
    subject = tiny_subject("llama")
    subject.model.requires_grad_(requires_grad=True)
    inputs = pad_batch(subject, TEXTS)
    run = open_backend(backend, subject).run
    run(inputs, [Site(1, "resid_post")], lambda _, hidden: graphs.append(hidden.requires_grad))
    assert graphs == [False]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_is_a_backend(backend):
    opened = open_backend(backend, tiny_subject("llama"))
    assert isinstance(opened, Backend)
    assert opened.name == backend


@pytest.mark.parametrize("backend", BACKENDS)
def test_sites_that_a_model_lacks_are_refused(backend):
    subject = tiny_subject("mixtral")
    with pytest.raises(ModelError, match="mixtures of experts"):
        capture(subject, backend, [Site(0, "mlp_pre")])
    with pytest.raises(ModelError, match="blocks 0 to 2"):
        capture(subject, backend, [Site(7, "resid_post")])


def test_a_site_without_a_bridge_hook_names_the_default_backend():
    with pytest.raises(ModelError, match=r"site mlp_out\.0 .*default backend 'hooks'"):
        capture(tiny_subject("mixtral"), "transformer_lens", [Site(0, "mlp_out")])


def test_an_architecture_without_a_bridge_names_the_default_backend():
    with pytest.raises(ModelError, match=r"XLMRobertaForMaskedLM.*default backend 'hooks'"):
        open_backend("transformer_lens", tiny_subject("xlm-roberta"))


def test_unknown_backends_are_refused():
    with pytest.raises(ModelError, match=r"backend must be one of .* Got 'magic' instead"):
        open_backend("magic", tiny_subject("llama"))


def test_a_twin_shares_parameters_and_nothing_else():
    model = tiny_model("gpt2")
    other = twin(model)
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    assert all(a is b for a, b in pairs)
    assert other.lm_head.weight is other.transformer.wte.weight  # ties stay tied
    other.transformer.h[0].mlp = None
    assert model.transformer.h[0].mlp is not None
    assert other.config is not model.config


def test_as_batch_restores_only_what_was_flattened():
    flat = torch.arange(12.0).reshape(6, 2)
    assert torch.equal(as_batch(flat, (2, 3)), flat.reshape(2, 3, 2))
    assert as_batch(flat.reshape(2, 3, 2), (2, 3)).shape == (2, 3, 2)


def test_last_site_is_the_output_of_the_deepest_block():
    assert last_site([]) is None
    assert last_site([EMBED]) == EMBED
    assert last_site([EMBED, Site(1, "mlp_act"), Site(0, "resid_post")]) == Site(1, "resid_post")


def test_locate_gives_the_module_itself():
    subject = tiny_subject("llama")
    module, side, part = locate(subject, Site(1, "mlp_act"))
    assert module is subject.model.model.layers[1].mlp.down_proj
    assert (side, part) == ("input", 0)
