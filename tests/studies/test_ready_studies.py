"""The studies and experiments that come with the project can be read, and ask for what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from probekit import Study
from probekit.experiment import Plan

EVERY = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
PLANS = [file for file in EVERY if "algorithms:" in file.read_text(encoding="utf-8")]
FILES = [file for file in EVERY if file not in PLANS]


def test_there_are_studies():
    assert {"multilingual-lm.yaml", "multilingual-lm-words.yaml"} <= {file.name for file in FILES}
    assert {file.name for file in PLANS} == {"mute.yaml", "mute-small.yaml"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_study_is_read_and_says_how_to_run_it(file):
    study = Study.from_yaml(file)
    assert study.analyses is None or study.analyses
    assert f"probekit run studies/{file.name} -o runs/" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_an_experiment_is_read_and_says_how_to_run_it(file):
    plan = Plan.from_yaml(file)
    assert {"selection", "shallow", "deep"} <= set(plan.places)
    assert f"probekit experiment studies/{file.name} -o runs/" in file.read_text(encoding="utf-8")


def test_the_words_of_the_study_are_seldom_spelt_alike():
    from probekit import open_corpus

    study = Study.from_yaml(next(file for file in FILES if file.stem.endswith("words")))
    corpus = open_corpus(study.corpus, **study.corpus_options)
    assert corpus.n_units > 300
    alike = [a == b for a, b in zip(corpus.texts["en"], corpus.texts["de"], strict=True)]
    assert sum(alike) / len(alike) < 0.05
