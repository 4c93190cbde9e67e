"""Rows to a table: what each column is taken for, and what is refused."""

from __future__ import annotations

import pytest

from probekit.corpora.languages import is_language
from probekit.corpora.layouts import COLUMN_WORDS, Columns, Row, table_from_rows
from probekit.errors import CorpusError, LanguageError


def rows(*cells: dict) -> list[Row]:
    return [Row(f"line {i}", row) for i, row in enumerate(cells, start=1)]


def test_wide_columns_are_unit_languages_and_labels() -> None:
    table = table_from_rows(
        rows({"unit": "a", "eng_Latn": "x", "zho_Hans": "y", "label:topic": "t"}), Columns()
    )
    assert table.units == ["a"]
    assert table.texts == {"en": ["x"], "zh-Hans": ["y"]}
    assert table.labels == {"topic": ["t"]}


def test_labels_and_ignore_name_further_columns() -> None:
    cells = {"unit": "a", "en": "x", "topic": "t", "note": "n"}
    table = table_from_rows(rows(cells), Columns(labels=("topic",), ignore=("note",)))
    assert table.labels == {"topic": ["t"]}
    with pytest.raises(CorpusError, match=r"'note' is neither.*ignore="):
        table_from_rows(rows(cells), Columns(labels=("topic",)))


def test_languages_choose_and_order_columns() -> None:
    cells = rows({"unit": "a", "en": "x", "de": "y", "fr": "z"})
    assert list(table_from_rows(cells, Columns(languages=("fr", "en"))).texts) == ["fr", "en"]
    assert list(table_from_rows(cells, Columns()).texts) == ["en", "de", "fr"]


def test_languages_may_be_asked_for_as_the_data_set_spells_them() -> None:
    cells = rows({"unit": "a", "swh_Latn": "x"})
    assert list(table_from_rows(cells, Columns(languages=("swh_Latn",))).texts) == ["sw"]
    assert list(table_from_rows(cells, Columns(languages=("sw",))).texts) == ["sw"]


def test_a_column_id_is_indonesian_beside_a_unit_column() -> None:
    table = table_from_rows(rows({"unit": "a", "en": "x", "id": "satu"}), Columns())
    assert table.texts["id"] == ["satu"]


def test_a_column_id_can_be_the_unit() -> None:
    table = table_from_rows(rows({"id": 7, "en": "x"}), Columns(unit="id"))
    assert table.units == ["7"]
    assert list(table.texts) == ["en"]


def test_a_column_id_of_numbers_is_refused() -> None:
    cells = rows({"unit": "a", "en": "x", "id": "1"}, {"unit": "b", "en": "y", "id": "2"})
    with pytest.raises(CorpusError, match="Indonesian, but holds only numbers"):
        table_from_rows(cells, Columns())
    assert list(table_from_rows(cells, Columns(ignore=("id",))).texts) == ["en"]


def test_without_a_unit_column_the_columns_are_listed_and_id_explained() -> None:
    with pytest.raises(CorpusError, match=r"has: id, en.*'id' is Indonesian unless.*unit='id'"):
        table_from_rows(rows({"id": "1", "en": "x"}), Columns())


def test_a_word_that_is_also_a_code_must_be_named() -> None:
    cells = rows({"unit": "a", "en": "x", "src": "wiki"})
    with pytest.raises(CorpusError, match="'src' may be Logudorese Sardinian or a word"):
        table_from_rows(cells, Columns())
    assert table_from_rows(cells, Columns(labels=("src",))).labels == {"src": ["wiki"]}
    assert list(table_from_rows(cells, Columns(languages=("en", "src"))).texts) == ["en", "src"]


def test_every_guarded_word_would_be_taken_for_a_language_or_refused() -> None:
    assert {"src", "cat", "min", "set"} <= {word for word in COLUMN_WORDS if is_language(word)}


def test_rows_of_wide_json_may_lack_columns() -> None:
    table = table_from_rows(rows({"unit": "a", "en": "x"}, {"unit": "b", "de": "y"}), Columns())
    assert table.texts == {"en": ["x", None], "de": [None, "y"]}


