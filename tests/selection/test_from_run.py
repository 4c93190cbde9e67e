"""`run.select` and `probekit select` on a finished run: rules, languages, columns, exit codes."""

import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from probekit.cli import app
from probekit.errors import RuleError, RunError
from probekit.runs import open_run
from probekit.runs.manifest import read_manifest
from probekit.selection import evidence_of
from probekit.selection.from_run import name_languages
from probekit.selection.run_columns import RunColumns
from probekit.selection.schema import load_schema
from probekit.selection.subset import measure_again

WHERE = "cka.mean >= mean(cka.mean)"


@pytest.mark.parametrize(
    "options",
    [
        {"rule": "plateau"},
        {"rule": "mute"},
        {"rule": "probe"},
        {"rule": "lens"},
        {"rule": "user", "where": WHERE},
    ],
)
def test_every_rule_answers_on_a_run_with_a_valid_document(full_run, options):
    found = full_run.select(**options)
    Draft202012Validator(load_schema()).validate(found.to_document())
    assert found.run_id == full_run.manifest.fingerprint


def test_measured_again_on_all_languages_the_numbers_are_the_runs_own(full_run):
    stored = evidence_of(full_run)
    for name, values in measure_again(full_run, full_run.languages).items():
        np.testing.assert_allclose(values, getattr(stored, name), rtol=1e-9, atol=1e-12)


def test_held_out_languages_are_named_and_move_the_evidence(full_run):
    *seen, last = full_run.languages
    held = evidence_of(full_run, languages=seen, held_out=[last])
    assert held.languages == tuple(seen)
    assert np.abs(held.align - evidence_of(full_run).align).max() > 1e-6
    roles = full_run.select(held_out=[last]).to_document()["inputs"]["languages"]
    assert {each["code"]: each["role"] for each in roles} == {
        **dict.fromkeys(seen, "source"),
        last: "held_out",
    }


@pytest.mark.parametrize("name", ["probes.transfer_all", "lens.agreement_mean"])
def test_a_mean_over_languages_is_taken_apart_by_language(full_run, name):
    options = {"n_resamples": 5, "seed": 0}
    column = RunColumns(full_run, languages=None, **options)[name]
    for at, code in enumerate(full_run.languages):
        kept = [other for other in full_run.languages if other != code]
        alone = RunColumns(full_run, languages=kept, **options)[name]
        np.testing.assert_allclose(column.without[:, at], alone.value)


def test_a_column_without_languages_cannot_be_held_out(full_run):
    with pytest.raises(RuleError, match="must be known by language when languages are held out"):
        full_run.select(
            rule="user",
            where="norms.token_variance > mean(norms.token_variance)",
            held_out=[full_run.languages[-1]],
        )


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({}, ("abcd", "")),
        ({"held_out": "d"}, ("abc", "d")),
        ({"source": "ca"}, ("ac", "bd")),
        ({"source": "ab", "held_out": "d"}, ("ab", "d")),
    ],
)
def test_languages_are_seen_or_held_out(named, expected):
    assert name_languages("abcd", **named) == tuple(map(tuple, expected))


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"source": ["a", "x"]}, "source must be languages of the run. Got 'x'"),
        ({"held_out": ["x"]}, "held_out must be languages of the run. Got 'x'"),
        ({"source": "ab", "held_out": "b"}, "must not share a language. Got 'b'"),
        ({"source": "a"}, "at least two languages to compare. Got 1"),
        ({"held_out": "abcd"}, "Got 0 instead"),
    ],
)
def test_wrong_languages_are_refused(named, words):
    with pytest.raises(RuleError, match=words):
        name_languages("abcd", **named)


def test_a_run_without_the_analysis_of_a_rule_says_which(finished_run):
    with pytest.raises(RunError, match=r"needs the analysis 'probes'.*--analyses probes"):
        finished_run.select(rule="probe")


def test_an_unknown_column_has_near_names(full_run):
    with pytest.raises(RuleError, match=r"Got 'cka.meen' instead \(near: cka.mean"):
        full_run.select(rule="user", where="cka.meen > 1")


def test_the_command_prints_json_alone_and_reasons_apart(full_run):
    options = ["--rule", "user", "--where", WHERE, "--set", "probability=0.4"]
    said = CliRunner().invoke(app, ["select", str(full_run.folder), *options])
    document = json.loads(said.stdout)
    Draft202012Validator(load_schema()).validate(document)
    assert document["rule"]["thresholds"]["probability"]["value"] == 0.4
    refused = document["selection"]["status"] == "no_signal"
    assert said.exit_code == int(refused)
    assert document["selection"]["reasons"][0] in said.stderr


def test_the_command_exits_with_one_when_nothing_clears(full_run):
    never = ["select", str(full_run.folder), "--rule", "user", "--where", "cka.mean > 2", "--json"]
    said = CliRunner().invoke(app, never)
    assert said.exit_code == 1
    selection = json.loads(said.stdout)["selection"]
    assert selection["region"] == []
    assert selection["reasons"][0] in said.stderr


def test_the_command_holds_languages_out(full_run):
    last = full_run.languages[-1]
    said = CliRunner().invoke(app, ["select", str(full_run.folder), "--held-out", last])
    assert json.loads(said.stdout)["inputs"]["languages"][-1]["role"] == "held_out"


def test_a_saved_run_keeps_the_models_order_of_tensors(full_run):
    names = list(read_manifest(full_run.folder).model["parameters"])
    assert names != sorted(names)
    assert names[0] == "model.embed_tokens.weight"
    assert open_run(full_run.folder).manifest.model["parameters"].keys() == set(names)
