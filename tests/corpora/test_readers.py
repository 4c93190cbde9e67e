"""Files to corpora: each format, each way a file can be wrong, and exact text."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probekit.corpora import Entity, ParallelCorpus, read_corpus
from probekit.errors import CorpusError, InputError, LanguageError

NESTED = (
    '{"unit": "u1", "text": {"en": "Ada wrote.", "sw": "Ada aliandika."}, '
    '"labels": {"topic": "art"}, '
    '"entities": {"en": [{"start": 0, "end": 3, "kind": "person", "text": "Ada"}]}}\n'
    '{"unit": "u2", "text": {"en": "Why?", "sw": "Kwa nini?"}, "labels": {"topic": "none"}}\n'
)
WIDE = [
    ["unit", "en", "sw", "label:topic"],
    ["u1", "Ada wrote.", "Ada aliandika.", "art"],
    ["u2", "Why?", "Kwa nini?", "none"],
]


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def joined(sep: str) -> str:
    return "".join(sep.join(row) + "\n" for row in WIDE)


def wide_dicts() -> list[dict[str, str]]:
    return [dict(zip(WIDE[0], row, strict=True)) for row in WIDE[1:]]


def write_all_formats(folder: Path) -> list[Path]:
    pq.write_table(pa.Table.from_pylist(wide_dicts()), folder / "c.parquet")
    return [
        put(folder, "c.csv", joined(",")),
        put(folder, "c.tsv", joined("\t")),
        put(folder, "c.jsonl", "".join(json.dumps(row) + "\n" for row in wide_dicts())),
        put(folder, "c.json", json.dumps(wide_dicts())),
        folder / "c.parquet",
    ]


def test_every_format_gives_the_same_corpus(tmp_path) -> None:
    corpora = [read_corpus(path) for path in write_all_formats(tmp_path)]
    assert all(corpus == corpora[0] for corpus in corpora)
    assert corpora[0].texts == {"en": ("Ada wrote.", "Why?"), "sw": ("Ada aliandika.", "Kwa nini?")}
    assert corpora[0].labels == {"topic": ("art", "none")}


def test_nested_jsonl_has_labels_and_entities(tmp_path) -> None:
    corpus = read_corpus(put(tmp_path, "c.jsonl", NESTED))
    assert corpus.units == ("u1", "u2")
    assert corpus.labels == {"topic": ("art", "none")}
    assert corpus.entities == {"en": ((Entity(0, 3, "person", "Ada"),), ())}


def test_nested_parquet_reads_structs(tmp_path) -> None:
    rows = [json.loads(line) for line in NESTED.splitlines()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    assert read_corpus(tmp_path / "c.parquet") == read_corpus(put(tmp_path, "c.jsonl", NESTED))


def test_name_and_provenance_come_from_the_file(tmp_path) -> None:
    path = put(tmp_path, "mine.jsonl", NESTED)
    assert read_corpus(path).name == "mine"
    assert read_corpus(path, name="yours").name == "yours"
    assert read_corpus(path).provenance.startswith("file mine.jsonl (sha256 ")


def test_a_byte_order_mark_is_not_text(tmp_path) -> None:
    plain = read_corpus(put(tmp_path, "c.csv", joined(",")))
    marked = read_corpus(put(tmp_path, "c.csv", b"\xef\xbb\xbf" + joined(",").encode()))
    assert marked == plain


def test_windows_line_ends_do_not_reach_the_text(tmp_path) -> None:
    for name, content in (("c.csv", joined(",")), ("c.jsonl", NESTED)):
        plain = read_corpus(put(tmp_path, name, content))
        assert read_corpus(put(tmp_path, name, content.replace("\n", "\r\n"))) == plain


def test_sep_reads_semicolons(tmp_path) -> None:
    path = put(tmp_path, "c.csv", joined(";"))
    assert read_corpus(path, sep=";").n_units == 2
    with pytest.raises(CorpusError, match="sep="):
        read_corpus(path)


def test_without_quotes_a_quotation_mark_is_text(tmp_path) -> None:
    path = put(tmp_path, "c.tsv", 'unit\ten\nu1\t"Why?" she said\nu2\t"No."\n')
    assert read_corpus(path, quotes=False).texts["en"] == ('"Why?" she said', '"No."')
    with pytest.raises(CorpusError, match="quotes=False"):
        read_corpus(path)


def test_quoted_csv_fields_keep_separators_quotes_and_newlines(tmp_path) -> None:
    text = 'a, "b"\nc\r\nd'
    with (tmp_path / "c.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["unit", "en"], ["u1", text]])
    assert read_corpus(tmp_path / "c.csv").texts["en"] == (text,)


def test_very_long_fields_are_read_and_the_csv_limit_is_put_back(tmp_path) -> None:
    before = csv.field_size_limit(100_000)
    long = "x" * 300_000
    assert read_corpus(put(tmp_path, "c.csv", f"unit,en\nu1,{long}\n")).texts["en"] == (long,)
    assert csv.field_size_limit(before) == 100_000


@pytest.mark.parametrize(
    "text", ["e\u0301", "\u00e9", "a\u2028b", " a ", "a\x00b", "a\x85b", "\u200f"]
)
def test_text_is_kept_code_point_for_code_point(tmp_path, text: str) -> None:
    nested = json.dumps({"unit": "u", "text": {"en": text}}, ensure_ascii=False)
    assert read_corpus(put(tmp_path, "c.jsonl", nested)).texts["en"] == (text,)
    assert read_corpus(put(tmp_path, "c.csv", f"unit,en\nu,{text}\n")).texts["en"] == (text,)


BROKEN = {
    "latin 1": ("c.csv", b"unit,en\nu1,caf\xe9\n", r"byte 0xe9 at offset 14 \(line 2\).*UTF-8"),
    "utf 16": ("c.csv", "unit,en\nu1,x\n".encode("utf-16"), "offset 0.*UTF-8"),
    "empty": ("c.jsonl", b"", "is empty"),
    "only a mark and white": ("c.csv", b"\xef\xbb\xbf \n", "is empty"),
    "only a header": ("c.csv", b"unit,en\n", "at least one unit"),
    "empty list": ("c.json", b"[]", "at least one unit"),
    "broken line": ("c.jsonl", b'{"unit": "u", "text": {"en": "x"}}\n{"unit":\n', "line 2: broken"),
    "broken list": ("c.json", b'[{"unit": "u"},\n oops]', "line 2: broken JSON"),
    "an object for a list": ("c.json", b'{"unit": "u"}', "list of objects. Got an object"),
    "a list for an object": ("c.jsonl", b'["u"]', "line 1.*Got a list"),
    "a number in a list": ("c.json", b"[3]", "item 1.*Got a number"),
    "key twice": (
        "c.jsonl",
        b'{"unit": "u", "text": {"en": "x", "en": "y"}}',
        "'en' is given more",
    ),
    "deep": ("c.jsonl", b'{"a":' * 200_000, "line 1"),
    "ragged": ("c.csv", b"unit,en\nu1,x\nu2,y,z\n", "line 3: a row must have 2 fields.*Got 3"),
    "short row": ("c.csv", b"unit,en\nu1\n", "line 2.*Got 1"),
    "open quote": ("c.csv", b'unit,en\nu1,"x\n', "quotation marks"),
    "column twice": ("c.csv", b"unit,en,en\nu1,x,y\n", "'en' more than once"),
    "not parquet": ("c.parquet", b"unit,en\nu1,x\n", "must be Parquet"),
    "suffix": ("c.xlsx", b"x", "must end in .jsonl"),
    "half a character": ("c.jsonl", b'{"unit": "u", "text": {"en": "\\ud800"}}', "surrogate"),
    "same unit": ("c.csv", b"unit,en\nu1,x\nu1,y\n", "unique.*'u1'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_by_name(tmp_path, case: str) -> None:
    name, content, says = BROKEN[case]
    with pytest.raises(CorpusError, match=says) as caught:
        read_corpus(put(tmp_path, name, content))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        read_corpus(tmp_path / "absent.csv")
    with pytest.raises(CorpusError, match="folder"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("sep", ["", "::", "\n"])
def test_sep_must_be_one_character(tmp_path, sep: str) -> None:
    path = put(tmp_path, "c.csv", joined(","))
    with pytest.raises(CorpusError, match="one character"):
        read_corpus(path, sep=sep)


def test_errors_keep_their_kind_when_the_file_is_named(tmp_path) -> None:
    path = put(tmp_path, "c.csv", joined(","))
    with pytest.raises(LanguageError, match=r"^c\.csv: corpus has no language 'de'"):
        read_corpus(path, languages=["de"])


@pytest.mark.parametrize(
    ("missing", "units", "languages"),
    [("drop-unit", ("u1",), ("en", "sw")), ("drop-language", ("u1", "u2"), ("en",))],
)
def test_missing_policies_reach_the_reader(tmp_path, missing, units, languages) -> None:
    path = put(tmp_path, "c.csv", "unit,en,sw\nu1,a,b\nu2,c,\n")
    corpus = read_corpus(path, missing=missing)
    assert (corpus.units, corpus.languages) == (units, languages)
    assert corpus.dropped.missing == {"sw": 1}
    with pytest.raises(CorpusError, match="unit 'u2' in sw: empty text"):
        read_corpus(path)


def test_a_wrong_policy_is_refused_before_the_file_is_read(tmp_path) -> None:
    with pytest.raises(InputError, match="missing must be one of"):
        read_corpus(tmp_path / "absent.csv", missing="ignore")


# Any Unicode but lone surrogates, with something that is not white: what a corpus may hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), min_size=1, max_size=4, unique_by=lambda r: r[0])
)
def test_any_unicode_survives_writing_and_reading(tmp_path, rows) -> None:
    units, english, arabic, labels = zip(*rows, strict=True)
    whole = tuple((Entity(0, len(text), "all", text),) for text in arabic)
    corpus = ParallelCorpus(
        name="any",
        units=units,
        texts={"en": english, "ar": arabic},
        labels={"x": labels},
        entities={"ar": whole},
    )
    assert read_corpus(corpus.to_jsonl(tmp_path / "any.jsonl")) == corpus
