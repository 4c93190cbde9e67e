"""Every rule of a parallel corpus refuses in one line that names the value and the way out."""

from __future__ import annotations

import pytest

from probekit.corpora import Entity, ParallelCorpus
from probekit.errors import CorpusError, LanguageError

GOOD = {"name": "n", "units": ("a", "b"), "texts": {"en": ("x", "y"), "de": ("v", "w")}}

BAD = {
    "no units": ({"units": (), "texts": {"en": ()}}, CorpusError, "at least one unit"),
    "repeated unit": ({"units": ("a", "a")}, CorpusError, "unique.*'a'"),
    "blank unit": ({"units": ("a", " ")}, CorpusError, "non-empty strings.*position 1"),
    "unit not a string": ({"units": ("a", 2)}, CorpusError, "Got 2"),
    "no languages": ({"texts": {}}, LanguageError, "at least one language"),
    "unknown language": ({"texts": {"xx": ("x", "y")}}, LanguageError, "'xx'"),
    "one language twice": (
        {"texts": {"he": ("x", "y"), "iw": ("x", "y")}},
        LanguageError,
        "'he' and 'iw', which are both 'he'",
    ),
    "short column": ({"texts": {"en": ("x",)}}, CorpusError, "'en'.*Got 1 for 2 units"),
    "string for a column": ({"texts": {"en": "xy"}}, CorpusError, "one string"),
    "empty text": ({"texts": {"en": ("x", "")}}, CorpusError, "empty text for unit 'b' in 'en'"),
    "white text": ({"texts": {"en": ("x", "\u3000\n")}}, CorpusError, "unit 'b' in 'en'"),
    "text is None": ({"texts": {"en": ("x", None)}}, CorpusError, "Got None for unit 'b'"),
    "half a character": ({"texts": {"en": ("x", "y\ud800")}}, CorpusError, "surrogate at 1"),
    "short label": ({"labels": {"topic": ("t",)}}, CorpusError, "label 'topic'.*Got 1"),
    "label not a string": ({"labels": {"topic": ("t", 3)}}, CorpusError, "Got 3 for unit 'b'"),
    "entities of nobody": ({"entities": {"fr": ((), ())}}, LanguageError, "'fr', which has no"),
    "short entities": ({"entities": {"en": ((),)}}, CorpusError, "Got 1 for 2 units"),
    "span outside": (
        {"entities": {"en": ((Entity(0, 2, "k", "x"),), ())}},
        CorpusError,
        "text of 1 characters. Got 0:2",
    ),
    "empty span": (
        {"entities": {"en": ((Entity(1, 1, "k", ""),), ())}},
        CorpusError,
        "Got 1:1",
    ),
    "span of something else": (
        {"entities": {"en": ((Entity(0, 1, "k", "z"),), ())}},
        CorpusError,
        "slice 'x'. Got 'z'",
    ),
}


def test_the_good_corpus_is_accepted() -> None:
    assert ParallelCorpus(**GOOD).n_units == 2


@pytest.mark.parametrize("case", BAD)
def test_refuses(case: str) -> None:
    change, error, says = BAD[case]
    with pytest.raises(error, match=says) as caught:
        ParallelCorpus(**{**GOOD, **change})
    message = str(caught.value)
    assert "\n" not in message
    assert ":" in message or ". " in message, "a way out follows the rule"


def test_spans_count_code_points_not_utf16_units() -> None:
    text = "😀 Ada"
    entity = Entity(2, 5, "person", "Ada")
    corpus = ParallelCorpus(
        name="n", units=("a",), texts={"en": (text,)}, entities={"en": ((entity,),)}
    )
    assert text[entity.start : entity.end] == corpus.entities["en"][0][0].text
