from __future__ import annotations

from collections import Counter

import pytest

from probekit.errors import InputError, LanguageError
from probekit.facts import CLDR_LANGUAGES, cldr_facts


@pytest.fixture(scope="module")
def facts():
    return cldr_facts()


def answer(facts, fact, language):
    return facts.where(fact=fact, language=language).questions[0].answer


def test_well_known_facts_are_there_and_right(facts):
    assert answer(facts, "territory:JP/currency", "en") == " Japanese Yen"
    assert answer(facts, "territory:JP/official language", "de") == " Japanisch"
    assert answer(facts, "territory:TR/currency", "sw") == " Lira ya Uturuki"
    assert answer(facts, "territory:BR/official language", "zh") == "葡萄牙语"
    with pytest.raises(InputError, match="fact must be in"):
        facts.where(fact="territory:EU/currency")


def test_every_language_asks_the_same_facts(facts):
    assert facts.languages == tuple(sorted(CLDR_LANGUAGES))
    for relation, least in (("currency", 100), ("official language", 50)):
        of = facts.where(relation=relation)
        sets = {of.where(language=code).facts for code in of.languages}
        assert len(sets) == 1
        assert len(of.facts) >= least


def test_no_answer_is_right_twice_and_each_is_offered_as_often(facts):
    for language in facts.languages:
        for relation in facts.relations:
            asked = facts.where(language=language, relation=relation, form="statement")
            assert len({q.answer for q in asked}) == len(asked)
            assert set(Counter(c for q in asked for c in q.choices).values()) == {4}
            assert all(len(q.choices) == 4 for q in asked)


def test_choices_are_the_same_answers_in_every_language_and_form():
    both = cldr_facts(["en", "de"], relations=["official language"])
    english = {q.answer: q.fact for q in both.where(language="en")}
    german = {q.answer: q.fact for q in both.where(language="de")}
    offered: dict[str, set[tuple[str, ...]]] = {}
    for q in both:
        names = english if q.language == "en" else german
        offered.setdefault(q.fact, set()).add(tuple(names[c] for c in q.choices))
    assert all(len(lists) == 1 for lists in offered.values())


def test_facts_do_not_depend_on_the_languages_asked(facts):
    assert cldr_facts(["sw"]) == facts.where(language="sw")


def test_the_place_of_the_answer_says_little(facts):
    places = Counter(q.right for q in facts.where(language="en"))
    assert min(places.values()) > 0.15 * sum(places.values())


def test_seed_and_number_change_the_choices():
    first = cldr_facts(["en"], n_choices=3)
    assert {len(q.choices) for q in first} == {3}
    assert cldr_facts(["en"], n_choices=3, seed=1) != first
    assert cldr_facts(["en"], part="forget").parts == ("forget",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"relations": ["capital"]}, "relations must be some of"),
        ({"relations": "currency"}, "relations must be some of"),
        ({"n_choices": 1}, "at least 2"),
        ({"n_choices": 100}, "at most 63"),
        ({"part": "all"}, "part must be one of"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        cldr_facts(["en"], **options)


def test_a_language_without_prompts_is_refused():
    with pytest.raises(LanguageError, match=r"no prompts in 'ko' \(has: en, es, fr"):
        cldr_facts(["ko"])
