"""The lens of one text against all logits at once, its documents, and what it refuses."""

from __future__ import annotations

import json
import warnings
from functools import cache
from io import StringIO

import numpy as np
import pytest
import torch
from rich.console import Console

from probekit.errors import InputError, ModelError
from probekit.logit_lens import lens
from probekit.models.backends.sharing import twin
from tests.capture.reference import hidden_states
from tests.logit_lens.plain import plain_lens, rank_of
from tests.tiny import CAUSAL, MASKED, N_BLOCKS, VOCABULARY, subject_of, tiny_model, tiny_subject

TEXT = "Paris is a city"


@cache
def subject(family="llama"):
    return tiny_subject(family, bos=True)


@cache
def found(family="llama"):
    return lens(subject(family), TEXT, top=5, targets=("Rome", "é"))


def logits_of(family):
    _, states = hidden_states(subject(family), TEXT)
    rows = torch.as_tensor(states, dtype=torch.float32).transpose(0, 1)
    return subject(family).logits(rows).detach()


@pytest.mark.parametrize("family", ["llama", "gemma2", "cohere", "gpt2", "bert", "xlm-roberta"])
def test_every_cell_is_the_softmax_over_all_logits(family):
    result, logits = found(family), logits_of(family)
    plain = plain_lens(logits)
    np.testing.assert_allclose(result.entropy.T, plain.entropy, atol=2e-3)
    np.testing.assert_allclose(result.kl.T, plain.kl, atol=2e-3, rtol=1e-4)
    best = result.top_ids.swapaxes(0, 1)
    share = np.exp2(np.take_along_axis(plain.log2, best, -1))
    np.testing.assert_allclose(result.top_probability.swapaxes(0, 1), share, atol=1e-4)
    final = plain.order[:, -1, :1]
    assert np.array_equal(result.final_ids, final[:, 0])
    assert np.array_equal(result.final_rank.T, rank_of(logits, final)[..., 0])
    assert (result.final_rank[-1] == 1).all()


@pytest.mark.parametrize("family", [*CAUSAL, *MASKED])
def test_the_last_block_predicts_what_the_model_predicts(family):
    ids = subject(family).tokenizer(TEXT, return_tensors="pt")
    output = (
        subject(family)
        .forward({"input_ids": ids["input_ids"], "attention_mask": ids["attention_mask"]})
        .logits[0]
    )
    probability = output.double().softmax(-1).max(-1)
    result = found(family)
    np.testing.assert_allclose(result.top_probability[-1, :, 0], probability.values, atol=1e-4)
    assert result.predicts == ("itself" if family in MASKED else "next")


def test_a_target_adds_its_first_tokens_and_ranks_by_the_best():
    result, logits = found(), logits_of("llama")
    plain = plain_lens(logits)
    (rome, e_acute) = result.targets
    byte = subject().tokenizer("R", add_special_tokens=False)["input_ids"][0]
    assert rome.target.first_ids == (byte,)  # " Rome" begins with a bare space, which says nothing
    np.testing.assert_allclose(rome.probability.T, np.exp2(plain.log2[..., byte]), atol=1e-4)
    ranks = rank_of(logits, np.full((len(result.positions), 1), byte))
    assert np.array_equal(rome.rank.T, ranks[..., 0])
    assert not rome.target.is_single
    assert len(e_acute.target.spellings[0]) == 2
    assert "first token" in result.scoring


def test_the_joint_probability_is_that_of_the_continuation():
    ids = subject().tokenizer(TEXT)["input_ids"]
    word = subject().tokenizer("Rome", add_special_tokens=False)["input_ids"]
    whole = torch.tensor([ids + word])
    output = subject().forward({"input_ids": whole, "attention_mask": torch.ones_like(whole)})
    log = output.logits[0].double().log_softmax(-1)
    joint = sum(log[len(ids) - 1 + k, token] for k, token in enumerate(word)).exp()
    assert found().targets[0].joint == pytest.approx(float(joint), rel=1e-4)
    assert found().targets[0].probability[-1, -1] >= found().targets[0].joint


def test_there_is_no_joint_where_the_text_is_not_continued():
    assert found("bert").targets[0].joint is None
    assert lens(subject(), TEXT, targets=("Rome",), positions=(2,)).targets[0].joint is None


def test_positions_are_chosen_and_change_nothing_else():
    some = lens(subject(), TEXT, positions=(4, 2, 2), top=5)
    assert some.positions == (2, 4)
    np.testing.assert_allclose(some.entropy, found().entropy[:, [2, 4]], atol=1e-5)
    assert np.array_equal(some.top_ids, found().top_ids[:, [2, 4]])


def test_top_goes_up_to_the_vocabulary():
    whole = lens(subject(), "a b", top=VOCABULARY)
    np.testing.assert_allclose(whole.top_probability.sum(-1), 1, atol=1e-5)
    assert (np.diff(whole.top_probability, axis=-1) <= 1e-9).all()


