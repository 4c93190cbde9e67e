"""Plans are refused before anything is loaded, and the shipped ones are plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from probekit.errors import StudyError
from probekit.experiment import Arm, Plan

STUDIES = Path(__file__).parents[2] / "studies"
LEAST = {"languages": ["en", "de"], "sources": [["en"]], "algorithms": {"rmu": {}}}


@pytest.mark.parametrize("name", ["mute.yaml", "mute-small.yaml"])
def test_the_shipped_plans_are_plans(name):
    plan = Plan.from_yaml(STUDIES / name)
    assert "selection" in plan.places
    assert all(set(group) < set(plan.languages) for group in plan.sources)


def test_the_published_experiment_is_the_one_described():
    plan = Plan.from_yaml(STUDIES / "mute.yaml")
    assert len(plan.languages) == 6
    assert [len(source) for source in plan.sources] == [2], "two languages are erased in"
    assert plan.seen == plan.sources[0], "the layers are chosen without the held-out ones"
    assert set(plan.algorithms) == {"rmu", "simnpo", "slug"}
    assert set(plan.places) == {"selection", "shallow", "deep", "random"}
    assert len(plan.seeds) == 3
    assert len(plan.arms) == 36


def test_arms_are_every_combination_seeds_outermost():
    plan = Plan.of(**LEAST, seeds=[3, 1], places=["selection", "deep"])
    assert [arm.name for arm in plan.arms] == [
        "rmu.en.selection.3",
        "rmu.en.deep.3",
        "rmu.en.selection.1",
        "rmu.en.deep.1",
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wings": 1}, "'wings'"),
        ({"sources": [["sw"]]}, "must be groups of some of languages"),
        ({"sources": [["en", "de"]]}, "not all"),
        ({"sources": [["en"], ["en"]]}, "sources must differ"),
        ({"algorithms": {"magic": {}}}, "rmu, simnpo"),
        ({"algorithms": {"rmu": {"wings": 2}}}, "setting 'wings' does not exist"),
        ({"teach": {"target": 2}}, "target"),
        ({"places": ["selection", "roof"]}, "'selection'"),
        ({"verify": [{"checks": ["smell"]}]}, "'choices'"),
        ({"verify": [{"checks": ["lens"], "settings": {"wings": 1}}]}, "does not exist"),
        ({"languages": ["en"]}, "at least 2"),
        ({"n_facts": 1}, "greater than or equal to 4"),
    ],
)
def test_wrong_plans_are_refused_in_one_line(change, says):
    with pytest.raises(StudyError) as refused:
        Plan.of(**{**LEAST, **change})
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_are_no_plan_are_refused(tmp_path):
    with pytest.raises(StudyError, match="cannot be read"):
        Plan.from_yaml(tmp_path / "none.yaml")
    for text in ("[1, 2]", "a: [", ""):
        (tmp_path / "plan.yaml").write_text(text)
        with pytest.raises(StudyError):
            Plan.from_yaml(tmp_path / "plan.yaml")


def test_what_is_said_beside_the_file_wins_and_silence_does_not():
    plan = Plan.from_yaml(STUDIES / "mute-small.yaml", model="other", device=None)
    assert (plan.model, plan.device) == ("other", "auto")


def test_a_verification_is_made_of_the_arms_it_names():
    plan = Plan.of(**LEAST, verify=[{"checks": ["lens"], "places": ["deep"], "seeds": [1]}])
    (only,) = plan.verify
    assert only.holds(Arm("rmu", ("en",), "deep", 1))
    assert not only.holds(Arm("rmu", ("en",), "deep", 0))
    assert not only.holds(Arm("rmu", ("en",), "shallow", 1))
