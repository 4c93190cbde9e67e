from __future__ import annotations

import pytest

from probekit.errors import CorpusError, InputError, LanguageError
from probekit.facts import FactSet, Question


def question(**fields):
    given = {"fact": "f", "language": "en", "prompt": "X was born in", "answer": " Velmora"}
    return Question(**{**given, **fields})


def small_set():
    return FactSet(
        (
            question(fact="b", language="de", part="retain", choices=(" Velmora", " Nirado")),
            question(fact="a", form="question", prompt="Where?", relation="birthplace"),
            question(fact="a", relation="birthplace"),
        )
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": "X was born in "}, "prompt of fact 'f' in 'en' must be without a space"),
        ({"answer": "  "}, "answer of fact 'f'"),
        ({"fact": ""}, "fact of fact ''"),
        ({"part": "test"}, "must be one of forget, retain, neighbour, relearn. Got 'test'"),
        ({"choices": (" Nirado", " Ostrell")}, "a list with the answer ' Velmora'"),
        ({"choices": (" Velmora",)}, "two or more different answers"),
        ({"choices": (" Velmora", " Nirado", " Nirado")}, "two or more different answers"),
        ({"choices": (" Velmora", "Nirado")}, "same leading space"),
        ({"answer": " \ud800"}, "lone surrogate"),
    ],
)
def test_a_question_that_breaks_a_rule_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        question(**fields)


def test_an_unknown_language_is_refused():
    with pytest.raises(LanguageError, match="'xx'"):
        question(language="xx")


def test_where_keeps_the_order_and_takes_one_value_or_several():
    facts = small_set()
    assert facts.where(fact="a").questions == facts.questions[1:]
    assert facts.where(language=["de", "en"]) == facts
    assert facts.where(part="retain", language="de").facts == ("b",)
    assert len(facts.where(form=("question",))) == 1


def test_where_names_what_exists_when_a_value_is_unknown():
    with pytest.raises(InputError, match=r"language .*\(has: de, en\). Got 'fr'"):
        small_set().where(language="fr")
    with pytest.raises(InputError, match="Got none"):
        small_set().where(language=())
    with pytest.raises(InputError, match="no question with part retain, language en"):
        small_set().where(part="retain", language="en")


def test_values_are_sorted_and_texts_join_prompt_and_answer():
    facts = small_set()
    assert facts.languages == ("de", "en")
    assert facts.facts == ("a", "b")
    assert facts.parts == ("forget", "retain")
    assert facts.relations == ("", "birthplace")
    assert facts.texts()[1] == "Where? Velmora"
    assert question(choices=(" Nirado", " Velmora")).right == 1
    assert question().right is None


def test_a_fact_has_one_answer_in_a_language_and_one_part():
    with pytest.raises(InputError, match=r"'f' in 'en' must have one answer. Got 'Velmora' and 'N"):
        FactSet((question(), question(prompt="Where?", answer=" Nirado")))
    with pytest.raises(InputError, match="must have one part"):
        FactSet((question(), question(prompt="Where?", part="retain")))
    with pytest.raises(InputError, match="twice"):
        FactSet((question(), question()))
    with pytest.raises(InputError, match="at least one question"):
        FactSet(())
    FactSet((question(), question(prompt="Wo?", language="de", answer=" Welmora")))


def test_json_lines_give_the_same_set_and_hash_back(tmp_path):
    facts = small_set()
    back = FactSet.from_jsonl(facts.to_jsonl(tmp_path / "mine.jsonl"))
    assert back == facts
    assert back.sha256 == facts.sha256
    assert back.name == "mine"
    assert facts.where(language="en").sha256 != facts.sha256


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"fact": "f", "language": "en", "prompt": "x"}', "no 'answer'"),
        ('{"fact": "f", "language": "en", "prompt": "x", "answer": " y", "level": 1}', "'level'"),
        (
            '{"fact": "f", "language": "en", "prompt": "x", "answer": " y", "choices": " y"}',
            "must be a list",
        ),
        ("[1]", "line 1"),
    ],
)
def test_a_line_that_is_no_question_is_refused(tmp_path, line, message):
    path = tmp_path / "bad.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        FactSet.from_jsonl(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CorpusError, match="does not exist"):
        FactSet.from_jsonl(tmp_path / "none.jsonl")