def test_nested_labels_become_strings() -> None:
    table = table_from_rows(
        rows({"unit": 1, "text": {"en": "x"}, "labels": {"n": 3, "yes": True, "f": 0.5}}), Columns()
    )
    assert table.units == ["1"]
    assert table.labels == {"n": ["3"], "yes": ["true"], "f": ["0.5"]}


def test_nested_keys_may_be_named_as_labels_or_ignored() -> None:
    cells = rows({"key": "a", "text": {"en": "x"}, "topic": "t", "note": 1})
    columns = Columns(unit="key", labels=("topic",), ignore=("note",))
    assert table_from_rows(cells, columns).labels == {"topic": ["t"]}


def test_nested_null_is_a_missing_translation() -> None:
    cells = rows(
        {"unit": "a", "text": {"en": "x", "sw": None}}, {"unit": "b", "text": None, "labels": None}
    )
    assert table_from_rows(cells, Columns()).texts == {"en": ["x", None], "sw": [None, None]}


NESTED = {"unit": "a", "text": {"en": "x"}}
REFUSED = {
    "unknown key": ([{**NESTED, "topic": "t"}], CorpusError, r"key 'topic'.*labels=\['topic'\]"),
    "no unit": ([{"text": {"en": "x"}}], CorpusError, "line 1: unit id 'unit'.*Got None"),
    "unit true": ([{**NESTED, "unit": True}], CorpusError, "Got True"),
    "unit blank": ([{**NESTED, "unit": " "}], CorpusError, "Got ' '"),
    "text a number": (
        [{"unit": "a", "text": {"en": 3}}],
        CorpusError,
        "'en' must be a string. Got 3",
    ),
    "text a list": ([NESTED, {"unit": "b", "text": ["x"]}], CorpusError, "line 2: 'text' must be"),
    "unknown language": ([{"unit": "a", "text": {"xx": "x"}}], LanguageError, "'xx'"),
    "language twice": (
        [{"unit": "a", "text": {"en": "x", "eng_Latn": "y"}}],
        LanguageError,
        "'en' and 'eng_Latn' are both language 'en'",
    ),
    "label a list": ([{**NESTED, "labels": {"t": [1]}}], CorpusError, r"label 't'.*Got \[1\]"),
    "label on some": (
        [{**NESTED, "labels": {"t": "1"}}, {"unit": "b", "text": {"en": "y"}}],
        CorpusError,
        "label 't'.*unit 'b'.*'none'",
    ),
    "entities a string": ([{**NESTED, "entities": {"en": "x"}}], CorpusError, "must be a list"),
    "entity without kind": (
        [{**NESTED, "entities": {"en": [{"start": 0, "end": 1, "text": "x"}]}}],
        CorpusError,
        "an entity of 'en' must have",
    ),
    "entity at true": (
        [{**NESTED, "entities": {"en": [{"start": 0, "end": True, "kind": "k", "text": "x"}]}}],
        CorpusError,
        "whole numbers",
    ),
    "wide twice": (
        [{"unit": "a", "en": "x", "eng_Latn": "y"}],
        LanguageError,
        "'en' and 'eng_Latn' are both.*ignore",
    ),
    "wide number": ([{"unit": "a", "en": 3}], CorpusError, "Got 3"),
    "wide without language": ([{"unit": "a"}], LanguageError, "language columns"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    cells, error, says = REFUSED[case]
    with pytest.raises(error, match=says):
        table_from_rows(rows(*cells), Columns())


def test_labels_must_name_columns() -> None:
    with pytest.raises(CorpusError, match=r"'topic'.*has: unit, en"):
        table_from_rows(rows({"unit": "a", "en": "x"}), Columns(labels=("topic",)))


def test_a_language_may_be_asked_for_once() -> None:
    with pytest.raises(LanguageError, match="'en' more than once"):
        table_from_rows(rows({"unit": "a", "en": "x"}), Columns(languages=("en", "eng_Latn")))
