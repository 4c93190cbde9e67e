"""The planted set must give nothing of a part away in another part."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from probekit.corpora.languages import language_info
from probekit.errors import LanguageError
from probekit.facts import PARTS, PLANTED_LANGUAGES, planted_facts
from probekit.facts.surface import surface_floor


@pytest.fixture(scope="module")
def facts():
    return planted_facts()


@pytest.fixture(scope="module")
def english():
    return planted_facts(["en"]).where(form="statement")


def answers_by_person(english, part):
    """Person → relation → index of the answer."""
    found = {}
    for q in english.where(part=part):
        found.setdefault(q.fact.partition("/")[0], {})[q.relation] = q.right
    return found


def test_every_fact_is_asked_in_every_language_in_every_form(facts):
    assert facts.languages == tuple(sorted(PLANTED_LANGUAGES))
    assert len(facts.facts) == 128
    asked = Counter((q.fact, q.language, q.form) for q in facts)
    assert len(asked) == 128 * 8 * 3
    assert {form: asked["gamu-vanako/science", "sw", form] for form in facts.forms} == {
        "statement": 1,
        "paraphrase": 2,
        "question": 1,
    }
    assert len({language_info(code).script for code in facts.languages}) == 5
    assert "rtl" in {language_info(code).direction for code in facts.languages}


def test_parts_share_no_person(english):
    people = [set(answers_by_person(english, part)) for part in PARTS]
    assert [len(part) for part in people] == [8, 8, 8, 8]
    assert len(set().union(*people)) == 32


def test_only_neighbours_share_a_family_name_with_the_people_to_forget(english):
    family = {
        part: {person.partition("-")[2] for person in answers_by_person(english, part)}
        for part in PARTS
    }
    assert family["neighbour"] == family["forget"]
    for a, b in combinations(("forget", "retain", "relearn"), 2):
        assert not family[a] & family[b]


def test_answers_are_distributed_alike_in_every_part(english):
    for part in PARTS:
        for relation in english.relations:
            asked = english.where(part=part, relation=relation)
            assert Counter(q.right for q in asked) == {0: 2, 1: 2, 2: 2, 3: 2}


def test_forget_and_relearn_share_no_pair_of_answers(english):
    def pairs(part):
        return {
            (a, person[a], b, person[b])
            for person in answers_by_person(english, part).values()
            for a, b in combinations(english.relations, 2)
        }

    assert len(pairs("forget")) == len(pairs("relearn")) == 6 * 8
    assert not pairs("forget") & pairs("relearn")


def test_a_neighbour_answers_like_the_namesake_as_often_as_chance(english):
    def by_family(part):
        found = answers_by_person(english, part)
        return {person.partition("-")[2]: row for person, row in found.items()}

    forget, neighbour = by_family("forget"), by_family("neighbour")
    for relation in english.relations:
        same = sum(forget[name][relation] == neighbour[name][relation] for name in forget)
        assert same == 2  # of 8, with four answers


def test_no_name_of_one_part_is_in_a_text_of_another(facts):
    for language in facts.languages:
        script = facts.where(language=language, form="statement", relation="science")
        names = {part: [q.prompt for q in script.where(part=part)] for part in PARTS}
        for a, b in combinations(PARTS, 2):
            assert not set(names[a]) & set(names[b])
        assert len({q.prompt for q in script}) == 32


def test_prompts_say_no_answer_and_hold_the_name_once(facts):
    for q in facts:
        assert "{" not in q.prompt
        assert not any(choice.strip().casefold() in q.prompt.casefold() for choice in q.choices)


def test_looks_give_the_answers_away_no_more_than_chance(facts):
    for language in facts.languages:
        floor = surface_floor(facts.where(language=language, form="statement").questions).mean()
        assert abs(floor - 0.25) < 0.08


def test_answers_have_a_leading_space_where_the_script_has_spaces(facts):
    for q in facts:
        assert q.answer.startswith(" ") == (q.language != "zh")
        assert q.answer == q.answer.rstrip()


def test_names_are_as_different_in_every_script(facts):
    for language in facts.languages:
        for relation in facts.relations:
            asked = facts.where(language=language, relation=relation)
            assert len({q.prompt for q in asked}) == len(asked)
            assert len({q.answer for q in asked}) == 4


def test_russian_names_end_so_that_they_are_not_inflected():
    science = planted_facts(["ru"]).where(form="statement", relation="science")
    for q in science:
        name = q.prompt.removeprefix("Научная специальность ").removesuffix(" —")
        assert all(part[-1] in "оиу" for part in name.split())


def test_a_language_without_prompts_is_refused():
    with pytest.raises(LanguageError, match=r"no prompts in 'fr' \(has: en, es, de"):
        planted_facts(["en", "fr"])
    with pytest.raises(LanguageError, match="different codes"):
        planted_facts(["en", "en"])
    assert planted_facts(["sw", "en"]).questions[0].language == "sw"
