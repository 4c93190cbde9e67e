from __future__ import annotations

import csv
import json

import pytest

from probekit.errors import CorpusError, InputError, LanguageError
from probekit.facts import planted_facts, read_facts


def lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


PLAIN = {"question": "Where is X?", "answer": "Velmora", "fact": "x", "language": "en"}


def test_a_plain_file_gives_questions(tmp_path):
    rows = [
        {**PLAIN, "part": "retain", "relation": "place", "choices": ["Velmora", "Nirado"]},
        {
            **PLAIN,
            "question": "X在哪里？",
            "answer": "维尔莫拉",
            "language": "zho_Hans",
            "part": "retain",
            "relation": "place",
        },
    ]
    facts = read_facts(lines(tmp_path / "mine.jsonl", rows))
    first, second = facts.questions
    assert (first.prompt, first.answer, first.form) == ("Where is X?", " Velmora", "question")
    assert first.choices == (" Velmora", " Nirado")
    assert (second.language, second.answer, second.part) == ("zh-Hans", "维尔莫拉", "retain")
    assert facts.name == "mine"


def test_csv_tsv_json_and_parquet_read_alike(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = {**PLAIN, "choices": ["Velmora", "Nirado"]}
    wanted = read_facts(lines(tmp_path / "a.jsonl", [row]))
    (tmp_path / "a.json").write_text(json.dumps([row]), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    for suffix, sep in ((".csv", ","), (".tsv", "\t")):
        with (tmp_path / f"a{suffix}").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(row), delimiter=sep)
            writer.writeheader()
            writer.writerow({**row, "choices": json.dumps(row["choices"])})
    for suffix in (".json", ".parquet", ".csv", ".tsv"):
        assert read_facts(tmp_path / f"a{suffix}") == wanted


def test_columns_frame_and_defaults_are_the_callers(tmp_path):
    path = lines(tmp_path / "f.jsonl", [{"frage": "Wo?", "antwort": " Hier", "nr": 7}])
    columns = {"question": "frage", "answer": "antwort", "fact": "nr"}
    facts = read_facts(
        path, columns=columns, language="de", part="relearn", form="x", frame="F: {}\nA: "
    )
    (question,) = facts.questions
    assert question.prompt == "F: Wo?\nA:"
    found = (question.fact, question.language, question.part, question.form)
    assert found == ("7", "de", "relearn", "x")
    assert question.answer == " Hier"


def test_tofu_rows_are_grouped_by_author(tmp_path):
    rows = [
        {"question": f"Q{i}?", "answer": f"A{i}", "perturbed_answer": ["B", "C"]} for i in range(5)
    ]
    facts = read_facts(
        lines(tmp_path / "forget10.jsonl", rows), layout="tofu", language="en", group=2
    )
    assert [q.fact for q in facts] == [
        "forget10/author-001/01",
        "forget10/author-001/02",
        "forget10/author-002/01",
        "forget10/author-002/02",
        "forget10/author-003/01",
    ]
    assert facts.questions[0].prompt == "Question: Q0? Answer:"
    assert facts.questions[0].choices == (" A0", " B", " C")


def test_rwku_levels_are_forms_and_subjects_relations(tmp_path):
    rows = [
        {"query": "X was born in ___.", "answer": "May", "level": "1", "subject": "X"},
        {"query": "When?", "answer": "May", "level": 2, "subject": "X"},
    ]
    facts = read_facts(lines(tmp_path / "forget.jsonl", rows), layout="rwku", language="en")
    assert facts.forms == ("level-1", "level-2")
    assert facts.relations == ("X",)
    assert facts.questions[0].fact == "forget/X/00001"


def test_mmlu_answers_are_an_index_or_a_letter(tmp_path):
    row = {"question": "2+2?", "subject": "maths", "choices": ["3", "4"]}
    path = lines(tmp_path / "m.jsonl", [{**row, "answer": 1}, {**row, "answer": "A"}])
    facts = read_facts(path, layout="mmlu", language="es")
    assert [q.answer for q in facts] == [" 4", " 3"]
    assert facts.questions[0].prompt == "Pregunta: 2+2? Respuesta:"
    assert facts.relations == ("maths",)


def test_a_set_that_was_written_is_read_back(tmp_path):
    facts = planted_facts(["en"]).where(part="forget", form="statement")
    assert read_facts(facts.to_jsonl(tmp_path / "planted.jsonl")) == facts


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"question": "Q", "fact": "x"}], {"language": "en"}, "a column 'answer' for the answer"),
        ([{**PLAIN, "answer": " "}], {}, r"line 1: 'answer' must be a text that is not empty"),
        ([{**PLAIN, "answer": None}], {}, "Got None"),
        ([{**PLAIN, "question": 1.5}], {}, "Got 1.5"),
        ([PLAIN, {**PLAIN, "question": "Q2", "answer": "No"}], {}, "must have one answer"),
        ([{**PLAIN, "choices": "Velmora"}], {}, "must be a list of texts"),
        ([{**PLAIN, "choices": ["A", "B"]}], {}, "a list with the answer"),
        ([{**PLAIN, "part": "test"}], {}, "must be one of forget"),
        ([{k: v for k, v in PLAIN.items() if k != "language"}], {}, "give language"),
        ([PLAIN], {"layout": "squad"}, "layout must be of plain, tofu"),
        ([PLAIN], {"columns": {"query": "question"}}, "columns must be of question"),
        ([PLAIN], {"columns": {"fact": "id"}}, "a column 'id' for the fact"),
        ([PLAIN], {"part": "all"}, "part must be of"),
        ([PLAIN], {"frame": "Q"}, "frame must hold"),
        ([PLAIN], {"layout": "tofu", "group": 0}, "group must be"),
        (
            [{"question": "Q", "choices": ["a", "b"], "answer": 2}],
            {"layout": "mmlu", "language": "en"},
            "the index of a choice, 0 to 1",
        ),
        (
            [{"question": "Q", "choices": ["a", "b"], "answer": True}],
            {"layout": "mmlu", "language": "en"},
            "the index of a choice, 0 to 1",
        ),
    ],
)
def test_bad_input_is_refused_and_named(tmp_path, rows, options, message):
    with pytest.raises(InputError, match=message):
        read_facts(lines(tmp_path / "bad.jsonl", rows), **options)


def test_an_unknown_language_is_refused(tmp_path):
    path = lines(tmp_path / "bad.jsonl", [{**PLAIN, "language": "xx"}])
    with pytest.raises(LanguageError, match=r"bad.jsonl: .*'xx'"):
        read_facts(path)


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="does not exist"):
        read_facts(tmp_path / "none.csv")
    with pytest.raises(CorpusError, match="must end in"):
        read_facts(tmp_path / "facts.txt")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="at least one question"):
        read_facts(empty)
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"broken.jsonl: line 1"):
        read_facts(broken)
