"""The floor of who knows nothing but a relation's answers."""

from __future__ import annotations

import pytest

from probekit.facts import FactSet, Question, guessing, planted_facts


def asked(answers, *, choices=(" a", " b", " c", " d"), relation="r"):
    return FactSet(
        tuple(
            Question(
                fact=f"{relation}{n}",
                language="en",
                prompt=f"{relation} {n} is",
                answer=f" {answer}",
                choices=choices,
                relation=relation,
            )
            for n, answer in enumerate(answers)
        )
    )


@pytest.mark.parametrize(
    ("answers", "floor"), [("abcd", 0.25), ("aabb", 0.5), ("aaab", 0.75), ("a", 0.25)]
)
def test_the_floor_is_what_the_best_constant_answer_gets(answers, floor):
    found = guessing(asked(answers))
    assert set(found.values()) == {floor}
    right = max(answers.count(letter) for letter in answers) / len(answers)
    assert floor == max(right if right * len(answers) > 1 else 0, 0.25)


def test_open_questions_have_a_floor_only_where_an_answer_comes_twice():
    assert set(guessing(asked("abcd", choices=())).values()) == {0.0}
    assert set(guessing(asked("aabc", choices=())).values()) == {0.5}


def test_relations_are_told_apart_and_only_the_asked_for_count():
    both = FactSet(asked("aaab").questions + asked("abcd", relation="s").questions)
    found = guessing(both)
    assert found["en", "r0"] == 0.75
    assert found["en", "s0"] == 0.25
    known = {("en", "r0"), ("en", "r3"), ("en", "s1")}
    assert guessing(both, among=known) == dict.fromkeys(known, 0.25)


def test_planted_facts_are_balanced_and_a_cut_of_them_is_not():
    facts = planted_facts(("en", "de")).where(part="forget", form="statement")
    assert set(guessing(facts).values()) == {0.25}
    few = facts.where(fact=facts.facts[:16])
    assert max(guessing(few).values()) > 0.25
