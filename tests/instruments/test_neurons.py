"""The instrument ``neurons`` in a study: what is saved, refused, resumed and changed by options."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.capture.firing import FiringNeurons, content_tokens
from probekit.capture.tokens import tokenize
from probekit.errors import StudyError
from probekit.instruments import Setting
from probekit.instruments.neurons import AXES, Neurons
from tests.texts import parallel
from tests.tiny import D_MLP, tiny_subject

N_BLOCKS = 4


@pytest.fixture(scope="module")
def asked(study):
    options = {"neurons": {"share": 0.1}}  # one percent of 48 neurons is none
    return study.model_copy(update={"analyses": ("neurons",), "options": options})


@pytest.fixture(scope="module")
def run(asked, tmp_path_factory):
    return asked.run(tmp_path_factory.mktemp("neurons") / "run")


@pytest.fixture(scope="module")
def group(run):
    return run.group("neurons").load()


def test_every_variable_is_saved_under_its_axes(group):
    assert set(group.data_vars) == set(AXES)
    for name, axes in AXES.items():
        assert group[name].dims == axes, name
    assert group["layer"].to_numpy().tolist() == list(range(N_BLOCKS))
    assert group.sizes["neuron"] == D_MLP
    np.testing.assert_allclose(group["depth"], np.arange(1, 5) / 4)


def test_types_of_numbers_survive_the_file(group):
    assert group["count"].dtype == np.int64
    assert group["rate"].dtype == np.float32
    assert group["belongs"].dtype == bool
    assert all(np.isfinite(group[name]).all() for name in group)


def test_counts_rates_and_tokens_agree(group, run, corpus):
    n_tokens = group["n_tokens"].to_numpy()
    np.testing.assert_allclose(group["rate"], group["count"] / n_tokens, rtol=1e-6)
    assert np.array_equal(n_tokens, run.corpus["n_pooled"].sum("unit"))
    np.testing.assert_allclose(group["tokens_per_unit"], n_tokens / corpus.n_units)
    assert 0.2 < float(group["rate"].mean()) < 0.8


def test_the_selection_has_its_share_and_by_layer_too(group):
    assert int(group["n_selected"].sum()) == round(0.1 * N_BLOCKS * D_MLP)
    assert group["n_selected_by_layer"].to_numpy().tolist() == [round(0.1 * D_MLP)] * N_BLOCKS
    assert np.array_equal(group["n_total"], group["belongs"].sum(["layer", "neuron"]))


def test_types_sum_to_one(group):
    for end in ("", "_chance"):
        total = sum(group[f"{name}{end}"] for name in ("silent", "specific", "partial", "shared"))
        np.testing.assert_allclose(total, 1)


def test_shards_and_resumption_give_the_same_bytes(asked, run, tmp_path):
    from probekit.errors import InterruptedRun

    class Stop:
        def __init__(self):
            self.n = 0

        def start(self, *, n_tokens, done):
            pass

        def advance(self, n_tokens):
            self.n += 1
            if self.n == 12:
                raise KeyboardInterrupt

        def say(self, message):
            pass

    with pytest.raises(InterruptedRun):
        asked.run(tmp_path / "again", progress=Stop())
    again = asked.run(tmp_path / "again")
    assert again.manifest.passed["resumed_shards"] > 0
    assert again.manifest.files == run.manifest.files


def test_options_change_the_result(asked, group, tmp_path):
    options = {"share": 0.3, "groups": 4, "exchanges": 2, "active_share": 0.8, "quantile": 0.8}
    changed = asked.model_copy(update={"options": {"neurons": options}})
    other = changed.run(tmp_path / "run").group("neurons")
    assert int(other["n_selected"].sum()) == round(0.3 * N_BLOCKS * D_MLP)
    assert (other["bar"] < group["bar"]).all()
    assert not np.array_equal(other["shared"], group["shared"])
    assert not np.array_equal(other["rate_error"], group["rate_error"])
    assert np.array_equal(other["count"], group["count"])
    assert "2 exchanges" in other.attrs["null"]
    assert "4 groups" in other.attrs["interval"]


@pytest.mark.parametrize(
    "options",
    [{"share": 0}, {"quantile": 1}, {"groups": 5}, {"groups": 2}, {"exchanges": 0}, {"nope": 1}],
    ids=str,
)
def test_options_outside_their_domain_are_refused(asked, options):
    from probekit import Study

    fields = asked.model_dump() | {"options": {"neurons": options}}
    with pytest.raises(StudyError, match=next(iter(options))):
        Study.of(**fields)


def setting(subject, corpus):
    return Setting(subject=subject, corpus=corpus, tokens=tokenize(subject, corpus), seed=0)


def test_a_mixture_of_experts_is_refused_by_name():
    said = Neurons().refusal(setting(tiny_subject("mixtral"), parallel(12)))
    assert "Mixtral" in said
    assert "no readable MLP neurons" in said


def test_too_few_units_are_refused():
    llama = tiny_subject("llama")
    assert "lower groups" in Neurons().refusal(setting(llama, parallel(7)))
    assert Neurons().refusal(setting(llama, parallel(8))) == ""


def test_the_observer_is_drawn_from_the_seed_and_keeps_no_model():
    llama = tiny_subject("llama")
    place = setting(llama, parallel(9))
    (observer,) = Neurons().observers(place)
    assert isinstance(observer, FiringNeurons)
    other = Neurons().observers(
        Setting(subject=llama, corpus=place.corpus, tokens=place.tokens, seed=1)
    )
    assert observer.settings() != other[0].settings()
    assert not any(value is llama for value in vars(observer).values())
    assert content_tokens(place.tokens).shape == (3, 9)
