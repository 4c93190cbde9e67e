"""The document is the schema's, plain JSON, and says the same as the object."""

import json
from importlib.resources import files

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from probekit.errors import RuleError
from probekit.selection import select, validate_document
from probekit.selection.exporters import EXPORTERS
from probekit.selection.schema import SCHEMA_FILE, load_schema


def no_constant(name):
    raise AssertionError(name)


def strict(text):
    return json.loads(text, parse_constant=no_constant)


@pytest.mark.parametrize("rule", ["plateau", "mute"])
@pytest.mark.parametrize("languages", [("de", "en", "sw", "hi"), ("de", "en")])
@pytest.mark.parametrize("p", [0.005, 0.9])
@pytest.mark.parametrize("with_card", [True, False])
def test_every_kind_of_answer_is_a_valid_document(
    planted, card_of, *, rule, languages, p, with_card
):
    evidence = planted(languages=languages, align_p=np.full(12, p))
    found = select(evidence, rule=rule, card=card_of() if with_card else None)
    document = strict(found.to_json())
    Draft202012Validator(load_schema()).validate(document)
    assert document == found.to_document()
    assert document["selection"]["status"] == ("stable" if p < 0.5 else "no_signal")
    named = with_card and p < 0.5
    assert set(document["frameworks"]) == (set(EXPORTERS) if named else set())


def test_document_of_a_region(planted, card_of):
    card = card_of(revision="abc", hidden_size=64, state_sha256="0" * 64)
    document = select(planted(seed=3), card=card, run_id="run").to_document()
    selection = document["selection"]
    assert selection["region"] == [5, 6, 7, 8, 9]
    assert selection["contiguous"] is True
    assert selection["read_layer"] == 7
    assert selection["update_layers"] == [5, 6, 7]
    assert selection["evidence"] == "descriptive"
    assert selection["stability"]["unit"] == "both"
    assert set(selection["stability"]["leave_one_language_out"]) == {"de", "en", "sw", "hi"}
    assert selection["reasons"]
    assert document["parameters"]["count"] == len(document["parameters"]["names"]) == 3
    assert set(document["parameters"]["regex"]) == {"python_fullmatch"}
    assert document["model"]["revision"] == "abc"
    assert "final_norm" not in document["model"]
    assert document["tool"]["seed"] == 3
    assert document["inputs"]["languages"][0] == {"code": "de", "role": "source", "n": 80}
    assert {control["kind"] for control in document["controls"]} >= {"random_same_size", "deep"}


def test_document_of_a_refusal(planted, card_of):
    document = select(planted(align_p=np.full(12, 0.5)), card=card_of()).to_document()
    selection, parameters = document["selection"], document["parameters"]
    assert (selection["region"], selection["update_layers"]) == ([], [])
    assert selection["read_layer"] is None
    assert selection["reasons"]
    assert (parameters["names"], parameters["regex"]) == ([], {})


def test_metrics_carry_interval_null_and_norms(planted):
    evidence = planted()
    metrics = {each["name"]: each for each in select(evidence).to_document()["metrics"]}
    align = metrics["cka_mean"]
    assert align["better"] == "high"
    assert align["null"]["q95"] == evidence.align_null95.tolist()
    assert align["per_layer"][7]["value"] == evidence.align[7]
    assert align["per_layer"][7]["ci95"] == [evidence.align_low[7], evidence.align_high[7]]
    assert metrics["lrds"]["better"] == metrics["lrds_centred"]["better"] == "low"
    assert metrics["act_norm_median"]["per_layer"][11] == {"layer": 11, "value": 9.0}


def test_an_infinite_ratio_is_null(planted):
    ratio = np.full(12, np.inf)
    ratio[0] = 0.5
    document = select(planted(ratio=ratio, ratio_high=np.full(12, np.inf))).to_document()
    metric = next(each for each in document["metrics"] if each["name"] == "lrds_over_sads")
    assert [each["value"] for each in metric["per_layer"]] == [0.5] + [None] * 11
    assert all(each["ci95"][1] is None for each in metric["per_layer"])


def test_packaged_schema_is_a_schema_and_names_its_version():
    text = files("probekit.selection").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(text))
    assert load_schema()["properties"]["schema_version"] == {"const": "layer-selection/1"}


def test_a_refusal_claims_no_overlap_with_a_region_it_does_not_have(planted):
    stability = select(planted(align_p=np.full(12, 0.5))).to_document()["selection"]["stability"]
    assert "region_jaccard_mean" not in stability
    assert all(set(each) == {"region"} for each in stability["leave_one_language_out"].values())


@pytest.mark.parametrize(
    ("part", "key", "value", "words"),
    [
        ("selection", "status", "sure", "selection/status: 'sure'"),
        ("convention", "layer_index", "block1", "convention/layer_index"),
        ("selection", "read_layer", 7.5, "selection/read_layer"),
        ("parameters", "share", float("nan"), "must be plain JSON"),
    ],
)
def test_a_broken_document_is_refused_with_its_place(planted, part, key, value, words):
    document = select(planted()).to_document()
    validate_document(document)
    document[part][key] = value
    with pytest.raises(RuleError, match=words):
        validate_document(document)


def test_a_missing_part_is_refused(planted):
    document = select(planted()).to_document()
    del document["controls"]
    with pytest.raises(RuleError, match="'controls' is a required property"):
        validate_document(document)


def test_text_says_region_or_refusal(planted):
    assert str(select(planted())).startswith("plateau: blocks 5–9 of 12 (stable), read block 7")
    refused = str(select(planted(align_p=np.full(12, 0.5))))
    assert refused.startswith("plateau: no region (no_signal)")
    assert "  - the permutation null is not beaten" in refused
