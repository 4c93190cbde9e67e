"""The validator of the built-in corpus: parallel, balanced, in the right script, marked truly."""

from __future__ import annotations

import itertools
import statistics
import unicodedata
from collections import Counter

import numpy as np
import pytest

from probekit.corpora import BUILTIN_LANGUAGES, builtin_sentences
from probekit.corpora.corpus import ParallelCorpus
from probekit.errors import LanguageError

LABELS = {
    "sentiment": {"negative", "neutral", "positive"},
    "form": {"statement", "question"},
    "tense": {"past", "present", "future"},
    "negation": {"yes", "no"},
}

# First words of Unicode names of letters. "ー" (prolonged sound mark) is named for both kana.
KANA = ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA")
SCRIPTS = {
    "ru": ("CYRILLIC",),
    "zh": ("CJK",),
    "ja": ("CJK", *KANA),
    "ar": ("ARABIC",),
    "hi": ("DEVANAGARI",),
}

# Characters of a text per character of its English: Han and kana say more with each character.
RATIO = {"zh": (0.2, 0.5), "ja": (0.25, 0.75), "ar": (0.55, 1.3)}
OTHER_RATIO = (0.6, 1.75)


@pytest.fixture(scope="module")
def corpus() -> ParallelCorpus:
    return builtin_sentences()


def letters(text: str) -> list[str]:
    return [char for char in text if char.isalpha()]


def script(char: str) -> str:
    return unicodedata.name(char, "").split(" ")[0]


def label(corpus: ParallelCorpus, name: str, unit: int) -> str:
    return corpus.labels[name][unit]


def each_text(corpus: ParallelCorpus) -> list[tuple[str, int, str]]:
    return [
        (code, i, text) for code in corpus.languages for i, text in enumerate(corpus.texts[code])
    ]


def test_it_is_large_enough_for_every_study(corpus: ParallelCorpus) -> None:
    assert corpus.n_units >= 160
    corpus.require()


def test_it_has_the_twelve_languages_in_order(corpus: ParallelCorpus) -> None:
    assert " ".join(corpus.languages) == "en es fr de ru zh ja ar hi tr id sw"
    assert corpus.languages == BUILTIN_LANGUAGES


def test_every_language_has_every_unit(corpus: ParallelCorpus) -> None:
    assert {len(texts) for texts in corpus.texts.values()} == {corpus.n_units}
    assert not corpus.dropped


def test_select_keeps_the_order_asked_and_refuses_others() -> None:
    assert builtin_sentences(["sw", "en"]).languages == ("sw", "en")
    with pytest.raises(LanguageError, match="no language 'de-AT'"):
        builtin_sentences(["de-AT"])


def test_it_is_read_once() -> None:
    assert builtin_sentences() is builtin_sentences()


def test_topics_are_eight_and_equally_many(corpus: ParallelCorpus) -> None:
    counts = Counter(corpus.labels["topic"])
    assert len(counts) == 8
    assert len(set(counts.values())) == 1


@pytest.mark.parametrize("name", LABELS)
def test_labels_have_their_values_in_every_topic(corpus: ParallelCorpus, name: str) -> None:
    assert set(corpus.labels[name]) == LABELS[name]
    pairs = set(zip(corpus.labels["topic"], corpus.labels[name], strict=True))
    assert len(pairs) == 8 * len(LABELS[name])


@pytest.mark.parametrize("name", LABELS)
def test_no_value_of_a_label_is_rare(corpus: ParallelCorpus, name: str) -> None:
    counts = Counter(corpus.labels[name])
    assert min(counts.values()) >= corpus.n_units / len(counts) / 2


@pytest.mark.parametrize(("first", "second"), [*itertools.combinations(LABELS, 2)])
def test_no_label_gives_another_away(corpus: ParallelCorpus, first: str, second: str) -> None:
    """Cramér's V of two labels stays low: a probe of one must not pass by reading the other."""
    assert cramers_v(corpus.labels[first], corpus.labels[second]) < 0.25


def cramers_v(a: tuple[str, ...], b: tuple[str, ...]) -> float:
    rows, columns = sorted(set(a)), sorted(set(b))
    pairs = Counter(zip(a, b, strict=True))
    table = np.array([[pairs[r, c] for c in columns] for r in rows], dtype=float)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / table.sum() / (min(table.shape) - 1)))


