"""Tokens as text, and text made visible."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from probekit.logit_lens.token_text import token_texts, visible
from tests.tiny import tiny_tokenizer


def test_bytes_are_shown_as_the_text_they_are_or_as_broken():
    tokenizer = tiny_tokenizer()
    ids = tokenizer(" é", add_special_tokens=False)["input_ids"]
    assert token_texts(tokenizer, ids) == [" ", "�", "�"]
    assert token_texts(tokenizer, [1, 3]) == ["<s>", "<unk>"]


def test_an_id_beyond_the_tokenizer_shows_its_number():
    assert token_texts(tiny_tokenizer(), [263]) == ["<263>"]


def test_the_whole_vocabulary_is_read_in_order():
    tokenizer = tiny_tokenizer()
    everything = token_texts(tokenizer)
    assert len(everything) == len(tokenizer)
    assert everything[40:50] == token_texts(tokenizer, range(40, 50))


def test_a_space_mark_is_a_space():
    tokenizer = Tokenizer(models.BPE(vocab={"▁a": 0, "▁": 1, "a": 2}, merges=[("▁", "a")]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    assert token_texts(fast) == [" a", " ", "a"]


def test_word_pieces_lose_their_mark():
    pieces = Tokenizer(models.WordPiece(vocab={"a": 0, "##b": 1, "[UNK]": 2}, unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    assert token_texts(PreTrainedTokenizerFast(tokenizer_object=pieces))[:2] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" the", "␣the"),
        ("\n\n", "⏎⏎"),
        ("\t", "⇥"),
        ("\x0c", "\\x0c"),
        ("\u202e", "\\u202e"),
        ("ि", "◌ि"),
        ("[bold]", "[bold]"),
        ("", "∅"),
        ("كلمة", "كلمة"),
    ],
)
def test_what_cannot_be_seen_is_shown(text, shown):
    assert visible(text) == shown
