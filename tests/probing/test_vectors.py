"""Vectors of one's own texts are those of a study."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.corpora import ParallelCorpus
from probekit.errors import CorpusError
from probekit.probing import text_vectors, word_vectors
from tests.capture.passing import vectors
from tests.tiny import tiny_subject

TEXTS = ("one two three", "four", "five six")


@pytest.fixture(scope="module")
def subject():
    return tiny_subject("llama")


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_texts_are_pooled_as_in_a_study(subject, pooling):
    corpus = ParallelCorpus(name="c", units=("a", "b", "c"), texts={"en": TEXTS})
    expected = vectors(subject, corpus, pooling=pooling)[:, 0]
    found = text_vectors(subject, TEXTS, language="en", pooling=pooling)
    assert np.allclose(found, expected, atol=5e-5)


def test_words_are_taken_at_their_last_token(subject):
    found, place = word_vectors(subject, [["I", "saw", "it"], ["go", "on"]], language="en")
    # the word "I" is the first token of its text, which is an attention sink
    assert place.tolist() == [[0, 1], [0, 2], [1, 0], [1, 1]]
    alone = text_vectors(subject, ["I saw it"], language="en", pooling="last")
    assert np.allclose(found[:, 1], alone[:, 0], atol=5e-5)


def test_words_of_scripts_without_spaces_are_joined_without(subject):
    found, _ = word_vectors(subject, [["東京", "に", "行く"]], language="ja")
    alone = text_vectors(subject, ["東京に行く"], language="ja", pooling="last")
    assert np.allclose(found[:, -1], alone[:, 0], atol=5e-5)


@pytest.mark.parametrize("texts", ["one text", []])
def test_texts_must_be_a_sequence(subject, texts):
    with pytest.raises(CorpusError, match="sequence of one text or more"):
        text_vectors(subject, texts, language="en")
