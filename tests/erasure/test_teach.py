"""Teaching: facts are learnt in the languages taught, resumable, saved as a model."""

from __future__ import annotations

import sys

import pytest

import probekit
from probekit.erasure import fingerprint, teach
from probekit.errors import InterruptedRun
from probekit.facts import score
from tests.erasure.test_erase import Stopper
from tests.tiny import save_tiny, tiny_subject

HOW = {"lr": 3e-3, "max_epochs": 200, "target": 1.0}


def test_a_random_model_learns_every_fact(subject, facts):
    before = fingerprint(subject)
    done = teach(subject, facts, languages=["en", "de"], method="full", **HOW)
    assert done.reached
    assert {code: row["accuracy"] for code, row in done.after.items()} == {"en": 1.0, "de": 1.0}
    assert max(row["accuracy"] for row in done.record["before"].values()) < 1
    asked = facts.where(language=["en", "de"])
    assert score(done.subject, asked).exact.all(), "the facts room agrees"
    assert fingerprint(subject) == before


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3"])
def test_lora_is_merged_into_the_models_own_tensors(family, facts):
    subject = tiny_subject(family)
    done = teach(subject, facts, languages=["en"], lr=2e-2, max_epochs=150, target=1.0, rank=4)
    assert done.reached
    before, after = fingerprint(subject), fingerprint(done.subject)
    assert set(before) == set(after)
    moved = {name for name in before if before[name] != after[name]}
    assert moved
    assert all(f"{subject.anatomy.blocks}." in name for name in moved)
    assert fingerprint(tiny_subject(family)) == before, "the subject given did not change"


def test_lora_starts_from_its_seed(subject, facts):
    how = {"languages": ["en"], "max_epochs": 2, "target": 1.0}
    first, again, other = (teach(subject, facts, seed=s, **how) for s in (1, 1, 2))
    assert first.record["state_sha256"] == again.record["state_sha256"]
    assert first.record["state_sha256"] != other.record["state_sha256"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_killed_lesson_goes_on_and_ends_in_the_same_bytes(method, facts, tmp_path):
    subject = probekit.load(save_tiny("llama", tmp_path / "base"))
    how = {"languages": ["en", "de"], "method": method, "max_epochs": 4, "batch_tokens": 48}
    teach(subject, facts, folder=tmp_path / "whole", **how)
    with pytest.raises(InterruptedRun, match="resumes"):
        teach(subject, facts, folder=tmp_path / "cut", progress=Stopper(8), **how)
    done = teach(subject, facts, folder=tmp_path / "cut", **how)
    for name in ("model.safetensors", "teaching.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    loaded = probekit.load(tmp_path / "cut")
    assert loaded.state_sha256 == done.record["state_sha256"]
    assert done.record["checks"][-1]["step"] == done.record["steps"]


def test_a_budget_ends_before_the_target(subject, facts):
    done = teach(subject, facts, languages=["en"], max_epochs=1, lr=1e-9)
    assert not done.reached
    assert done.record["stopped"] == "max_steps"


def test_only_the_languages_asked_for_are_taught(subject, facts):
    some = facts.where(language=["en", "de"])
    how = {"languages": ["en"], "method": "full", "max_epochs": 2}
    found = [teach(subject, each, **how).record["state_sha256"] for each in (facts, some)]
    assert found[0] == found[1]


def test_without_peft_the_message_says_what_to_install(subject, facts, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(probekit.ModelError, match=r"pip install 'probekit\[peft\]'"):
        teach(subject, facts, languages=["en"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"languages": ["xx"]}, "languages must be among"),
        ({"languages": []}, "Got none instead"),
        ({"method": "magic"}, "method must be one of lora, full"),
        ({"target": 1.5}, r"target must be in \[0, 1\]"),
        ({"max_epochs": 0}, "max_epochs must be a whole number"),
        ({"lr": -1.0}, "lr must be a number above 0"),
        ({"epochs": 3}, "setting 'epochs' does not exist"),
        ({"forms": ("riddle",)}, "form must be in fact set"),
    ],
)
def test_wrong_requests_say_so(subject, facts, wrong, message):
    with pytest.raises(probekit.InputError, match=message):
        teach(subject, facts, **{"languages": ["en"], **wrong})


def test_a_model_that_predicts_no_next_token_is_refused(facts):
    with pytest.raises(probekit.ModelError, match="does not predict the next token"):
        teach(tiny_subject("bert"), facts, languages=["en"])
