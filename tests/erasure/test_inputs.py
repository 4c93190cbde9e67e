"""Wrong requests: one line each, before anything is trained; the base on disk never changes."""

from __future__ import annotations

import collections
import json
import shutil

import pytest

import probekit
from probekit.erasure import erase, fingerprint, teach
from probekit.erasure.target import Target, target_of
from probekit.errors import InputError, RuleError, StorageError
from probekit.selection import ModelCard, select
from probekit.studies.provenance import model_card
from tests.erasure.conftest import make_facts
from tests.selection.conftest import make_planted
from tests.tiny import save_tiny, tiny_subject


def document_for(subject, **selection):
    """Region of blocks 4-6 of 8; the rule reads one of them."""
    card = model_card(subject)
    made = ModelCard(
        id=card["id"],
        model_type=card["model_type"],
        n_layers=card["n_blocks"],
        layers_path=card["blocks"],
        roles=card["roles"],
        parameters=card["parameters"],
        dtype=card["dtype"],
        state_sha256=card["state_sha256"],
    )
    evidence = make_planted(range(4, 7), n_blocks=card["n_blocks"])
    document = select(evidence, card=made).to_document()
    document["selection"] |= selection
    return document


@pytest.fixture(scope="session")
def deep():
    return tiny_subject("llama", num_hidden_layers=8)


@pytest.fixture
def document(deep):
    return document_for(deep)


def try_erase(subject, selection, **options):
    how = {"source": ["en"], "max_steps": 1, "allow_unknown": True, **options}
    return erase(subject, make_facts(), selection=selection, **how)


def test_a_selection_of_this_model_is_taken_as_file_document_and_object(deep, document, tmp_path):
    path = tmp_path / "selection.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    from_file, from_document = target_of(deep, path), target_of(deep, document)
    assert from_file == from_document
    assert list(from_file.names) == document["parameters"]["names"]
    assert from_file.read_layer == document["selection"]["read_layer"]
    assert try_erase(deep, document).contract.ok


def test_a_selection_made_on_other_weights_is_refused_unless_said(document):
    other = tiny_subject("llama", seed=5, num_hidden_layers=8)
    with pytest.raises(RuleError, match=r"weights are others .*--other-weights"):
        try_erase(other, document)
    assert try_erase(other, document, check_weights=False).contract.ok


@pytest.mark.parametrize("family", ["gpt2", "gemma3"])
def test_a_selection_of_another_family_is_refused(document, family):
    depth = "n_layer" if family == "gpt2" else "num_hidden_layers"
    other = tiny_subject(family, **{depth: 8})
    with pytest.raises(RuleError, match="made for another model"):
        try_erase(other, document)


def test_a_selection_of_another_depth_is_refused(document):
    with pytest.raises(RuleError, match="made for another model"):
        try_erase(tiny_subject("llama", num_hidden_layers=9), document)


def test_an_empty_region_is_refused(deep):
    document = document_for(deep, region=[], status="no_signal")
    with pytest.raises(RuleError, match=r"empty region .*no_signal"):
        try_erase(deep, document)


def test_rmu_refuses_to_read_below_a_block_that_moves(deep, document):
    document["selection"]["read_layer"] = 1
    with pytest.raises(InputError, match=r"gives block .* no gradient"):
        try_erase(deep, document)
    assert try_erase(deep, document, algorithm="simnpo").contract.ok, "others read no layer"


@pytest.mark.parametrize("read", [None, -1, 8])
def test_rmu_needs_a_read_layer(deep, read):
    target = Target(("model.layers.2.mlp.down_proj.weight",), read_layer=read)
    with pytest.raises(InputError, match="read_layer must be a block of 0 … 7"):
        try_erase(deep, target)


def test_names_that_do_not_exist_are_refused(deep):
    with pytest.raises(InputError, match=r"lacks tensor model\.layers\.99\.w"):
        try_erase(deep, Target(("model.layers.99.w",), read_layer=3))


