"""Padding never changes a text: left = right, batch = single, for every family."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from probekit.errors import InputError
from probekit.models.backends import open_backend
from probekit.models.examination import relative_error
from probekit.models.inputs import pad_batch, padding_id, takes_decoder_ids, takes_positions
from probekit.sites import residual_sites
from tests.tiny import ENCODER_DECODERS, FAMILIES, N_BLOCKS, tiny_subject

TEXTS = [list(range(5, 17)), list(range(40, 47)), [9], list(range(60, 80))]
LAYERS = residual_sites(N_BLOCKS)
TOLERANCE = 5e-5  # float32: sums over another number of (masked) positions round differently


def capture(subject, texts, side="right"):
    got = {}
    inputs = pad_batch(subject, texts, side=side)
    content = inputs["attention_mask"].bool()
    backend = open_backend("hooks", subject)
    backend.run(inputs, LAYERS, lambda site, hidden: got.update({site: hidden[content].clone()}))
    return got


@cache
def subjects(family):
    stacks = ("encoder", "decoder") if family in ENCODER_DECODERS else (None,)
    return [tiny_subject(family, stack=stack) for stack in stacks]


@pytest.mark.parametrize("family", FAMILIES)
def test_left_padding_is_right_padding(family):
    for subject in subjects(family):
        right, left = capture(subject, TEXTS), capture(subject, TEXTS, side="left")
        assert max(relative_error(left[site], right[site]) for site in LAYERS) < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_a_padded_batch_is_its_single_texts(family):
    for subject in subjects(family):
        batch, single = capture(subject, TEXTS), [capture(subject, [text]) for text in TEXTS]
        for site in LAYERS:
            alone = torch.cat([one[site] for one in single])
            assert relative_error(batch[site], alone) < TOLERANCE


def test_positions_do_matter():
    # the control for the two tests above: shifted positions are seen by the measure they use
    subject = tiny_subject("gpt2")
    inputs = pad_batch(subject, TEXTS[:1])
    with torch.inference_mode():
        right = subject.model(**inputs).logits
        inputs["position_ids"] = inputs["position_ids"] + 3
        assert relative_error(subject.model(**inputs).logits, right) > 100 * TOLERANCE


def test_positions_count_attended_tokens():
    inputs = pad_batch(tiny_subject("llama"), [[7, 8, 9], [7]], side="left")
    assert inputs["input_ids"].tolist() == [[7, 8, 9], [0, 0, 7]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert inputs["position_ids"].tolist() == [[0, 1, 2], [0, 0, 0]]


def test_right_padding_goes_right():
    inputs = pad_batch(tiny_subject("llama"), [[7, 8, 9], [7]], side="right")
    assert inputs["input_ids"].tolist() == [[7, 8, 9], [7, 0, 0]]


def test_families_with_their_own_positions_get_none():
    assert not takes_positions(tiny_subject("opt").model)
    assert "position_ids" not in pad_batch(tiny_subject("xlm-roberta"), TEXTS)


def test_an_encoder_decoder_reads_the_text_in_both_stacks():
    subject = tiny_subject("t5")
    inputs = pad_batch(subject, TEXTS)
    assert takes_decoder_ids(subject.model)
    assert torch.equal(inputs["decoder_input_ids"], inputs["input_ids"])
    assert torch.equal(inputs["decoder_attention_mask"], inputs["attention_mask"])


def test_padding_id_is_the_models_then_the_tokenizers_then_zero():
    assert padding_id(tiny_subject("llama", pad_token_id=2)) == 2
    subject = tiny_subject("llama", pad_token_id=None)
    subject.tokenizer.pad_token = "<mask>"
    assert padding_id(subject) == 4
    subject.tokenizer.pad_token = None
    assert padding_id(subject) == 0


@pytest.mark.parametrize("texts", [[], [[]], [[5, 6], []]])
def test_empty_texts_are_refused(texts):
    with pytest.raises(InputError, match="non-empty"):
        pad_batch(tiny_subject("llama"), texts)
