"""The missing policies, on a table with three holes."""

from __future__ import annotations

import pickle

import pytest

from probekit.corpora import Dropped, Entity
from probekit.corpora.missing import Table, apply_missing, is_missing
from probekit.errors import CorpusError


def table() -> Table:
    return Table(
        units=["a", "b", "c", "d"],
        texts={
            "en": ["1", "2", "3", "4"],
            "sw": ["1", None, "3", ""],
            "hi": ["1", " \n", "3", "4"],
        },
        labels={"topic": ["p", "q", "r", "s"]},
        entities={"en": [(), (), (Entity(0, 1, "k", "3"),), ()], "sw": [(), (), (), ()]},
    )


@pytest.mark.parametrize("text", [None, "", " ", "\n\t", "\u3000", "\u00a0"])
def test_absent_empty_and_white_texts_are_missing(text: str | None) -> None:
    assert is_missing(text)


@pytest.mark.parametrize("text", ["a", " a", "\u200b", "0"])
def test_any_other_text_is_not_missing(text: str) -> None:
    assert not is_missing(text)


def test_refuse_counts_shows_three_and_names_the_other_policies() -> None:
    with pytest.raises(CorpusError) as caught:
        apply_missing(table(), "refuse")
    assert str(caught.value) == (
        "missing='refuse' needs every text: 3 of 12 are missing (unit 'b' in hi: empty text; "
        "unit 'b' in sw: absent; unit 'd' in sw: empty text). Complete them, or read with "
        "missing='drop-unit' or missing='drop-language'."
    )


def test_refuse_shows_no_more_than_three() -> None:
    bad = Table(units=list("abcd"), texts={"en": [None] * 4})
    with pytest.raises(CorpusError, match=r"unit 'c' in en: absent; …\)") as caught:
        apply_missing(bad, "refuse")
    assert "unit 'd'" not in str(caught.value)


def test_drop_unit_keeps_complete_units_with_their_labels_and_entities() -> None:
    kept, dropped = apply_missing(table(), "drop-unit")
    assert kept.units == ["a", "c"]
    assert kept.texts["sw"] == ["1", "3"]
    assert kept.labels == {"topic": ["p", "r"]}
    assert kept.entities["en"] == [(), (Entity(0, 1, "k", "3"),)]
    assert dropped.units == ("b", "d")
    assert dropped.summary() == "dropped 2 of 4 units (missing translations: sw 2, hi 1)"


def test_drop_language_keeps_complete_languages() -> None:
    kept, dropped = apply_missing(table(), "drop-language")
    assert kept.units == ["a", "b", "c", "d"]
    assert list(kept.texts) == ["en"]
    assert list(kept.entities) == ["en"]
    assert dropped.languages == ("sw", "hi")
    assert dropped.summary() == "dropped 2 of 3 languages (missing translations: sw 2, hi 1)"


@pytest.mark.parametrize("policy", ["refuse", "drop-unit", "drop-language"])
def test_a_complete_table_is_left_alone(policy: str) -> None:
    full = Table(units=["a"], texts={"en": ["x"], "de": ["y"]})
    kept, dropped = apply_missing(full, policy)
    assert kept == full
    assert not dropped
    assert dropped.summary() == "nothing dropped"


def test_dropping_every_unit_is_refused() -> None:
    holes = Table(units=["a", "b"], texts={"en": ["1", None], "sw": [None, "2"]})
    with pytest.raises(CorpusError, match=r"leaves no unit.*drop-language"):
        apply_missing(holes, "drop-unit")


def test_dropping_every_language_is_refused() -> None:
    holes = Table(units=["a", "b"], texts={"en": ["1", None], "sw": [None, "2"]})
    with pytest.raises(CorpusError, match=r"leaves no language.*en, sw.*drop-unit"):
        apply_missing(holes, "drop-language")


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CorpusError, match=r"refuse, drop-unit, drop-language. Got 'skip'"):
        apply_missing(table(), "skip")


def test_dropped_survives_pickling() -> None:
    dropped = Dropped(units=("a",), missing={"sw": 1}, of_units=2, of_languages=2)
    assert pickle.loads(pickle.dumps(dropped)) == dropped
