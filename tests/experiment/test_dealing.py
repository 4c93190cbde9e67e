"""Which facts are used and forgotten: whole people, even answers, nothing taught by relearning."""

from __future__ import annotations

import pytest

from probekit.experiment.dealing import deal, fewer
from probekit.facts import guessing, planted_facts

FACTS = planted_facts(("en", "de")).where(form="statement")


def people(facts, part):
    return {fact.partition("/")[0] for fact in facts.where(part=part).facts}


def floor(facts, part):
    values = guessing(facts.where(part=part, language="en")).values()
    return sum(values) / len(values)


@pytest.mark.parametrize("n_facts", [8, 12, 16, 32])
def test_whole_people_are_used_and_a_constant_answer_is_right_as_seldom_as_can_be(n_facts):
    used = fewer(FACTS, n_facts)
    for part in used.parts:
        assert len(used.where(part=part).facts) == n_facts
        assert len(people(used, part)) == n_facts // 4
        assert floor(used, part) == 0.25
    assert "neighbour" not in used.parts


def test_the_first_facts_would_be_uneven():
    forget = FACTS.where(part="forget")
    first = forget.where(fact=forget.facts[:16])
    assert floor(first, "forget") > 0.3


def test_seed_zero_leaves_the_parts_and_every_other_deals_people_anew():
    used = fewer(FACTS, 16)
    assert deal(used, 0) is used
    forgotten = [people(used, "forget")]
    for seed in (1, 2):
        dealt = deal(used, seed)
        assert dealt == deal(used, seed)
        forget, retain = (people(dealt, part) for part in ("forget", "retain"))
        assert len(forget) == len(retain) == 4
        assert forget | retain == people(used, "forget") | people(used, "retain")
        assert floor(dealt, "forget") < 0.4
        forgotten.append(forget)
    assert all(a != b for at, a in enumerate(forgotten) for b in forgotten[:at])


@pytest.mark.parametrize("seed", range(6))
def test_nobody_who_is_relearnt_shares_two_answers_with_somebody_to_forget(seed):
    used = fewer(FACTS, 16)
    dealt = deal(used, seed)
    said = {
        part: {
            name: {(q.relation, q.answer) for q in dealt.where(part=part, language="en")
                   if q.fact.startswith(f"{name}/")}
            for name in people(dealt, part)
        }
        for part in dealt.parts
    }  # fmt: skip
    for own in said.get("relearn", {}).values():
        assert all(len(own & other) < 2 for other in said["forget"].values())


def test_some_deal_would_teach_what_is_to_be_forgotten():
    """The rule before is not empty: without it people to relearn tell of people to forget."""
    used = fewer(FACTS, 16)
    assert any(people(deal(used, seed), "relearn") < people(used, "relearn") for seed in range(6))