@pytest.mark.parametrize("name", ["lm_head.weight", "model.embed_tokens.weight"])
def test_a_tied_head_is_refused_unless_said(name):
    subject = tiny_subject("llama", tie_word_embeddings=True)
    target = Target((name,))
    with pytest.raises(InputError, match=r"one tensor with .*tied head"):
        try_erase(subject, target, algorithm="simnpo")
    done = try_erase(subject, target, algorithm="simnpo", allow_tied=True)
    after = fingerprint(done.subject)
    assert done.contract.ok
    assert set(done.contract.moved) == {"lm_head.weight", "model.embed_tokens.weight"}
    assert after["lm_head.weight"] == after["model.embed_tokens.weight"]


def test_an_untied_head_moves_alone():
    done = try_erase(tiny_subject("llama"), Target(("lm_head.weight",)), algorithm="simnpo")
    assert done.contract.moved == ("lm_head.weight",)


def test_facts_the_subject_does_not_know_are_refused_by_language(deep):
    with pytest.raises(InputError, match=r"knows none of the 2 facts to forget in 'en'"):
        try_erase(deep, None, algorithm="simnpo", allow_unknown=False)


def test_facts_of_one_language_are_refused_unless_said(deep):
    facts = make_facts(("en",))
    how = {"source": ["en"], "algorithm": "simnpo", "max_steps": 1, "allow_unknown": True}
    with pytest.raises(InputError, match=r"one language \(en\)"):
        erase(deep, facts, **how)
    assert erase(deep, facts, one_language=True, **how).record["held_out"] == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"source": ["xx"]}, "languages must be among those of the facts"),
        ({"source": []}, "Got none instead"),
        ({"algorithm": "magic"}, "algorithm must be one of rmu, simnpo, slug, gradient-ascent"),
        ({"beta": 0.0}, "beta must be a number above 0"),
        ({"max_steps": 0}, "max_steps must be a whole number"),
        ({"forget_target": 1.2}, r"forget_target must be in \[0, 1\]"),
        ({"retain_weight": -1.0}, "must be 0 or more"),
        ({"slug_block": "any"}, "slug_block must be one of"),
        ({"lerning_rate": 1.0}, "setting 'lerning_rate' does not exist"),
        ({"retain_parts": ("neighbour",)}, "part must be in fact set"),
    ],
)
def test_wrong_settings_say_so(deep, document, wrong, message):
    with pytest.raises(InputError, match=message) as caught:
        try_erase(deep, document, **wrong)
    assert "\n" not in str(caught.value)


@pytest.fixture
def base(tmp_path):
    return save_tiny("llama", tmp_path / "base", num_hidden_layers=8)


@pytest.mark.parametrize("where", [".", "inside", ".."])
def test_the_base_folder_is_refused_and_never_changes(base, where):
    before = {path.name: path.read_bytes() for path in base.iterdir()}
    subject = probekit.load(base)
    with pytest.raises(InputError, match="base model's"):
        try_erase(subject, None, algorithm="simnpo", folder=base / where)
    with pytest.raises(InputError, match="base model's"):
        teach(subject, make_facts(), languages=["en"], folder=base / where)
    assert {path.name: path.read_bytes() for path in base.iterdir()} == before


def test_the_base_on_disk_is_the_same_after_an_erasure(base, tmp_path):
    before = {path.name: path.read_bytes() for path in base.iterdir()}
    try_erase(probekit.load(base), None, algorithm="simnpo", folder=tmp_path / "out")
    assert {path.name: path.read_bytes() for path in base.iterdir()} == before


def test_a_disk_too_small_is_said_before_training(deep, tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    with pytest.raises(StorageError, match=r"0\.00 GB free and the result .* needs"):
        try_erase(deep, None, algorithm="simnpo", folder=tmp_path / "out")
    assert not (tmp_path / "out.partial").exists()


def test_a_folder_in_use_is_never_overwritten(deep, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="holds something else"):
        try_erase(deep, None, algorithm="simnpo", folder=tmp_path / "out")
    try_erase(deep, None, algorithm="simnpo", folder=tmp_path / "other")
    with pytest.raises(InputError, match="result of other settings"):
        try_erase(deep, None, algorithm="simnpo", folder=tmp_path / "other", seed=1)
    assert (tmp_path / "out" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_unfinished_work_of_other_settings_is_not_resumed(deep, tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "fingerprint").write_text("other", encoding="utf-8")
    with pytest.raises(InputError, match="unfinished work of other settings"):
        try_erase(deep, None, algorithm="simnpo", folder=tmp_path / "out")
