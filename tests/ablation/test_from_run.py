"""A run's own neurons, zeroed in the run's own model."""

from __future__ import annotations

import numpy as np
import pytest

from probekit import load, open_corpus
from probekit.ablation import ablate, ablate_run
from probekit.errors import LanguageError, RunError
from tests.texts import parallel
from tests.tiny import tiny_subject


@pytest.fixture(scope="module")
def run(study, tmp_path_factory):
    asked = study.model_copy(
        update={"analyses": ("neurons",), "options": {"neurons": {"share": 0.1}}}
    )
    return asked.run(tmp_path_factory.mktemp("neurons") / "run")


@pytest.fixture(scope="module")
def subject(model_folder):
    return load(str(model_folder))


@pytest.fixture(scope="module")
def text(corpus_file):
    return open_corpus(str(corpus_file))


def test_the_neurons_are_those_of_the_run(run, subject, text):
    found = ablate_run(run, subject, text, bootstrap=20)
    belongs = run.group("neurons")["belongs"]
    counts = belongs.sum(["layer", "neuron"]).to_numpy()
    assert counts.sum() > 0
    assert found.data["n_neurons"].to_numpy().tolist() == counts.tolist()
    codes = run.group("neurons")["language"].to_numpy()
    pairs = {str(a): np.argwhere(belongs.sel(language=a).to_numpy()) for a in codes}
    plain = ablate(subject, text, pairs, bootstrap=20)
    assert np.array_equal(found.data["change"], plain.data["change"])
    assert (found.data.attrs["run"], found.data.attrs["held_out"]) == ("run", 0)


def test_units_that_the_run_did_not_read_are_preferred(run, subject, text):
    more = parallel(18)
    found = ablate_run(run, subject, more, languages=["de"], bootstrap=20)
    assert found.data.attrs["held_out"] == 1
    assert found.data.attrs["n_units"] == 6  # u12 … u17
    assert found.ablated == ("de",)
    assert found.languages == ("en", "de", "sw")


def test_thresholds_by_layer_are_other_neurons(run, subject, text):
    plain = ablate_run(run, subject, text, bootstrap=20).data
    other = ablate_run(run, subject, text, by_layer=True, bootstrap=20).data
    group = run.group("neurons")
    counts = group["belongs_by_layer"].sum(["layer", "neuron"]).to_numpy()
    assert other["n_neurons"].to_numpy().tolist() == counts.tolist()
    assert not np.array_equal(plain["change"], other["change"])


def test_another_models_run_is_refused(run, text):
    with pytest.raises(RunError, match="other weights"):
        ablate_run(run, tiny_subject("llama", seed=1), text)


def test_a_run_without_neurons_is_refused(finished_run, subject, text):
    with pytest.raises(RunError, match="'neurons'"):
        ablate_run(finished_run, subject, text)


def test_an_unknown_language_is_refused(run, subject, text):
    with pytest.raises(LanguageError, match="language 'fr'"):
        ablate_run(run, subject, text, languages=["fr"])
