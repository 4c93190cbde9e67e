"""Figures of where languages meet show the run's numbers, each against what unrelated ones have."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError, RunError
from probekit.figures.meet import language_order
from probekit.figures.meet_measures import CKA_TABLES, MEASURES, measures_of, pair_measure, pairs_of
from probekit.figures.scales import null_scale

LAYERS = [-1, 0, 1, 2, 3]
CODES = ["en", "de", "sw"]


def trace(figure, name):
    return next(each for each in figure.data if each.name == name)


def caption(figure):
    return " ".join(note.text for note in figure.layout.annotations)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("order", ["cluster", "family", "script", "run"])
def test_the_table_holds_the_runs_numbers_in_any_order(finished_run, measure, order):
    figure = finished_run.plot.language_table(layer=2, measure=measure, order=order)
    (heat,) = figure.data
    group = "cka" if measure in CKA_TABLES else "alignment"
    table = finished_run.group(group)[measure].sel(layer=2)
    assert sorted(heat.x) == sorted(CODES)
    assert list(heat.x) == list(heat.y)
    for row, one in enumerate(heat.y):
        for column, two in enumerate(heat.x):
            expected = None if one == two else float(table.sel(language=one, language_b=two))
            assert heat.z[row][column] == expected
            pair = [code for code in CODES if code in {one, two}]
            assert heat.customdata[row][column] == ",".join(pair)
    assert "12 units × 3 languages" in caption(figure)


def test_a_cell_says_its_interval_and_n(finished_run):
    (heat,) = finished_run.plot.language_table(layer=1, order="run").data
    at = finished_run.cka.sel(layer=1, language="en", language_b="sw")
    value, low, high = (float(at[name]) for name in ("debiased", "pair_low", "pair_high"))
    assert heat.text[0][2] == f"English – Swahili: {value:.3f} [{low:.3f}, {high:.3f}], n = 12"


def test_the_table_is_of_the_best_block_unless_said(finished_run):
    best = int(finished_run.cka["mean"].to_numpy()[1:].argmax())
    assert f"block {best}" in finished_run.plot.language_table().layout.title.text
    least = int(finished_run.alignment["procrustes_mean"].to_numpy()[1:].argmin())
    shown = finished_run.plot.language_table(measure="procrustes")
    assert f"block {least}" in shown.layout.title.text


def test_the_colours_are_the_same_at_every_layer_but_for_the_null(finished_run):
    scales = {
        (heat.zmin, heat.zmax)
        for layer in LAYERS
        for heat in finished_run.plot.language_table(layer=layer).data
    }
    tables = finished_run.cka["debiased"].to_numpy()[:, ~np.eye(3, dtype=bool)]
    assert scales == {(min(0, tables.min()), tables.max())}


def test_two_languages_are_outlined(finished_run):
    shown = finished_run.plot.language_table(order="run", languages=("en", "sw"))
    assert [(box.x0, box.y0) for box in shown.layout.shapes] == [(-0.5, 1.5), (1.5, -0.5)]
    assert not finished_run.plot.language_table().layout.shapes


def test_families_and_scripts_stand_together(finished_run, monkeypatch):
    table = np.eye(3)
    assert language_order(finished_run, table, order="family") == [0, 1, 2]
    monkeypatch.setitem(finished_run.manifest.corpus, "languages", ["ru", "en", "uk", "de"])
    assert language_order(finished_run, np.eye(4), order="script") == [0, 2, 1, 3]
    near = np.array([[1, 0, 0.9, 0], [0, 1, 0, 0.8], [0.9, 0, 1, 0], [0, 0.8, 0, 1.0]])
    order = language_order(finished_run, near, order="cluster")
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset({0, 2}), frozenset({1, 3})}
    far = language_order(finished_run, -near, order="cluster", less_is_more=True)
    assert far == order


@pytest.mark.parametrize("measure", MEASURES)
def test_curves_are_the_pairs_and_their_mean(finished_run, measure):
    figure, found = (
        finished_run.plot.pairs_by_layer(measure=measure),
        pair_measure(finished_run, measure),
    )
    mean = trace(figure, "mean over all pairs")
    assert list(mean.x) == LAYERS
    assert np.array_equal(mean.y, found.mean)
    between = "→" if found.directed else "–"
    pairs = [each for each in figure.data if between in (each.name or "")]
    assert len(pairs) == (6 if found.directed else 3)
    for each in pairs:
        one, two = each.name.split(between)
        assert np.array_equal(each.y, found.tables[:, CODES.index(one), CODES.index(two)])
    if found.level is not None:
        assert np.array_equal(trace(figure, found.level[0]).y, found.level[1])


def test_the_mean_of_the_pairs_is_the_mean(finished_run):
    for measure in measures_of(finished_run):
        found = pair_measure(finished_run, measure)
        off = found.tables[:, ~np.eye(3, dtype=bool)]
        assert found.mean == pytest.approx(off.mean(axis=1)), measure


def test_one_language_is_shown_with_every_other_and_two_as_their_pair():
    every = ("en", "de", "sw")
    assert pairs_of(("de",), every=every, directed=False) == [(0, 1), (1, 2)]
    assert pairs_of(("en", "sw"), every=every, directed=False) == [(0, 2)]
    assert pairs_of(("en", "sw"), every=every, directed=True) == [(0, 2), (2, 0)]
    assert len(pairs_of(every, every=every, directed=True)) == 6


def test_many_pairs_are_thinned_and_the_figure_says_so(finished_run, monkeypatch):
    monkeypatch.setattr("probekit.figures.meet_curves.MOST_PAIRS", 2)
    figure = finished_run.plot.pairs_by_layer()
    names = {each.name for each in figure.data}
    assert {"en–de", "de–sw"} <= names
    assert "en–sw" not in names
    assert "2 of 3, evenly spaced of the 3 pairs" in caption(figure)


def test_the_variants_stand_beside_each_other_and_their_levels(finished_run):
    figure, data = finished_run.plot.cka_variants(region=(1, 2)), finished_run.cka
    for name, variable in (
        ("debiased", "mean"),
        ("biased", "mean_biased"),
        ("standardised", "mean_standardised"),
        ("without rogue dimensions", "mean_without_rogue"),
        ("debiased, null (95 %)", "mean_null95"),
        ("biased, units permuted", "mean_biased_chance"),
    ):
        assert np.array_equal(trace(figure, name).y, data[variable]), name
    assert [(box.x0, box.x1) for box in figure.layout.shapes] == [(0.5, 2.5)]


def test_a_language_is_left_out(finished_run):
    figure = finished_run.plot.leave_one_out(languages=("de",), region=(1,))
    data = finished_run.cka
    assert len(figure.layout.shapes) == 2, "the region in either panel"
    above, below = (each for each in figure.data if each.name == "de")
    without = data["mean_without"].sel(language="de").to_numpy()
    assert np.array_equal(above.y, without)
    assert below.y == pytest.approx(without - data["mean"].to_numpy())
    assert np.array_equal(trace(figure, "all languages").y, data["mean"])
    assert {each.name for each in finished_run.plot.leave_one_out().data} >= set(CODES)


def test_layers_with_layers_are_the_runs(finished_run):
    data = finished_run.group("cka_layers")
    assert data.attrs["n_units"] == 12
    figure = finished_run.plot.layers_by_layers(layer=2)
    heat, dots = figure.data
    assert np.array_equal(np.array(heat.z, dtype=float), data["across"])
    assert list(dots.x) == [LAYERS[at] for at in data["across"].to_numpy().argmax(axis=1)]
    assert len(figure.layout.shapes) == 2
    pair, _ = finished_run.plot.layers_by_layers(languages=("en", "sw")).data
    expected = data["pairs"].sel(language="en", language_b="sw")
    assert np.array_equal(np.array(pair.z, dtype=np.float32), expected)
    low, high = (float(data[f"pairs_{end}"][1, 3, 0, 2]) for end in ("low", "high"))
    assert pair.text[1][3].endswith(f"{float(expected[1, 3]):.3f} [{low:.3f}, {high:.3f}], n = 12")


def test_within_a_language_the_diagonal_is_left_out(finished_run):
    heat, dots = finished_run.plot.layers_by_layers(kind="within").data
    assert [heat.z[at][at] for at in range(5)] == [None] * 5
    assert not any(np.array(dots.x) == np.array(dots.y))
    assert heat.z[0][3] == float(finished_run.group("cka_layers")["within"][0, 3])


def test_the_diagonal_of_layers_with_layers_is_the_curve(finished_run):
    across = finished_run.group("cka_layers")["across"].to_numpy()
    assert np.diag(across) == pytest.approx(finished_run.cka["mean"].to_numpy(), abs=1e-6)


def test_a_run_says_how_many_units_layers_with_layers_read(study, tmp_path):
    options = {"cka": {"layer_units": 6}}
    asked = study.model_copy(update={"analyses": ("cka",), "options": options})
    run = asked.run(tmp_path / "run")
    assert "6 units read" in caption(run.plot.layers_by_layers())


@pytest.mark.parametrize(
    ("low", "high", "null", "lightest"),
    [(-0.2, 0.6, 0.0, 0.25), (0.1, 0.5, 0.0, 0.0), (0.1, 0.5, 0.9, 1.0)],
)
def test_the_lightest_colour_is_at_the_null(low, high, null, lightest):
    scale = null_scale(low, high, null=null)
    places = [at for at, colour in scale["colorscale"] if colour in {"#ffffd9", "#fff5f0"}]
    assert places == pytest.approx([lightest] * len(places))
    assert (scale["zmin"], scale["zmax"]) == pytest.approx((min(low, null), max(high, null)))
    at = [place for place, _ in scale["colorscale"]]
    assert at == sorted(at)
    assert (at[0], at[-1]) == (0, 1)


def test_a_disparity_is_blue_below_its_chance():
    scale = null_scale(0.2, 1.0, null=0.8, less_is_more=True)["colorscale"]
    assert (scale[0][1], scale[-1][1]) == ("#081d58", "#67000d")


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("language_table", {"layer": 9}, r"layer must be between -1 and 3\. Got 9"),
        ("language_table", {"measure": "cosine"}, "measure must be one of debiased"),
        ("language_table", {"order": "size"}, "order must be one of cluster"),
        ("pairs_by_layer", {"languages": ("xx",)}, r"languages must be of the run .*Got 'xx'"),
        ("layers_by_layers", {"kind": "both"}, "kind must be across or within"),
        ("layers_by_layers", {"layer": 7}, r"Got 7 instead"),
    ],
)
def test_what_is_not_there_is_refused(finished_run, name, options, said):
    with pytest.raises(InputError, match=said):
        getattr(finished_run.plot, name)(**options)


def test_a_run_without_alignment_has_cka_alone(study, tmp_path):
    pair = study.model_copy(update={"analyses": ("cka",), "languages": ("en", "de")})
    run = pair.run(tmp_path / "run")
    assert list(measures_of(run)) == list(CKA_TABLES)
    with pytest.raises(RunError, match="no results 'alignment'"):
        run.plot.pairs_by_layer(measure="mexa")
    with pytest.raises(RunError, match="two languages, so no pair is left"):
        run.plot.leave_one_out()
    assert run.plot.layers_by_layers().data


@pytest.mark.parametrize(
    "name", ["language_table", "pairs_by_layer", "leave_one_out", "layers_by_layers"]
)
def test_hover_says_the_nearest_point_alone(finished_run, name):
    assert getattr(finished_run.plot, name)().layout.hovermode == "closest"