def test_a_tuned_lens_translates_all_layers_but_the_last():
    class Doubling:
        def translate_row(self, row, hidden):
            return hidden * 2 + row

    tuned = lens(subject(), TEXT, tuned=Doubling())
    assert tuned.tuned
    np.testing.assert_allclose(tuned.entropy[-1], found().entropy[-1], atol=1e-5)
    assert abs(tuned.entropy[:-1] - found().entropy[:-1]).max() > 0.1


def test_the_document_holds_every_cell_and_is_strict_json():
    result = found()
    document = json.loads(result.to_json())
    assert len(document["lenses"]) == len(result.layers) * len(result.positions)
    cell = next(c for c in document["lenses"] if (c["layer"], c["position"]) == (1, 3))
    assert cell["entropy"] == pytest.approx(result.entropy[2, 3])
    assert [best["id"] for best in cell["top"]] == result.top_ids[2, 3].tolist()
    assert cell["targets"][0]["rank"] == result.targets[0].rank[2, 3]
    assert document["targets"][0]["joint_probability"] == pytest.approx(result.targets[0].joint)
    assert document["tokens"][0] == {"id": 1, "text": "<s>"}
    assert document["units"]["kl"].startswith("bits")


def drawn(result, width=112):
    page = StringIO()
    Console(file=page, width=width, no_color=True).print(result.table(width=width))
    return page.getvalue()


def test_the_table_shows_layers_tokens_and_numbers():
    page = drawn(found())
    assert "emb" in page
    assert "␣" in page
    assert "target Rome: by first token" in page
    assert "entropy and KL(final ‖ lens) in bits" in page
    assert f"{found().entropy[-1, -1]:.2f}" in page
    assert max(map(len, page.splitlines())) <= 112


def test_a_long_text_shows_its_end():
    page = drawn(lens(subject(), TEXT * 4, top=1))
    assert "earlier ones left out" in page


def test_markup_in_a_text_is_only_text():
    page = drawn(lens(subject(), "[bold]x[/bold] [/nothing]", targets=("[red]",)), width=2000)
    assert "target [red]" in page


def test_html_isolates_and_escapes():
    html = lens(subject(), "<b>", top=1)._repr_html_()
    assert "&lt;" in html
    assert "<b>" not in html
    assert "<bdi>" in html


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "text must not be empty"),
        (" \n", {}, "text must not be empty"),
        (TEXT, {"top": 0}, "top must be between 1 and 264, the vocabulary. Got 0"),
        (TEXT, {"top": 265}, "top must be between 1 and 264, the vocabulary. Got 265"),
        (TEXT, {"positions": (99,)}, "positions must be numbers from 0 to 15"),
        (TEXT, {"positions": (-1,)}, "positions must be numbers from 0 to 15"),
        (TEXT, {"positions": ()}, "positions must be numbers from 0 to 15"),
        (TEXT, {"targets": ("",)}, "targets must be words. Got an empty one"),
        ("x" * 300, {}, "text must have at most 256 tokens"),
    ],
)
def test_what_cannot_be_read_is_refused(text, options, message):
    with pytest.raises(InputError, match=message):
        lens(subject(), text, **options)


def test_a_word_that_the_vocabulary_lacks_is_refused():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1, "is": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    made = subject_of(tiny_model("llama"))
    object.__setattr__(made, "tokenizer", tokenizer)
    with pytest.raises(InputError, match="target 'Rome' cannot be spelled"):
        lens(made, "a is", targets=("Rome",))


def test_a_model_without_unembedding_is_refused():
    with pytest.raises(ModelError, match="has no unembedding"):
        lens(tiny_subject("t5", stack="encoder"), TEXT)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma3"])
def test_transformer_lens_says_the_same(family):
    """Its accumulated residual stream, normed and unembedded by its own bridge components."""
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    model = tiny_model(family)
    model.set_attn_implementation("eager")
    made = subject_of(model)
    body = twin(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bridge = build_bridge_from_module(body, made.anatomy.architecture, hf_config=body.config)
        _, kept = bridge.run_with_cache(torch.tensor([made.tokenizer(TEXT)["input_ids"]]))
    names = ["blocks.0.hook_in", *(f"blocks.{layer}.hook_out" for layer in range(N_BLOCKS))]
    with torch.no_grad():
        theirs = [bridge.unembed(bridge.ln_final(kept[name]))[0] for name in names]
    plain, ours = plain_lens(torch.stack(theirs, dim=1)), lens(made, TEXT)
    np.testing.assert_allclose(ours.entropy.T, plain.entropy, atol=2e-3)
    np.testing.assert_allclose(ours.kl.T, plain.kl, atol=2e-3, rtol=1e-4)
    assert np.array_equal(ours.top_ids[..., 0].T, plain.order[..., 0])
