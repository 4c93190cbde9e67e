"""Hover says value, interval and n; a null or chance level is drawn where the run holds one."""

from __future__ import annotations

import re

import numpy as np
import pytest

from probekit.figures.languages import language_styles
from probekit.figures.layers import layers_overview
from tests.runs.planted_runs import band, planted_run

INTERVAL = re.compile(r"-?\d\.\d{3} \[[-+]?\d\.\d{3}, [-+]?\d\.\d{3}\]")


def curves(figure, *, without=("null", "chance", "commonest")):
    """Traces that hover answers for, levels aside."""
    return [
        each
        for each in figure.data
        if each.hoverinfo != "skip" and not any(word in each.name for word in without)
    ]


def test_every_curve_of_the_overview_says_interval_and_n(full_run):
    figure = layers_overview(full_run)
    found = {each.name: each.text[1] for each in curves(figure)}
    positions = full_run.group("lens").attrs["n_positions"]
    assert found.keys() == {
        "CKA",
        "LRDS: language",
        "SADS: meaning",
        "P@1",
        "lens agreement",
        "probe, same language",
        "probe, other language",
    }
    for name, text in found.items():
        n = f"{positions} positions" if name == "lens agreement" else "12"
        assert text.endswith(f", n = {n}"), name
        if name != "probe, other language":  # the run has no interval of it
            assert INTERVAL.match(text), name


def test_cells_of_pairs_say_interval_and_n(finished_run):
    cka = finished_run.cka.sel(layer=1)
    (heat,) = finished_run.plot.pairs(layer=1).data
    low, high = (float(cka[f"pair_{end}"][0, 2]) for end in ("low", "high"))
    assert heat.text[0][2] == f" [{low:.3f}, {high:.3f}]"
    assert heat.text[1][1] == ""
    assert "%{z:.3f}%{text}, n = 12" in heat.hovertemplate


def test_cells_of_layers_and_of_neurons_say_n(full_run):
    tables = full_run.plot.layers_by_layers().data[0]
    assert all(", n = 12, null (95 %)" in text for row in tables.text for text in row)
    (neurons,) = full_run.plot.neuron_pairs().data
    assert all(", n = 12, chance" in text for row in neurons.text for text in row)


def test_a_change_says_n_of_both_runs(full_run):
    figure = full_run.plot.difference(full_run)
    (change,) = [each for each in figure.data if each.name == "b − a"]
    assert all(text.endswith("], n = 12") for text in change.text)
    (heat,) = full_run.plot.difference_by_language(full_run).data
    assert all(text.endswith(", n = 12") for row in heat.customdata for text in row)


def test_units_of_runs_of_other_sizes_are_both_said():
    value = np.linspace(0, 1, 5)
    a, b = (
        planted_run(name, {"lens": band(value, 0.1, name="score_mean")}, units=units)
        for name, units in (("a", 20), ("b", 30))
    )
    figure = a.plot.difference(b, measure="lens/score_mean")
    (change,) = [each for each in figure.data if each.name == "b − a"]
    assert change.text[0].endswith("n = 20 and 30")


def with_levels(run, group, **levels):
    """The run, holding these in a group too."""
    from dataclasses import replace

    import xarray as xr

    tree = {name: run.group(name) for name in run.results.children}
    tree[group] = tree[group].assign(
        {name: ("layer", np.asarray(values)) for name, values in levels.items()}
    )
    found = replace(run)
    found.__dict__["results"] = xr.DataTree.from_dict(tree)
    return found


def test_nulls_that_a_run_holds_are_drawn_and_none_is_made_up(full_run):
    bare = {each.name for each in layers_overview(full_run).data}
    asked = {"LRDS, null (95 %)", "SADS, chance", "agreement, chance"}
    held = set(full_run.regions.data_vars) | set(full_run.group("lens").data_vars)
    if not {"lrds_centred_null95", "sads_centred_chance", "agreement_chance"} & held:
        assert not bare & asked
    level = np.linspace(0.1, 0.2, 5)
    run = with_levels(full_run, "regions", lrds_centred_null95=level, sads_centred_chance=-level)
    run = with_levels(run, "lens", agreement_chance=level / 2)
    found = {each.name: each.y for each in layers_overview(run).data}
    assert np.array_equal(found["LRDS, null (95 %)"], level)
    assert np.array_equal(found["SADS, chance"], -level)
    assert np.array_equal(found["agreement, chance"], level / 2)


@pytest.mark.parametrize(
    ("metric", "less"), [("entropy", True), ("log_rank", True), ("own_mass", False)]
)
def test_the_heatmap_of_the_lens_is_lightest_at_chance(full_run, metric, less):
    data = full_run.group("lens")
    figure = full_run.plot.lens_heatmap(metric=metric)
    (heat,) = figure.data
    chance = float(data[f"{metric}_chance"].mean())
    at = (chance - heat.zmin) / (heat.zmax - heat.zmin)
    lightest = {stop for stop, colour in heat.colorscale if colour in {"#ffffd9", "#fff5f0"}}
    assert any(stop == pytest.approx(at) for stop in lightest)
    above = [colour for stop, colour in heat.colorscale if stop > at + 1e-9]
    assert not above or (above[-1] == "#67000d") == less
    own = data[f"{metric}_chance"].sel(layer=1)
    own = float(own if own.ndim == 0 else own.sel(language="de"))
    assert heat.text[1][2].endswith(f"chance {own:.3g}")
    assert f"their mean ({chance:.3g})" in figure.layout.annotations[-1].text


def test_a_metric_without_chance_has_a_plain_scale(full_run):
    (heat,) = full_run.plot.lens_heatmap(metric="agreement").data
    assert heat.zmin is None
    assert "chance" not in heat.text[0][0]


@pytest.mark.parametrize("measure", ["p_at_1", "procrustes"])
def test_pairs_of_alignment_are_lightest_at_chance(full_run, measure):
    figure = full_run.plot.alignment_pairs(layer=1, measure=measure)
    (heat,) = figure.data
    data = full_run.alignment
    chance = (
        float(data["procrustes_chance"].sel(layer=1))
        if measure == "procrustes"
        else data.attrs["p_at_1_chance"]
    )
    at = (chance - heat.zmin) / (heat.zmax - heat.zmin)
    assert heat.zmin <= chance <= heat.zmax
    lightest = [stop for stop, colour in heat.colorscale if colour in {"#ffffd9", "#fff5f0"}]
    assert any(stop == pytest.approx(at) for stop in lightest)
    assert f"lightest colour: chance ({chance:.3f})" in figure.layout.annotations[-1].text


def test_a_language_keeps_its_colour_on_the_map_of_texts(full_run):
    styles = language_styles(full_run.languages)
    for trace in full_run.plot.text_map(layer=1).data:
        assert trace.marker.color == styles[trace.name].colour
        assert trace.marker.symbol == styles[trace.name].symbol
