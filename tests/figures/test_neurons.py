"""Figures of neurons show the run file's numbers, intervals and nulls."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from probekit.ablation import AblationResult
from probekit.figures import mlp_regions, neurons


@pytest.fixture(scope="module")
def run(study, tmp_path_factory):
    asked = study.model_copy(update={"analyses": ("neurons", "mlp_regions")})
    return asked.run(tmp_path_factory.mktemp("neurons") / "run")


def trace(figure, name):
    (found,) = [each for each in figure.data if each.name == name]
    return found


def caption(figure):
    return " ".join(note.text for note in figure.layout.annotations)


@pytest.mark.parametrize("name", [*neurons.FIGURES, *mlp_regions.FIGURES])
def test_every_figure_is_reached_through_the_run_and_says_who_and_n(run, name):
    figure = getattr(run.plot, name)()
    assert "12 units × 3 languages" in caption(figure)
    assert figure.layout.title.text


@pytest.mark.parametrize("by_layer", [False, True])
def test_the_counts_are_the_run_files(run, by_layer):
    figure, data = neurons.neurons_by_layer(run, by_layer=by_layer), run.group("neurons")
    end = "_by_layer" if by_layer else ""
    (heatmap,) = figure.data
    assert np.array_equal(heatmap.z, data[f"n_neurons{end}"].transpose("language", "layer"))
    assert list(heatmap.x) == [0, 1, 2, 3]
    low = float(data[f"n_neurons_low{end}"][2, 1])
    assert f"[{low:.1f}, " in heatmap.text[1][2]
    assert "null (95 %)" in heatmap.text[1][2]
    assert "n = 12 units" in heatmap.text[1][2]


def test_labels_say_tokens_per_unit(run):
    labels = neurons.neurons_by_layer(run).data[0].y
    expected = run.group("neurons")["tokens_per_unit"].to_numpy()
    assert list(labels) == [
        f"{code} ({t:.0f})" for code, t in zip(run.languages, expected, strict=True)
    ]


def test_types_have_bands_and_chance(run):
    figure, data = neurons.neuron_types(run), run.group("neurons")
    for name in ("silent", "specific", "partial", "shared"):
        assert np.array_equal(trace(figure, name).y, data[name])
        assert np.array_equal(trace(figure, f"{name}, units re-paired").y, data[f"{name}_chance"])
    assert len([each for each in figure.data if each.fill == "toself"]) == 4


def test_overlap_lies_between_chance_and_exchanged_labels(run):
    figure, data = neurons.neuron_overlap(run), run.group("neurons")
    assert np.array_equal(trace(figure, "between languages").y, data["jaccard_mean"])
    assert np.array_equal(trace(figure, "chance").y, data["jaccard_mean_chance"])
    assert np.array_equal(trace(figure, "labels exchanged").y, data["jaccard_mean_exchanged"])


def test_mlp_scores_and_key_neurons_are_the_run_files(run):
    data = run.group("mlp_regions")
    figure = mlp_regions.mlp_regions(run)
    assert np.array_equal(trace(figure, "LRDS: language").y, data["lrds_centred"])
    assert np.array_equal(trace(figure, "SADS, raw").y, data["sads"])
    (heatmap,) = mlp_regions.key_neurons(run).data
    assert np.array_equal(heatmap.z, data["n_key"].transpose("language", "layer"))


def test_two_languages_get_a_figure_that_says_why_it_is_empty(study, tmp_path):
    asked = study.model_copy(update={"analyses": ("mlp_regions",), "languages": ("en", "de")})
    figure = mlp_regions.key_neurons(asked.run(tmp_path / "run"))
    assert not figure.data
    assert "key neurons need 3 languages" in caption(figure)


def test_the_ablation_is_symmetric_about_zero_and_says_its_interval():
    pair = ("ablated", "language")
    values = np.array([[0.5, -0.1], [0.0, 0.25]])
    variables = {
        f"{name}{end}": (pair, values + shift)
        for name in ("change", "random", "excess")
        for end, shift in (("", 0.0), ("_low", -0.1), ("_high", 0.1))
    }
    variables["n_neurons"] = ("ablated", [3, 4])
    variables["n_scored"] = ("language", [24, 40])
    attrs = {"model": "m", "controls": 3, "n_units": 8, "n_scored_total": 64, "interval": "95 %"}
    data = xr.Dataset(variables, coords={"ablated": ["en", "de"], "language": ["en", "de"]})
    figure = neurons.ablation_table(AblationResult(data.assign_attrs(attrs)))
    (heatmap,) = figure.data
    assert np.array_equal(heatmap.z, values)
    assert (heatmap.zmin, heatmap.zmax) == (-0.5, 0.5)
    assert list(heatmap.y) == ["en (3)", "de (4)"]
    assert heatmap.text[0][1].startswith("excess: -0.100 [-0.200, +0.000]")
    assert heatmap.text[1][0].endswith("n = 8 units, 24 tokens")
    assert heatmap.text[1][1].endswith("n = 8 units, 40 tokens")
    assert "8 units, 64 tokens" in caption(figure)
