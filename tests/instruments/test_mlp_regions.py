"""The instrument ``mlp_regions``: region scores of brute force, key neurons, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from probekit import load
from probekit.instruments import Setting
from probekit.instruments.mlp_regions import SCORES, MLPRegions
from probekit.measures import bootstrap_weights, region_scores
from probekit.measures.key_neurons import agreement_scores, leave_one_out_z
from tests.texts import parallel
from tests.tiny import D_MLP, tiny_subject

N_BLOCKS = 4


@pytest.fixture(scope="module")
def group(study, tmp_path_factory):
    asked = study.model_copy(update={"analyses": ("mlp_regions",)})
    return asked.run(tmp_path_factory.mktemp("mlp") / "run").group("mlp_regions").load()


@pytest.fixture(scope="module")
def means(model_folder, corpus):
    """Token means of the down projections' inputs by a plain reading, one text at a time."""
    import torch

    subject = load(str(model_folder))
    tables = np.zeros((N_BLOCKS, 3, corpus.n_units, D_MLP), dtype=np.float32)
    for layer in range(N_BLOCKS):
        seen = []
        module = subject.model.get_submodule(f"model.layers.{layer}.mlp.down_proj")
        hook = module.register_forward_pre_hook(lambda _m, args, seen=seen: seen.append(args[0][0]))
        for a, code in enumerate(corpus.languages):
            for i, text in enumerate(corpus.texts[code]):
                with torch.no_grad():
                    subject.model(torch.tensor([subject.tokenizer(text)["input_ids"]]))
                tables[layer, a, i] = seen.pop()[1:].mean(0)
        hook.remove()
    return tables


def test_scores_are_region_scores_of_mlp_vectors(group, means):
    weights = bootstrap_weights(means.shape[2], n_resamples=40, seed=0)
    for layer in range(N_BLOCKS):
        expected = region_scores(means[layer], weights=weights)
        for name in SCORES:
            value = float(group[name].sel(layer=layer))
            assert value == pytest.approx(getattr(expected, name), rel=1e-3, abs=1e-5), name


def test_scores_are_brute_force(group, means, corpus):
    for layer in range(N_BLOCKS):
        unit = means[layer].astype(np.float64)
        unit /= np.linalg.norm(unit, axis=2, keepdims=True)
        cosines = np.einsum("aid,bjd->abij", unit, unit)
        same, own = np.eye(3, dtype=bool), np.eye(corpus.n_units, dtype=bool)
        within = cosines[same][:, ~own].mean()
        across = cosines[~same][:, ~own].mean()
        paired = cosines[~same][:, own].mean()
        got = {name: float(group[name].sel(layer=layer)) for name in ("lrds", "sads", "paired")}
        expected = {"lrds": within - across, "sads": paired - across, "paired": paired}
        assert got == pytest.approx(expected, abs=1e-5)


def test_key_scores_are_those_of_the_unit_vectors(group, means):
    unit = means[1].astype(np.float64)
    unit /= np.linalg.norm(unit, axis=2, keepdims=True)
    z = leave_one_out_z(agreement_scores(unit.sum(1), (unit**2).sum(1), unit.shape[1]))
    found = group["key_z"].sel(layer=1).transpose("language", "neuron")
    np.testing.assert_allclose(np.arctan(found), np.arctan(z), atol=1e-3)
    assert np.array_equal(group["n_key"], (group["key_z"] > 2).sum("neuron"))


def test_intervals_and_nulls_are_there(group):
    for name in ("lrds", "sads", "lrds_centred", "sads_centred", "n_key"):
        assert (group[f"{name}_low"] <= group[name]).all()
        assert (group[name] <= group[f"{name}_high"]).all()
    assert (group["n_key_null"] > 0).all()
    assert (group["n_key_null"] <= group["n_key_null95"]).all()
    assert group["layer"].to_numpy().tolist() == list(range(N_BLOCKS))


def test_a_threshold_changes_the_key_neurons(study, group, tmp_path):
    options = {"mlp_regions": {"key_threshold": 5.0, "groups": 4, "exchanges": 2}}
    asked = study.model_copy(update={"analyses": ("mlp_regions",), "options": options})
    other = asked.run(tmp_path / "run").group("mlp_regions")
    assert (other["n_key"] <= group["n_key"]).all()
    assert other["n_key"].sum() < group["n_key"].sum()
    assert np.array_equal(other["lrds"], group["lrds"])
    assert "2 exchanges" in other.attrs["key_null"]


def test_two_languages_have_scores_and_no_key_neurons(study, tmp_path):
    asked = study.model_copy(update={"analyses": ("mlp_regions",), "languages": ("en", "de")})
    found = asked.run(tmp_path / "run").group("mlp_regions")
    assert "lrds" in found
    assert "n_key" not in found
    assert "3 languages" in found.attrs["left_out"]


def test_refusals_name_the_reason():
    from probekit.capture.tokens import tokenize

    def setting(family, n_units):
        subject, corpus = tiny_subject(family), parallel(n_units)
        return Setting(subject=subject, corpus=corpus, tokens=tokenize(subject, corpus), seed=0)

    assert "Mixtral" in MLPRegions().refusal(setting("mixtral", 12))
    assert "lower groups" in MLPRegions().refusal(setting("llama", 7))
    assert MLPRegions().refusal(setting("phi3", 8)) == ""