@pytest.mark.parametrize("name", LABELS)
def test_the_order_of_units_does_not_give_a_label_away(corpus: ParallelCorpus, name: str) -> None:
    """Neighbours agree as often as in shuffled order (two-sided permutation p > .001)."""
    values = np.array(corpus.labels[name])
    rng = np.random.default_rng(0)
    shuffled = np.array([agreement(rng.permutation(values)) for _ in range(4000)])
    extreme = np.abs(shuffled - shuffled.mean()) >= abs(agreement(values) - shuffled.mean())
    assert extreme.mean() > 0.001


def agreement(values: np.ndarray) -> float:
    return float((values[1:] == values[:-1]).mean())


def test_the_test_of_order_finds_a_sorted_label() -> None:
    values = np.array(["a"] * 50 + ["b"] * 50)
    rng = np.random.default_rng(0)
    assert max(agreement(rng.permutation(values)) for _ in range(1000)) < agreement(values)


def test_no_text_stands_twice_in_a_language(corpus: ParallelCorpus) -> None:
    for code, texts in corpus.texts.items():
        twice = [text for text, count in Counter(texts).items() if count > 1]
        assert not twice, (code, twice)


def test_texts_are_nfc_without_stray_space_or_markup(corpus: ParallelCorpus) -> None:
    bad = [
        (code, corpus.units[i])
        for code, i, text in each_text(corpus)
        if text != unicodedata.normalize("NFC", text)
        or text != " ".join(text.split())
        or any(mark in text for mark in "[]|\ufffd\u200b\ufeff")
    ]
    assert not bad


def test_letters_are_of_the_languages_script(corpus: ParallelCorpus) -> None:
    bad = []
    for code, i, text in each_text(corpus):
        found = letters(text)
        right = sum(script(char) in SCRIPTS.get(code, ("LATIN",)) for char in found)
        if right < 0.97 * len(found):
            bad.append((code, corpus.units[i], text))
    assert not bad


def test_chinese_has_no_kana_and_japanese_always_has(corpus: ParallelCorpus) -> None:
    for text in corpus.texts["zh"]:
        assert not any(script(char) in KANA for char in text), text
    for text in corpus.texts["ja"]:
        assert any(script(char) in KANA for char in text), text


def test_a_question_mark_stands_if_and_only_if_it_is_a_question(corpus: ParallelCorpus) -> None:
    bad = [
        (code, corpus.units[i])
        for code, i, text in each_text(corpus)
        if any(mark in text for mark in "?？؟") != (label(corpus, "form", i) == "question")
    ]
    assert not bad


def test_spanish_opens_each_question(corpus: ParallelCorpus) -> None:
    for i, text in enumerate(corpus.texts["es"]):
        assert ("¿" in text) == (label(corpus, "form", i) == "question"), text


def test_texts_are_about_as_long_as_their_english(corpus: ParallelCorpus) -> None:
    bad = []
    for code, i, text in each_text(corpus):
        low, high = RATIO.get(code, OTHER_RATIO)
        ratio = len(text) / len(corpus.texts["en"][i])
        if not low <= ratio <= high:
            bad.append((code, corpus.units[i], round(ratio, 2)))
    assert not bad


def test_no_language_is_longer_on_the_whole_in_one_class(corpus: ParallelCorpus) -> None:
    """Median length by sentiment differs by less than a third: length must not give it away."""
    for code, texts in corpus.texts.items():
        medians = [
            statistics.median(
                len(text) for i, text in enumerate(texts) if label(corpus, "sentiment", i) == value
            )
            for value in LABELS["sentiment"]
        ]
        assert max(medians) / min(medians) < 4 / 3, (code, medians)


def test_entities_are_of_the_same_kinds_in_every_language(corpus: ParallelCorpus) -> None:
    assert set(corpus.entities) == set(corpus.languages)
    for i, unit in enumerate(corpus.units):
        kinds = {
            code: sorted(entity.kind for entity in column[i])
            for code, column in corpus.entities.items()
        }
        assert all(found == kinds["en"] for found in kinds.values()), (unit, kinds)


def test_entities_are_spans_of_known_kinds_that_do_not_overlap(corpus: ParallelCorpus) -> None:
    for code, column in corpus.entities.items():
        for text, spans in zip(corpus.texts[code], column, strict=True):
            ordered = sorted(spans, key=lambda span: span.start)
            assert all(text[s.start : s.end] == s.text == s.text.strip() for s in ordered)
            assert all(a.end <= b.start for a, b in itertools.pairwise(ordered))
            assert {s.kind for s in ordered} <= {"person", "place", "organisation"}


def test_every_kind_of_entity_is_common(corpus: ParallelCorpus) -> None:
    counts = Counter(span.kind for spans in corpus.entities["en"] for span in spans)
    assert min(counts[kind] for kind in ("person", "place", "organisation")) >= 20
