"""A whole experiment on a tiny model: what is made, what is kept, what a stop costs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from probekit.errors import InputError, InterruptedRun
from probekit.experiment import Plan, open_outcome, run_plan, runner
from probekit.experiment.times import Times, time_line
from probekit.facts import FactSet
from tests.erasure.conftest import make_facts
from tests.erasure.test_inputs import document_for
from tests.tiny import save_tiny


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    model = save_tiny("llama", folder / "llama", num_hidden_layers=8)
    facts = make_facts()
    other = [
        replace(q, fact=f"{q.fact}-more", part="relearn", prompt=q.prompt.replace(":", " too:"))
        for q in facts
        if q.part == "retain"
    ]
    file = FactSet((*facts, *other), name="colours").to_jsonl(folder / "facts.jsonl")
    return Plan.of(
        model=str(model),
        facts=str(file),
        languages=["en", "de", "sw"],
        teach={"method": "full", "lr": 3e-3, "max_epochs": 60, "target": 1.0},
        sources=[["en"]],
        places=["selection", "deep", "random"],
        seeds=[0, 1],
        algorithms={"simnpo": {"max_steps": 4, "check_every": 2, "lr": 3e-3, "retain_budget": 1.0}},
        verify=[{"checks": ["choices", "lens"], "seeds": [0]}],
    )


@pytest.fixture(scope="module")
def select():
    """The evidence of a random model carries no region: the document is given."""
    with pytest.MonkeyPatch.context() as patch:

        def given(work, taught):
            document = document_for(taught)
            work._write(document, "selection.json")
            return document

        patch.setattr(runner._Work, "_select", given)
        yield


@pytest.fixture(scope="module")
def done(plan, select, tmp_path_factory):
    return run_plan(plan, tmp_path_factory.mktemp("out") / "experiment")


def test_every_arm_is_there_and_each_moved_its_own_blocks(done, plan):
    assert [record["arm"]["name"] for record in done.arms] == [arm.name for arm in plan.arms]
    for record in done.arms:
        assert record["contract"]
        assert record["settings"]["seed"] == record["arm"]["seed"]
    blocks = {record["arm"]["name"]: record["blocks"] for record in done.arms}
    assert len({len(each) for each in blocks.values()}) == 1, "as many blocks move anywhere"
    assert blocks["simnpo.en.deep.0"][-1] == 7
    assert blocks["simnpo.en.random.0"] != blocks["simnpo.en.random.1"], "a lot a seed"


def test_the_report_names_everything_and_is_read_again(done):
    again = open_outcome(done.folder)
    assert again.record == done.record
    assert again.to_json() == done.to_json()
    assert {row["place"] for row in done.rows()} == {"selection", "deep", "random"}
    assert {row["against"] for row in done.contrasts()} == {"deep", "random"}
    json.dumps(done.to_json(), allow_nan=False)


def test_only_the_named_arms_are_verified(done):
    for record in done.arms:
        assert len(record["verifications"]) == (record["arm"]["seed"] == 0)
    report = done.arms[0]["verifications"][0]
    assert report["source"] == ["en"]
    assert report["held_out"] == ["de", "sw"]
    assert set(report["attacks"]) == {"choices", "lens"}


def test_the_time_of_every_stage_is_kept_beside_the_result(done, plan):
    assert list(done.seconds) == ["teach", "select", *(arm.name for arm in plan.arms)]
    assert all(seconds > 0 for seconds in done.seconds.values())
    assert "seconds" not in done.record
    last = str(list(done.table())[-1])
    assert "simnpo (6 arms)" in last
    assert f"in all {sum(done.seconds.values()):,.0f} s" in last


def test_an_arm_without_a_time_is_told_from_the_sum():
    seconds = {"teach": 10.0, "rmu.en.deep.0": 3.4, "rmu.en.deep.1": 4.0}
    arms = ["rmu.en.deep.0", "rmu.en.deep.1", "slug.en.deep.0"]
    said = time_line(seconds, arms)
    assert "rmu (2 arms) 7 s" in said
    assert "in all 17 s; arms whose time was not kept: 1" in said
    assert time_line(seconds, arms[:2]).endswith("in all 17 s.")
    assert time_line({}, arms) == ""


def test_the_time_of_what_is_made_anew_is_its_own(tmp_path):
    times = Times(tmp_path)
    (tmp_path / "times.json").write_text('{"one": 5.0, "two": 7.0}')
    times.forget("two")
    with times.stage("one"), times.stage("two"):
        pass
    assert times.read()["one"] >= 5.0
    assert times.read()["two"] < 5.0


def test_finished_arms_are_not_made_again(done, plan, select, monkeypatch):
    monkeypatch.setattr(runner, "erase", pytest.fail)
    before = done.seconds
    again = run_plan(plan, done.folder)
    assert again.record == done.record
    arms = [arm.name for arm in plan.arms]
    assert [again.seconds[name] for name in arms] == [before[name] for name in arms]


def test_a_changed_plan_makes_its_arms_again(done, plan, select, tmp_path, monkeypatch):
    made = []
    real = runner.erase
    monkeypatch.setattr(runner, "erase", lambda *a, **k: made.append(k["seed"]) or real(*a, **k))
    other = {"simnpo": {**plan.algorithms["simnpo"], "max_steps": 2}}
    changed = plan.model_copy(update={"algorithms": other, "seeds": (0,), "verify": ()})
    again = run_plan(changed, done.folder)
    assert made == [0, 0, 0]
    assert set(again.seconds) == {"teach", "select", *(arm.name for arm in changed.arms)}
    run_plan(plan, done.folder)


def test_a_stop_keeps_whole_arms_and_the_same_call_goes_on(
    done, plan, select, tmp_path, monkeypatch
):
    real, calls = runner.erase, []

    def stop(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "erase", stop)
        with pytest.raises(InterruptedRun, match="finished arms are kept"):
            run_plan(plan, tmp_path / "again")
    assert len(list((tmp_path / "again" / "arms").iterdir())) == 2
    finished = run_plan(plan, tmp_path / "again")
    assert finished.to_json() == done.to_json()
    assert len(calls) == 3


def test_facts_are_the_first_of_each_part():
    plan = Plan.of(languages=["en", "de"], sources=[["en"]], algorithms={"rmu": {}}, n_facts=4)
    facts = runner.choose_facts(plan)
    assert {part: len(facts.where(part=part).facts) for part in facts.parts} == {
        "forget": 4,
        "retain": 4,
        "relearn": 4,
    }
    assert facts.languages == ("de", "en")


def test_facts_without_a_part_to_retain_are_refused(tmp_path):
    file = make_facts().where(part="forget").to_jsonl(tmp_path / "facts.jsonl")
    plan = Plan.of(
        facts=str(file), languages=["en", "de"], sources=[["en"]], algorithms={"rmu": {}}
    )
    with pytest.raises(InputError, match="Got no 'retain'"):
        runner.choose_facts(plan)
