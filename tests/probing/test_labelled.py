"""Labelled files: three formats give the same tasks; what is wrong is said with its place."""

from __future__ import annotations

import json

import pytest

from probekit.errors import CorpusError, LanguageError
from probekit.probing import LabelledTexts, LabelledWords, read_labelled

ROWS = [("Guten Tag", "nice", "de"), ("Jambo, dunia", "nice", "sw"), ("Geh weg", "rude", "de")]
CONLL = "Angela B-PER\nMerkel I-PER\nkam O\n\nNach O\nKigali B-LOC\n"


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(params=["csv", "tsv", "jsonl"])
def table(request, tmp_path):
    if request.param == "jsonl":
        keys = ("text", "label", "language")
        lines = [json.dumps(dict(zip(keys, row, strict=True))) for row in ROWS]
    else:
        sep = "," if request.param == "csv" else "\t"
        quoted = [[f'"{cell}"' for cell in row] for row in ROWS]
        lines = [sep.join(("text", "label", "language")), *(sep.join(row) for row in quoted)]
    return write(tmp_path, f"moods.{request.param}", "\n".join(lines) + "\n")


def test_every_format_gives_the_same_task(table):
    found = read_labelled(table)
    assert isinstance(found, LabelledTexts)
    assert list(zip(found.texts, found.labels, found.languages, strict=True)) == ROWS
    assert found.task().classes == ("nice", "rude")
    assert found.task().labels.tolist() == [0, 0, 1]
    assert found.of("de").texts == ("Guten Tag", "Geh weg")


def test_columns_may_have_other_names(tmp_path):
    path = write(tmp_path, "x.csv", "satz,mood\nhallo,1\nweg,0\n")
    found = read_labelled(path, text="satz", label="mood", language="de")
    assert found.name == "mood"
    assert found.labels == ("1", "0")
    assert found.languages == ("de", "de")


def test_conll_gives_words_by_sentence(tmp_path):
    found = read_labelled(write(tmp_path, "ner.conll", CONLL), language="de")
    assert isinstance(found, LabelledWords)
    assert found.sentences == (("Angela", "Merkel", "kam"), ("Nach", "Kigali"))
    assert found.labels[0] == ("B-PER", "I-PER", "O")
    assert found.task().n_classes == 4
    assert found.of("de") == found


def test_prefixes_can_be_dropped(tmp_path):
    found = read_labelled(write(tmp_path, "ner.bio", CONLL), language="de", prefixes=False)
    assert found.labels == (("PER", "PER", "O"), ("O", "LOC"))


def test_conllu_has_words_in_its_second_column(tmp_path):
    lines = "# sent_id = 1\n1\tJambo\tjambo\tINTJ\n2\tdunia\tdunia\tNOUN\n"
    path = write(tmp_path, "ud.conllu", lines)
    found = read_labelled(path, language="sw", label=3)
    assert found.sentences == (("Jambo", "dunia"),)
    assert found.labels == (("INTJ", "NOUN"),)
    assert read_labelled(path, language="sw", label=2).labels == (("jambo", "dunia"),)


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        ("a.xml", "", {}, r"must end in \.csv"),
        ("a.csv", "text,label\nx,\n", {"language": "en"}, "line 2: column 'label'"),
        ("a.csv", "text,label\nx,y\n", {}, "column 'language' must be there"),
        ("a.csv", "text,label\n", {"language": "en"}, "one row or more"),
        ("a.conll", "word\n", {"language": "en"}, "line 1: a word must have 2 columns"),
        ("a.conll", "\n\n", {"language": "en"}, "one word or more"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, name, text, options, said):
    with pytest.raises(CorpusError, match=said):
        read_labelled(write(tmp_path, name, text), **options)


def test_languages_must_be_given_and_exist(tmp_path):
    path = write(tmp_path, "ner.conll", CONLL)
    with pytest.raises(LanguageError, match="give language='en'"):
        read_labelled(path)
    with pytest.raises(LanguageError, match="BCP 47"):
        read_labelled(path, language="xx")
    with pytest.raises(LanguageError, match=r"has no language 'sw' \(has: de\)"):
        read_labelled(path, language="de").of("sw")


def test_a_file_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(CorpusError, match="cannot be read"):
        read_labelled(tmp_path / "none.csv")
