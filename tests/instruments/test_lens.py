"""The corpus lens as an instrument: what a run holds, its options, its refusals, its resume."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from probekit import Study
from probekit.capture import tokenize
from probekit.errors import InputError
from probekit.instruments import Setting
from probekit.instruments.lens import FEWEST_TEXTS, Lens
from tests.texts import parallel
from tests.tiny import save_tiny, subject_of, tiny_model, tiny_subject

CODES = ["en", "de", "sw"]


@pytest.fixture(scope="module")
def lean(study):
    """The shared study with the lens alone."""
    return study.model_copy(update={"analyses": ("lens",), "options": {}})


@pytest.fixture(scope="module")
def run(lean, tmp_path_factory):
    return lean.run(tmp_path_factory.mktemp("lens") / "run")


@pytest.fixture(scope="module")
def group(run):
    return run.group("lens").load()


def with_options(study, folder, **options):
    asked = study.model_copy(update={"options": {"lens": options}})
    return asked.run(folder).group("lens").load()


def test_axes_and_coordinates(group):
    for name in ("entropy", "kl", "agreement", "surprisal", "log_rank", "mrr", "own_mass"):
        assert group[name].dims == ("layer", "language")
        assert group[f"{name}_mean"].dims == ("layer",)
    assert group["mass"].dims == ("layer", "language", "token_language")
    assert group["token_language"].to_numpy().tolist() == [*CODES, "undetermined"]
    assert group["layer"].to_numpy().tolist() == [-1, 0, 1, 2, 3]


def test_every_number_lies_in_its_interval_and_range(group):
    for name in [str(name) for name in group if f"{name}_low" in group]:
        value, low, high = (group[f"{name}{end}"].to_numpy() for end in ("", "_low", "_high"))
        assert np.isfinite(value).all(), name
        assert (low <= high).all(), name
        if name.endswith("_mean"):
            assert ((low - 1e-9 <= value) & (value <= high + 1e-9)).mean() > 0.9, name
    assert (group["entropy"] >= 0).all()
    assert (group["entropy"] <= group.attrs["entropy_most"]).all()
    assert (group["mrr"] <= 1).all()
    np.testing.assert_allclose(group["mass"].sum("token_language"), 1)
    np.testing.assert_allclose(group["mass_chance"].sum("token_language"), 1)


def test_the_last_block_is_the_models_own_output(group):
    assert (group["kl"].sel(layer=3) == 0).all()
    assert (group["agreement"].sel(layer=3) == 1).all()
    assert (group["kl"].sel(layer=0) > 0).all()


def test_own_mass_is_the_diagonal_of_mass(group):
    for code in CODES:
        own = group["mass"].sel(language=code, token_language=code)
        assert np.array_equal(group["own_mass"].sel(language=code), own)
        chance = group["mass_chance"].sel(token_language=code)
        assert np.array_equal(group["own_mass_chance"].sel(language=code), chance)
    np.testing.assert_allclose(group["own_mass_mean"], group["own_mass"].mean("language"))


def test_the_run_says_how_many_positions_and_tokens(group):
    assert (group["n_positions"] >= FEWEST_TEXTS).all()
    assert (group["n_texts"] <= 12).all()
    assert int(group["class_tokens"].sum()) == group.attrs["vocabulary"] == 264
    assert group.attrs["predicts"] == "next token"
    assert group.attrs["n_random_vectors"] <= group.attrs["n_positions"]
    assert group.attrs["log_rank_uniform"] == pytest.approx(np.log2(np.arange(1, 265)).mean())


def test_the_table_has_the_summary(run):
    rows = run.table("lens")
    assert [row["layer"] for row in rows] == [-1, 0, 1, 2, 3]
    assert {"entropy_mean", "kl_mean", "own_mass_mean", "own_mass_mean_chance"} <= set(rows[0])
    assert set(run.by_language("lens")) == {"own_mass"}


def test_shards_and_batches_change_nothing(lean, group, tmp_path):
    other = lean.model_copy(update={"units_per_shard": 1, "token_budget": 30})
    again = other.run(tmp_path / "run").group("lens")
    for name in group:
        np.testing.assert_allclose(again[name], group[name], atol=2e-3, rtol=1e-3, err_msg=name)


def test_an_interrupted_run_resumes_to_the_same_bytes(lean, group, tmp_path, monkeypatch):
    from probekit.capture.shards import ShardStore
    from probekit.errors import InterruptedRun

    write = ShardStore.write

    def stop(self, shard, states, **options):
        write(self, shard, states, **options)
        if shard.index == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(ShardStore, "write", stop)
    with pytest.raises((InterruptedRun, KeyboardInterrupt)):
        lean.run(tmp_path / "run")
    monkeypatch.setattr(ShardStore, "write", write)
    resumed = lean.run(tmp_path / "run").group("lens")
    for name in group:
        assert np.array_equal(resumed[name], group[name]), name


def test_options_change_the_result(lean, group, tmp_path):
    few = with_options(lean, tmp_path / "few", positions=4, random_vectors=8, share=1.0)
    assert (few["n_positions"] == 4).all()
    assert few.attrs["n_random_vectors"] == 8
    many = with_options(lean, tmp_path / "all", positions="all", share=0.51, smoothing=0.0)
    assert (many["n_positions"] > group["n_texts"]).all()
    assert few["class_tokens"][-1] > group["class_tokens"][-1] > many["class_tokens"][-1]


@pytest.mark.parametrize(
    "options",
    [
        {"positions": 0},
        {"positions": "some"},
        {"random_vectors": 7},
        {"smoothing": -0.1},
        {"share": 0.5},
        {"share": 1.1},
        {"chance": 3},
    ],
)
def test_options_outside_their_domain_are_refused(options):
    with pytest.raises((ValidationError, InputError)):
        Lens.Options(**options)


def setting(subject, corpus):
    return Setting(subject, corpus, tokenize(subject, corpus), 0)


def test_an_encoder_without_head_is_refused_with_the_way_out():
    subject = tiny_subject("t5", stack="encoder")
    assert "Load a model with a language-model head" in Lens().refusal(setting(subject, parallel()))


def test_an_unembedding_that_is_no_product_is_refused():
    model = tiny_model("llama")
    head = model.lm_head

    class Odd(type(head)):
        def forward(self, x):
            return super().forward(x).abs()

    head.__class__ = Odd
    refusal = Lens().refusal(setting(subject_of(model), parallel()))
    assert "not a plain matrix product" in refusal


def test_too_few_texts_with_a_prediction_are_refused():
    assert "texts with a token to predict" in Lens().refusal(setting(tiny_subject(), parallel(3)))
    assert Lens().refusal(setting(tiny_subject(), parallel(8))) == ""


def test_a_masked_model_predicts_the_token_itself(corpus_file, tmp_path):
    folder = save_tiny("bert", tmp_path / "bert")
    study = Study(
        model=str(folder),
        corpus=str(corpus_file),
        analyses=("lens",),
        bootstrap=20,
        permutations=20,
    )
    group = study.run(tmp_path / "run").group("lens")
    assert group.attrs["predicts"] == "the token itself, unmasked"
