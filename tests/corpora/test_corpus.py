"""The parallel corpus: what it holds, selects, hashes and writes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from probekit.corpora import Dropped, Entity, ParallelCorpus, read_corpus
from probekit.errors import CorpusError, LanguageError, StorageError


@pytest.fixture
def corpus() -> ParallelCorpus:
    return ParallelCorpus(
        name="tiny",
        units=("u1", "u2", "u3"),
        texts={
            "en": ("Ada wrote.", "It rains.", "Why?"),
            "sw": ("Ada aliandika.", "Mvua inanyesha.", "Kwa nini?"),
            "ar": ("كتبت آدا.", "إنها تمطر.", "لماذا؟"),
        },
        labels={"form": ("statement", "statement", "question")},
        entities={"en": ((Entity(0, 3, "person", "Ada"),), (), ())},
    )


def test_columns_keep_the_order_they_were_given(corpus: ParallelCorpus) -> None:
    assert corpus.languages == ("en", "sw", "ar")
    assert corpus.n_units == len(corpus) == 3


def test_select_gives_languages_and_units_in_the_order_asked(corpus: ParallelCorpus) -> None:
    part = corpus.select(languages=["ar", "en"], units=["u3", "u1"])
    assert part.languages == ("ar", "en")
    assert part.texts["en"] == ("Why?", "Ada wrote.")
    assert part.labels["form"] == ("question", "statement")
    assert part.entities == {"en": ((), (Entity(0, 3, "person", "Ada"),))}


def test_select_keeps_what_was_dropped_and_the_provenance(corpus: ParallelCorpus) -> None:
    dropped = Dropped(units=("u0",), missing={"sw": 1}, of_units=4, of_languages=3)
    part = replace(corpus, dropped=dropped, provenance="here").select(languages=["en"])
    assert (part.dropped, part.provenance) == (dropped, "here")


def test_select_of_everything_is_the_same_corpus(corpus: ParallelCorpus) -> None:
    assert corpus.select() == corpus


def test_select_of_a_missing_language_says_which_there_are(corpus: ParallelCorpus) -> None:
    with pytest.raises(LanguageError) as caught:
        corpus.select(languages=["de"])
    assert str(caught.value) == (
        "corpus has no language 'de' (has: ar, en, sw). Add it or drop it with --languages."
    )


@pytest.mark.parametrize(
    ("wish", "error", "says"),
    [
        ({"languages": ["en", "en"]}, LanguageError, "'en' more than once"),
        ({"languages": []}, LanguageError, "at least one language"),
        ({"units": ["u1", "u1"]}, CorpusError, "'u1'"),
        ({"units": ["u9"]}, CorpusError, "no unit 'u9'"),
        ({"units": []}, CorpusError, "at least one unit"),
    ],
)
def test_select_refuses(corpus: ParallelCorpus, wish: dict, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        corpus.select(**wish)


def test_require_passes_enough_and_names_what_is_short(corpus: ParallelCorpus) -> None:
    corpus.require(3, 3)
    with pytest.raises(CorpusError, match=r"at least 4 units. Got 3"):
        corpus.require(4, 3)
    with pytest.raises(CorpusError, match=r"at least 4 languages. Got 3"):
        corpus.require(3, 4)


def test_require_asks_eight_units_by_default(corpus: ParallelCorpus) -> None:
    with pytest.raises(CorpusError, match="at least 8 units"):
        corpus.require()


def test_hash_is_pinned() -> None:
    corpus = ParallelCorpus(name="any", units=("a",), texts={"en": ("x",)})
    # sha256 of {"labels":{},"languages":["en"],"texts":{"en":["x"]},"units":["a"]}
    assert corpus.sha256 == "d2d54e5a0aeda7646f51886e8ad7735b9a912109d6cfd74afc2c0c25ee4f227f"


@pytest.mark.parametrize(
    "change",
    [
        {"units": ("u1", "u2", "u4")},
        {"texts": {"en": ("a", "b", "c"), "sw": ("a", "b", "d"), "ar": ("a", "b", "c")}},
        {"labels": {"form": ("statement", "question", "question")}},
        {"labels": {}},
    ],
)
def test_hash_changes_with_content(corpus: ParallelCorpus, change: dict) -> None:
    assert replace(corpus, **{"entities": {}, **change}).sha256 != corpus.sha256


def test_hash_changes_with_the_order_of_languages(corpus: ParallelCorpus) -> None:
    assert corpus.select(languages=["sw", "en", "ar"]).sha256 != corpus.sha256


def test_hash_ignores_name_and_provenance(corpus: ParallelCorpus) -> None:
    assert replace(corpus, name="other", provenance="elsewhere").sha256 == corpus.sha256


def test_corpus_is_equal_by_content_and_hashable(corpus: ParallelCorpus) -> None:
    twin = replace(corpus, provenance="elsewhere")
    assert twin == corpus
    assert len({twin, corpus}) == 1
    assert replace(corpus, entities={}) != corpus
    assert replace(corpus, name="other") != corpus
    assert corpus != "corpus"


def test_corpus_cannot_be_changed(corpus: ParallelCorpus) -> None:
    with pytest.raises(FrozenInstanceError):
        corpus.name = "other"
    with pytest.raises(TypeError):
        corpus.texts["en"] = ()


def test_changing_the_callers_lists_does_not_reach_the_corpus() -> None:
    texts = {"en": ["one", "two"]}
    corpus = ParallelCorpus(name="n", units=["a", "b"], texts=texts)
    texts["en"][0] = "three"
    assert corpus.texts["en"] == ("one", "two")
    assert corpus.units == ("a", "b")


def test_corpus_survives_pickling_and_copying(corpus: ParallelCorpus) -> None:
    assert pickle.loads(pickle.dumps(corpus)) == corpus
    assert copy.deepcopy(corpus) == corpus


def test_languages_without_any_entity_are_left_out(corpus: ParallelCorpus) -> None:
    assert replace(corpus, entities={"sw": ((), (), ())}).entities == {}


def test_jsonl_round_trip(corpus: ParallelCorpus, tmp_path) -> None:
    path = corpus.to_jsonl(tmp_path / "tiny.jsonl")
    assert read_corpus(path) == corpus


def test_writing_where_there_is_no_folder_is_a_storage_error(
    corpus: ParallelCorpus, tmp_path
) -> None:
    with pytest.raises(StorageError, match="No such file"):
        corpus.to_jsonl(tmp_path / "absent" / "tiny.jsonl")


def test_repr_is_one_short_line(corpus: ParallelCorpus) -> None:
    assert repr(corpus) == "ParallelCorpus('tiny', 3 units × 3: en, sw, ar)"
