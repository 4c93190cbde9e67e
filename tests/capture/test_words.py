"""Words are probed at their last sub-token, wherever the padding is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probekit.capture import tokenize
from probekit.capture.words import OTHER, UNSPACED, Word, WordVectors, find_words, locate_words
from probekit.corpora import ParallelCorpus
from probekit.corpora.entity import Entity
from probekit.errors import StudyError
from tests.capture.passing import read
from tests.tiny import tiny_subject

TEXTS = {
    "en": ("We met Ada Lovelace in Paris, twice.", "Nobody came today.", "Oslo, and a lake."),
    "hi": ("हम पेरिस में मिले थे।", "आज कोई नहीं आया।", "ओस्लो और एक झील।"),
    "zh": ("我们在巴黎见面。", "今天没人来。", "奥斯陆和湖。"),
}


def spans(language):
    named = {
        "en": (("Ada Lovelace", "person"), ("Paris", "place")),
        "hi": (("पेरिस", "place"),),
        "zh": (("巴黎", "place"),),
    }[language]
    text = TEXTS[language][0]
    first = tuple(
        Entity(text.index(name), text.index(name) + len(name), kind, name) for name, kind in named
    )
    return (first, (), ())


@pytest.fixture(scope="module")
def corpus():
    return ParallelCorpus(
        name="named",
        units=("a", "b", "c"),
        texts=TEXTS,
        entities={code: spans(code) for code in TEXTS},
    )


@pytest.fixture(scope="module")
def subject():
    return tiny_subject("llama")


def words_of(subject, corpus, **options):
    return find_words(subject, corpus, tokenize(subject, corpus), **options)


def test_entities_and_as_many_other_words_of_the_same_text(subject, corpus):
    words = words_of(subject, corpus)
    for language, n in enumerate((2, 1, 1)):
        own = [word for word in words if word.language == language]
        assert {word.unit for word in own} == {0}
        assert sum(word.kind != OTHER for word in own) == n
        assert sum(word.kind == OTHER for word in own) == n
    assert [word.unit for word in words] == sorted(word.unit for word in words)


def test_the_position_is_the_last_byte_of_the_word(subject, corpus):
    """The tiny tokenizer has one token a byte, so positions can be counted by hand."""
    for word in words_of(subject, corpus):
        text = TEXTS[corpus.languages[word.language]][word.unit]
        ends = [
            len(text[: at + len(word.surface)].encode())
            for at in range(len(text))
            if text.startswith(word.surface, at)
        ]
        assert word.position + 1 in ends


def test_other_words_touch_no_entity_and_keep_their_marks(subject, corpus):
    for seed in range(12):
        others = [w for w in words_of(subject, corpus, seed=seed) if w.kind == OTHER]
        for word in others:
            assert not {"Ada", "Lovelace", "Paris"} & set(word.surface.split())
            if corpus.languages[word.language] == "hi":
                assert word.surface in {"हम", "में", "मिले", "थे"}  # whole, the full stop aside
            assert any(letter.isalpha() for letter in word.surface)


def test_the_draw_of_other_words_depends_on_the_seed(subject, corpus):
    drawn = {tuple(words_of(subject, corpus, seed=seed)) for seed in range(8)}
    assert len(drawn) > 1
    assert words_of(subject, corpus, seed=3) == words_of(subject, corpus, seed=3)


def test_the_limit_of_entities_holds(subject, corpus):
    assert len(words_of(subject, corpus, per_text=1)) == 6
    assert len(words_of(subject, corpus, per_text=2)) == 8


def test_an_entity_that_the_limit_of_tokens_cuts_is_left_out(subject, corpus):
    end = TEXTS["en"][0].index("Paris") + 3
    tokens = tokenize(subject, corpus, max_tokens=end)
    found = find_words(subject, corpus, tokens)
    assert "Paris" not in {word.surface for word in found}
    assert "Ada Lovelace" in {word.surface for word in found}


def test_words_given_by_span_are_found_and_the_first_token_is_not(subject, corpus):
    tokens = tokenize(subject, corpus)
    given = {"en": [[(0, 2, "we"), (3, 6, "met")], [(0, 6, "nobody")], [(0, 1, "first")]]}
    found = locate_words(subject, corpus, tokens, spans=given)
    assert [(w.kind, w.unit, w.position) for w in found] == [
        ("we", 0, 1),
        ("met", 0, 5),
        ("nobody", 1, 5),
    ]


def test_a_tokenizer_without_offsets_is_refused(subject, corpus, monkeypatch):
    tokens = tokenize(subject, corpus)
    monkeypatch.setattr(type(subject.tokenizer), "is_fast", False, raising=False)
    with pytest.raises(StudyError, match="where its tokens are"):
        find_words(subject, corpus, tokens)


@pytest.mark.parametrize("side", ["right", "left"])
def test_vectors_are_the_models_own_at_those_tokens(subject, corpus, side):
    words = words_of(subject, corpus)
    found = read(
        subject, corpus, observers=(WordVectors(words),), padding_side=side, units_per_shard=2
    )
    vectors = np.concatenate(
        [found.store.read(shard, "words")["words"] for shard in found.plan], axis=1
    )
    tokens = tokenize(subject, corpus)
    assert vectors.shape == (4, len(words), 32)
    for number, word in enumerate(words):
        ids = tokens.texts[word.unit * 3 + word.language].ids
        with torch.inference_mode():
            states = subject.model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        for row in range(3):  # the last of them is normed
            expected = states[row][0, word.position].numpy()
            assert np.allclose(vectors[row, number], expected, atol=5e-5)


def test_a_shard_without_words_has_none(subject, corpus):
    found = read(
        subject, corpus, observers=(WordVectors(words_of(subject, corpus)),), units_per_shard=1
    )
    shapes = [found.store.read(shard, "words")["words"].shape for shard in found.plan]
    assert [shape[1] for shape in shapes] == [8, 0, 0]


def test_settings_tell_other_words_apart():
    one, other = (WordVectors([Word(0, 0, at, "x", "w")]).settings() for at in (3, 4))
    assert one != other
    assert WordVectors([Word(0, 0, 3, "y", "v")]).settings() == one


def test_scripts_without_spaces_are_those_of_the_languages_that_have_none():
    assert {"Hans", "Jpan", "Thai"} <= UNSPACED
    assert "Arab" not in UNSPACED
