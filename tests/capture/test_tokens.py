"""What is pooled, what is cut, and the deterministic cut into shards and batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing

from probekit.capture.tokens import (
    TokenizedText,
    batches,
    longest_text,
    plan_shards,
    tokenize,
)
from probekit.corpora import ParallelCorpus
from probekit.errors import CorpusError, LanguageError, StudyError
from tests.tiny import MAX_TOKENS, tiny_subject


def corpus_of(*texts, other=None):
    columns = {"en": texts, "de": other or texts}
    return ParallelCorpus(name="c", units=tuple(f"u{i}" for i in range(len(texts))), texts=columns)


@pytest.fixture(scope="module")
def plain():
    return tiny_subject("llama")


@pytest.fixture(scope="module")
def with_bos():
    return tiny_subject("llama", bos=True)


def test_content_is_neither_special_nor_first(plain, with_bos):
    assert tokenize(plain, corpus_of("abcd")).texts[0].content == (1, 2, 3)
    assert tokenize(with_bos, corpus_of("abcd")).texts[0].content == (1, 2, 3, 4)


def test_cls_and_sep_are_not_content():
    subject = tiny_subject("bert")
    subject.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    text = tokenize(subject, corpus_of("abc")).texts[0]
    assert len(text.ids) == 5
    assert text.content == (1, 2, 3)


def test_keep_first_token_puts_the_first_back_but_no_special_token(plain, with_bos):
    corpus = corpus_of("abc")
    assert tokenize(plain, corpus, keep_first_token=True).texts[0].content == (0, 1, 2)
    assert tokenize(with_bos, corpus, keep_first_token=True).texts[0].content == (1, 2, 3)


def test_a_text_of_one_token_is_pooled_over_it_and_counted(plain):
    tokens = tokenize(plain, corpus_of("a", "bcd", other=("xy", "z")))
    assert [text.content for text in tokens.texts] == [(0,), (1,), (1, 2), (0,)]
    assert tokens.n_single.tolist() == [1, 1]
    kept = tokenize(plain, corpus_of("a"), keep_first_token=True)
    assert kept.n_single.tolist() == [0, 0]


def test_texts_run_unit_after_unit(plain):
    tokens = tokenize(plain, corpus_of("ab", "cd"))
    assert [(text.unit, text.language) for text in tokens.texts] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [text.unit for text in tokens.of_units(1, 2)] == [1, 1]
    assert tokens.n_tokens == 8
    assert tokens.tokens_per_language().tolist() == [4, 4]


def test_cut_texts_are_counted_by_language(plain):
    tokens = tokenize(plain, corpus_of("abcdef", "ab", other=("abc", "abcd")), max_tokens=4)
    assert tokens.n_truncated.tolist() == [1, 0]
    assert max(len(text.ids) for text in tokens.texts) == 4
    whole = plain.tokenizer("abcdef")["input_ids"]
    assert tokens.texts[0].ids == tuple(whole[:4])


def test_cutting_keeps_special_tokens():
    subject = tiny_subject("bert")
    subject.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    text = tokenize(subject, corpus_of("abcdef"), max_tokens=5).texts[0]
    assert (text.ids[0], text.ids[-1], len(text.ids)) == (1, 2, 5)
    assert text.content == (1, 2, 3)


@pytest.mark.parametrize("limit", [1, 0, -3])
def test_a_limit_below_two_is_refused(plain, limit):
    with pytest.raises(StudyError, match=rf"max_tokens must be at least 2.*Got {limit} instead"):
        tokenize(plain, corpus_of("ab"), max_tokens=limit)


def test_a_limit_beyond_the_positions_is_refused_and_says_the_right_one(plain):
    with pytest.raises(StudyError, match=f"Use --max-tokens {MAX_TOKENS}"):
        tokenize(plain, corpus_of("ab"), max_tokens=MAX_TOKENS + 1)
    assert tokenize(plain, corpus_of("ab"), max_tokens=MAX_TOKENS).max_tokens == MAX_TOKENS


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert", "opt", "xlm-roberta", "roberta"])
def test_the_longest_text_can_be_read_and_one_more_token_cannot(family):
    subject = tiny_subject(family, max_position_embeddings=20) if family != "gpt2" else None
    subject = subject or tiny_subject("gpt2", n_positions=20)
    longest = longest_text(subject)
    import torch

    def read(n):
        ids = torch.full((1, n), 9)
        return subject.forward({"input_ids": ids, "attention_mask": torch.ones_like(ids)})

    read(longest)
    if family != "llama":  # rotary positions have no table to run out of
        with pytest.raises((IndexError, RuntimeError)):
            read(longest + 1)


def test_t5_has_no_longest_text():
    assert longest_text(tiny_subject("t5")) is None


def test_a_text_without_content_names_unit_and_language():
    subject = tiny_subject("llama", bos=True)
    subject.tokenizer.backend_tokenizer.add_special_tokens(["~"])
    normal = tokenize(subject, corpus_of("a~"))
    assert normal.texts[0].content == (1, 2)  # typed by an author: text, not a frame
    subject.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s>", special_tokens=[("<s>", 1)]
    )
    with pytest.raises(CorpusError, match=r"unit 'u0' in 'en' has no content token"):
        tokenize(subject, corpus_of("ab"))


@given(n_units=st.integers(1, 200), size=st.integers(1, 50))
def test_shards_hold_every_unit_once_in_order(n_units, size):
    plan = plan_shards(n_units, size)
    units = [unit for shard in plan for unit in range(shard.start, shard.stop)]
    assert units == list(range(n_units))
    assert [shard.index for shard in plan] == list(range(len(plan)))
    assert all(1 <= shard.n_units <= size for shard in plan)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    budget=st.integers(1, 300),
)
def test_batches_hold_every_text_once_within_the_budget_longest_first(lengths, budget):
    texts = [TokenizedText(i, 0, (5,) * n, (n - 1,)) for i, n in enumerate(lengths)]
    made = list(batches(texts, token_budget=budget))
    assert sorted(text.unit for batch in made for text in batch) == list(range(len(texts)))
    for batch in made:
        padded = max(len(text.ids) for text in batch) * len(batch)
        assert padded <= budget or len(batch) == 1
    widths = [len(text.ids) for batch in made for text in batch]
    assert widths == sorted(widths, reverse=True)


def test_batches_do_not_depend_on_the_order_of_the_texts():
    texts = [TokenizedText(i, 0, (5,) * n, (0,)) for i, n in enumerate([3, 3, 7, 1, 7])]
    assert list(batches(texts, token_budget=9)) == list(batches(texts[::-1], token_budget=9))


def test_counts_are_integers_by_language(plain):
    tokens = tokenize(plain, corpus_of("ab"))
    assert tokens.n_truncated.dtype == np.int64
    assert (tokens.units, tokens.languages) == (("u0",), ("en", "de"))


def test_a_language_whose_texts_are_one_to_the_tokenizer_is_named(plain):
    same = ("xy", "xy", "xy", "ab")
    with pytest.raises(
        LanguageError, match=r"'de': the tokenizer reads 3 of 4 texts .*--languages"
    ):
        tokenize(plain, corpus_of("ab", "cd", "ef", "gh", other=same))
    tokenize(plain, corpus_of("ab", "cd", "ef", "gh", other=("xy", "xy", "uv", "ab")))
