"""Facts by name, and real facts dealt into parts."""

from __future__ import annotations

import pytest

from probekit.errors import InputError
from probekit.experiment import Plan
from probekit.experiment.runner import choose_facts
from probekit.facts import cldr_facts, open_facts, planted_facts, split_facts


def groups(facts, part):
    return {fact.partition("/")[0] for fact in facts.where(part=part).facts}


@pytest.fixture(scope="module")
def cldr():
    return open_facts("cldr", ["en", "de"])


def test_the_cldr_set_has_the_parts_that_erasing_needs(cldr):
    assert set(cldr.parts) == {"forget", "retain", "relearn"}
    sizes = {part: len(groups(cldr, part)) for part in cldr.parts}
    assert abs(sizes["retain"] - 2 * sizes["forget"]) <= 2
    assert abs(sizes["relearn"] - sizes["forget"]) <= 1
    assert sorted(cldr.facts) == sorted(cldr_facts(["en", "de"]).facts)


def test_a_territory_is_on_one_side_in_every_language(cldr):
    for a, b in (("forget", "retain"), ("forget", "relearn"), ("retain", "relearn")):
        assert not groups(cldr, a) & groups(cldr, b)
    other = open_facts("cldr", ["sw"])
    assert groups(other, "forget") == groups(cldr, "forget")


def test_a_seed_is_another_deal():
    facts = cldr_facts(["en"])
    assert split_facts(facts) == split_facts(facts)
    assert groups(split_facts(facts, seed=1), "forget") != groups(split_facts(facts), "forget")


def test_an_experiment_can_be_made_of_real_facts():
    plan = Plan.of(
        facts="cldr", languages=["en", "de"], sources=[["en"]], algorithms={"rmu": {}}, n_facts=8
    )
    facts = choose_facts(plan)
    assert {part: len(facts.where(part=part).facts) for part in facts.parts} == {
        "forget": 8,
        "retain": 8,
        "relearn": 8,
    }


def test_planted_facts_and_files_open_by_name(tmp_path):
    planted = planted_facts(["en", "sw"])
    assert open_facts("planted", ["en", "sw"]) == planted
    file = planted.to_jsonl(tmp_path / "facts.jsonl")
    assert open_facts(str(file), ["sw"]).languages == ("sw",)
    assert len(open_facts(str(file))) == len(planted)


@pytest.mark.parametrize("shares", [{}, {"forgotten": 1}, {"forget": 0, "retain": 1}])
def test_shares_that_cannot_be_are_refused(shares):
    with pytest.raises(InputError, match="shares must be parts"):
        split_facts(cldr_facts(["en"]), shares=shares)


def test_fewer_groups_than_parts_are_refused():
    facts = planted_facts(["en"])
    one = facts.where(fact=facts.facts[:4])
    with pytest.raises(InputError, match="fewer than the parts"):
        split_facts(one)
