"""Which language a token belongs to: scripts, smoothed counts, and the undetermined rest."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.capture import tokenize
from probekit.logit_lens.token_languages import (
    UNDETERMINED,
    by_counts,
    content_counts,
    script_of,
    token_languages,
)
from tests.texts import parallel
from tests.tiny import VOCABULARY, tiny_subject


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("word", "Latn"),
        (" Wörter", "Latn"),
        ("слово", "Cyrl"),
        ("كلمة", "Arab"),
        ("शब्द", "Deva"),
        ("्द", "Deva"),
        ("詞", "Hani"),
        ("々", "Hani"),
        ("ことば", "Hira"),
        ("カード", "Kana"),
        ("ｶｰﾄﾞ", "Kana"),
        ("ｗｏｒｄ", "Latn"),
        ("단어", "Hang"),
        ("λέξη", "Grek"),
        ("e\u0301", "Latn"),
        ("言葉の", None),  # two scripts
        ("wоrd", None),  # a Cyrillic о
        ("12", None),
        (" ,.", None),
        ("", None),
        ("�", None),
    ],
)
def test_scripts_of_letters(text, script):
    assert script_of(text) == script


def classes(counts, **options):
    options = {"smoothing": 0.5, "share": 0.75} | options
    return by_counts(np.array(counts), **options).tolist()


def test_a_token_is_the_language_that_uses_it_nearly_alone():
    #          own     once  both   most   unseen  filler
    counts = [[2, 0, 1, 5, 9, 0, 83], [0, 2, 0, 5, 1, 0, 92]]
    assert classes(counts)[:6] == [0, 1, 2, 2, 0, 2]


def test_a_language_with_more_tokens_has_no_head_start():
    even = [[3, 97], [3, 97]]
    tenfold = [[30, 970], [3, 97]]
    assert classes(even) == classes(tenfold) == [2, 2]


def test_smoothing_and_share_change_what_is_told():
    counts = [[1, 7, 92], [0, 3, 97]]
    assert classes(counts) == [2, 2, 2]
    assert classes(counts, smoothing=0.0) == [0, 2, 2]
    assert classes(counts, smoothing=0.1, share=0.6) == [0, 0, 2]
    assert classes([[2, 98], [0, 100]], smoothing=1.0) == [2, 2]


class Words:
    """A tokenizer whose tokens are whole words."""

    all_special_ids = (0,)

    def __init__(self, *words):
        self.words = ("<pad>", *words)

    def __len__(self):
        return len(self.words)

    def convert_ids_to_tokens(self, ids):
        return [self.words[number] for number in ids]

    def tokenize(self, text):
        return text.split()


def told(tokenizer, languages, **options):
    corpus = parallel(8, languages)
    tokens = tokenize(tiny_subject(), corpus)
    return token_languages(tokens, tokenizer, languages=languages, vocabulary=VOCABULARY, **options)


def test_a_script_of_one_language_decides_and_a_shared_one_does_not():
    tokenizer = Words("слово", "字", "かな", "한", "12", "abc")
    found = told(tokenizer, ("ru", "zh", "ja", "ko", "en", "de"))
    names = [found.names[number] for number in found.classes[:7]]
    shared = UNDETERMINED
    assert names[:6] == [shared, "ru", shared, "ja", "ko", shared]
    assert found.n_by_script == 3
    alone = told(tokenizer, ("zh", "ru", "ko"))
    assert alone.names[alone.classes[2]] == "zh"


def test_two_languages_of_one_script_leave_it_to_the_counts():
    found = told(Words("слово"), ("ru", "uk"))
    assert found.n_by_script == 0


def test_classes_cover_the_vocabulary_and_specials_are_nobodys():
    corpus = parallel(8)
    subject = tiny_subject(bos=True)
    tokens = tokenize(subject, corpus)
    found = token_languages(
        tokens, subject.tokenizer, languages=corpus.languages, vocabulary=VOCABULARY
    )
    assert found.classes.shape == (VOCABULARY,)
    assert found.n_tokens.sum() == VOCABULARY
    assert found.n_classes == 4
    assert found.names == (*corpus.languages, UNDETERMINED)
    assert (found.classes[subject.tokenizer.all_special_ids] == 3).all()
    assert (found.classes[261:] == 3).all()  # logits beyond the tokenizer
    assert (found.n_tokens[:3] > 0).all()


def test_counts_are_those_of_content_tokens():
    tokens = tokenize(tiny_subject(bos=True), parallel(8))
    counts = content_counts(tokens, VOCABULARY)
    assert counts.sum() == sum(len(text.content) for text in tokens.texts)
    assert counts[:, 1].sum() == 0
    one = tokens.texts[1]
    assert counts[1, one.ids[one.content[0]]] > 0
