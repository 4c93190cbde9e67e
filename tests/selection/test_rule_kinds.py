"""`probe`, `lens`, `user`, and what all rules share: options, agreement, plugins, grades."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from probekit import cli
from probekit.errors import RuleError
from probekit.selection import RULES, RuleEntry, register_rule, registry, select
from probekit.selection.agreement import rule_agreements
from probekit.selection.columns import Column, column_from_interval
from probekit.selection.grade import grade_of
from probekit.selection.plateau import Plateau
from probekit.selection.probe import Probe
from probekit.selection.schema import load_schema

WHERE = "cka.mean > mean(cka.mean) and regions.lrds_centred < quantile(regions.lrds_centred, .5)"
OPTIONS = {"user": {"where": WHERE}}


@pytest.mark.parametrize("rule", list(RULES))
def test_every_rule_finds_the_region_planted_in_what_it_reads(planted_columns, rule):
    found = select(planted_columns(), rule=rule, **OPTIONS.get(rule, {}))
    assert found.region == (5, 6, 7, 8, 9)
    assert found.status == "stable"
    assert found.read_layer == (6 if rule == "probe" else 7)
    assert {each.jaccard for each in found.stability.leave_one_language_out.values()} == {1.0}
    assert found.stability.share_of_settings > 0.5


@pytest.mark.parametrize("rule", list(RULES))
def test_every_rule_writes_a_valid_document_with_its_columns(planted_columns, card_of, rule):
    found = select(planted_columns(), rule=rule, card=card_of(), **OPTIONS.get(rule, {}))
    document = json.loads(found.to_json())
    Draft202012Validator(load_schema()).validate(document)
    assert document["rule"]["name"] == rule
    assert {metric["name"] for metric in document["metrics"]} >= {"cka_mean"} | {
        name for name in found.columns if name.startswith(("probes.", "lens."))
    }
    rules = {each["metric_b"]: each for each in document["selection"]["agreement"]}
    for other in {"plateau", "mute", "probe", "lens"} - {rule}:
        agreed = rules[f"rule:{other}"]
        assert agreed["jaccard"] == 1.0
        assert -1 <= agreed["ci95"][0] <= agreed["ci95"][1] <= 1
    assert document["selection"]["stability"]["sensitivity_summary"]["keeps_region"]


def test_snippets_of_the_document_select_its_tensors_or_say_that_they_do_not(
    planted_columns, card_of
):
    document = select(planted_columns(), card=card_of()).to_document()
    for entry in document["frameworks"].values():
        if entry["selects_sha256"] is not None and entry["expressible"]:
            assert entry["selects_sha256"] == document["parameters"]["names_sha256"]
        if not entry["expressible"]:
            assert entry["note"]
    assert document["frameworks"]["peft"]["expressible"] is True
    assert document["frameworks"]["llama-factory"]["expressible"] is False


@pytest.mark.parametrize(
    ("rule", "replaced", "words"),
    [
        ("probe", {"probes.transfer_all": np.full(12, 0.6)}, "does not differ between blocks"),
        ("probe", {"probes.majority_all": np.full(12, 0.9)}, "does not beat chance at any block"),
        ("lens", {"lens.own_mass_mean": np.full(12, 0.3)}, "does not differ between blocks"),
        ("lens", {"lens.own_mass_mean_chance": np.full(12, 0.5)}, "even at the last block"),
    ],
)
def test_a_rule_refuses_where_nothing_is_planted(planted_columns, rule, replaced, words):
    found = select(planted_columns(**replaced), rule=rule)
    assert (found.status, found.region) == ("no_signal", ())
    assert words in found.reasons[0]
    assert found.to_document()["frameworks"] == {}


def test_the_control_task_is_a_bar_too(planted_columns):
    control = np.where(np.arange(12) == 9, 0.95, 0.38)
    found = select(planted_columns(**{"probes.control_all": control}), rule="probe")
    assert found.region == (5, 6, 7, 8)


def test_options_change_their_rule(planted_columns):
    evidence = planted_columns()
    assert select(evidence, rule="lens", readable=False).region == tuple(range(10))
    centred = replace(evidence.columns["probes.transfer_all"], name="probes.transfer_centred_all")
    moved = replace(centred, value=centred.value[::-1], samples=centred.samples[::-1])
    moved = replace(moved, samples_left_out=centred.samples_left_out[::-1])
    columns = {**evidence.columns, "probes.transfer_centred_all": moved}
    found = select(replace(evidence, columns=columns), rule="probe", transfer="centred")
    assert found.region == (2, 3, 4, 5, 6)


def test_options_are_data_whose_defaults_are_the_rules_own():
    for name, entry in RULES.items():
        given = {o.name: o.default for o in entry.options if o.default is not None}
        required = OPTIONS.get(name, {})
        plain, said = entry(**required), entry(**given, **required)
        assert plain.expression == said.expression
        for option in entry.options:
            assert option.help
            assert option.default is None or option.allows(option.default)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rule": "probe", "transfer": "both"}, "transfer must be one of raw, centred"),
        ({"rule": "lens", "readable": 1}, "readable must be true or false"),
        ({"rule": "user"}, "rule 'user' needs where"),
        ({"rule": "plateau", "where": "x"}, "where must be left out with rule 'plateau'"),
        ({"probability": 0}, "probability must be a finite number above 0 and at most 1"),
        ({"rule": "user", "where": "lens.nothing > 1"}, "column 'lens.nothing' must be in"),
    ],
)
def test_bad_options_are_refused(planted_columns, options, words):
    with pytest.raises(RuleError, match=words):
        select(planted_columns(), **options)


def test_rules_that_contradict_each_other_have_a_negative_tau(planted_columns):
    evidence = planted_columns(**{"probes.transfer_all": np.repeat([0.8, 0.5, 0.8], [5, 5, 2])})
    found = select(evidence)
    tau = {each.metric_b: each for each in found.agreement}["rule:probe"]
    assert tau.kendall_tau < -0.3
    assert tau.high < 0
    assert tau.jaccard == 0.0


def test_a_rival_without_its_columns_is_left_out(planted):
    found = select(planted())
    assert {e.metric_b for e in found.agreement if e.metric_b.startswith("rule")} == {"rule:mute"}


def test_a_rule_agrees_with_itself(planted_columns):
    (same,) = rule_agreements(
        planted_columns(), Plateau(), region=(5, 6, 7, 8, 9), rivals={"again": Plateau()}
    )
    assert (same.kendall_tau, same.low, same.jaccard) == pytest.approx((1.0, 1.0, 1.0))


def test_leave_one_out_of_a_drawn_column_is_its_value_without_the_language():
    value, without = np.arange(4.0), np.arange(12.0).reshape(4, 3)
    ends = value - 1, value + 2
    column = column_from_interval("a.b", value, ends, n_resamples=7, seed=0, without=without)
    deviation = column.samples - value[:, None]
    expected = without[:, np.arange(7) % 3] + deviation
    np.testing.assert_allclose(column.samples_left_out, expected)


def test_drawn_resamples_have_the_interval_they_came_from():
    value = np.zeros(3)
    ends = np.full(3, -1.0), np.full(3, 3.0)
    column = column_from_interval("a.b", value, ends, n_resamples=20000, seed=0)
    # a quarter-million normal draws: ends within 3 % (their standard error is about 1 %)
    low, high = np.percentile(column.samples, [2.5, 97.5], axis=1)
    np.testing.assert_allclose(low, -1, rtol=0.05)
    np.testing.assert_allclose(high, 3, rtol=0.05)
    assert column_from_interval("a.b", value, None, n_resamples=5, seed=0).origin == "none"


def test_a_column_that_is_not_finite_is_refused():
    with pytest.raises(RuleError, match=r"column 'a.b' must be finite .* Got nan at block 1"):
        Column("a.b", np.array([0.0, np.nan]))


def test_someone_elses_rule_joins_the_registry(planted_columns, monkeypatch):
    class Mine(Probe):
        name = "mine"

    monkeypatch.setattr(registry, "_registered", {})
    entry = RuleEntry("mine", "As probe.", ("cka",), (), Mine)
    assert register_rule(entry) is register_rule(entry) is RULES["mine"]
    assert select(planted_columns(), rule="mine").region == (5, 6, 7, 8, 9)
    assert list(RULES)[-1] == "mine"
    with pytest.raises(RuleError, match="rule name 'plateau' must be new"):
        register_rule(RuleEntry("plateau", "Mine.", (), (), Mine))


def write(folder, **content):
    path = folder / "result.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_grade_rises_by_a_result_about_the_same_tensors(planted, card_of, tmp_path):
    found = select(planted(), card=card_of())
    about = {"names_sha256": found.parameters.names_sha256, "effect": 0.4, "ci95": [0.3, 0.5]}
    causal = found.with_evidence("causal", write(tmp_path, kind="ablation", **about))
    assert (found.grade, causal.grade) == ("descriptive", "causal")
    controls = [{"kind": "deep", "effect": 0.1}, {"kind": "shallow", "effect": 0.2}]
    sweep = write(tmp_path, kind="sweep", controls=controls, **about)
    document = causal.with_evidence("confirmed_by_sweep", sweep).to_document()
    assert document["selection"]["evidence"] == "confirmed_by_sweep"
    assert document["selection"]["evidence_source"]["file"] == "result.json"
    assert document["selection"]["region"] == list(found.region)


@pytest.mark.parametrize(
    ("grade", "change", "words"),
    [
        ("descriptive", {}, "a grade only rises"),
        ("causal", {"kind": "sweep"}, "a result of kind 'sweep'"),
        ("causal", {"names_sha256": "0"}, "about other tensors"),
        ("causal", {"ci95": [-0.1, 0.5]}, "an interval .* with 0"),
        ("causal", {"effect": 9}, "the effect inside its ci95"),
        ("causal", {"ci95": None}, "must hold kind, names_sha256, effect and ci95"),
        ("confirmed_by_sweep", {"kind": "sweep"}, "a sweep without controls"),
        (
            "confirmed_by_sweep",
            {"kind": "sweep", "controls": [{"kind": "deep", "effect": 0.35}]},
            "control 'deep' with 0.35",
        ),
    ],
)
def test_a_grade_does_not_rise_without_support(planted, card_of, tmp_path, *, grade, change, words):
    found = select(planted(), card=card_of())
    about = {"names_sha256": found.parameters.names_sha256, "effect": 0.4, "ci95": [0.3, 0.5]}
    source = write(tmp_path, **({"kind": "ablation"} | about | change))
    with pytest.raises(RuleError, match=words):
        found.with_evidence(grade, source)


def test_a_refusal_cannot_be_graded(planted, card_of, tmp_path):
    refused = select(planted(align_p=np.full(12, 0.5)), card=card_of())
    with pytest.raises(RuleError, match="must name tensors to be graded"):
        refused.with_evidence("causal", tmp_path / "x.json")


def test_the_kind_of_a_file_is_the_grade_it_can_support(tmp_path):
    assert grade_of(write(tmp_path, kind="ablation")) == "causal"
    assert grade_of(write(tmp_path, kind="sweep")) == "confirmed_by_sweep"
    with pytest.raises(RuleError, match=r"must hold the kind ablation or sweep\. Got 'hope'"):
        grade_of(write(tmp_path, kind="hope"))


def test_the_command_grades_a_selection(planted, card_of, tmp_path, monkeypatch, capfd):
    """What ``probekit select --evidence`` prints is the document of the graded selection."""
    found = select(planted(), card=card_of())
    run = SimpleNamespace(select=lambda **_: found)
    monkeypatch.setattr("probekit.runs.open_run", lambda _: run)
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)

    def probekit(*arguments):
        monkeypatch.setattr(sys, "argv", ["probekit", "select", str(tmp_path), *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code or 0, capfd.readouterr()

    about = {"names_sha256": found.parameters.names_sha256, "effect": 0.4, "ci95": [0.3, 0.5]}
    file = write(tmp_path, kind="ablation", **about)
    code, said = probekit("--evidence", str(file))
    assert code == 0
    graded = found.with_evidence("causal", file).to_document()
    assert json.loads(said.out)["selection"] == graded["selection"]
    assert graded["selection"]["evidence"] == "causal"
    write(tmp_path, kind="ablation", **{**about, "names_sha256": "0"})
    code, said = probekit("--evidence", str(file))
    assert code == 2
    assert "a result about other tensors" in said.err
