"""Every figure over layers marks the default rule's region, and its caption says whose it is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from probekit.errors import InputError
from probekit.figures import run_plots
from probekit.figures.region import Region, region_words, runs_of
from probekit.figures.run_plots import RunPlots

#: Figures of a run whose horizontal axis is layers; those of cells are outlined.
CURVES = [
    "cka",
    "layers",
    "pairs_by_layer",
    "cka_variants",
    "leave_one_out",
    "retrieval",
    "agreement",
    "regions",
    "separation",
    "isotropy",
    "lens",
    "language_mass",
    "lens_curves",
    "probe_accuracy",
    "probe_selectivity",
    "probe_languages",
    "probe_transfer",
    "language_identity",
    "neuron_types",
    "neuron_overlap",
    "mlp_regions",
    "difference",
]
CELLS = [
    "mass_areas",
    "lens_heatmap",
    "language_recall",
    "neurons",
    "key_neurons",
    "difference_by_language",
]
#: Without a layer axis, or with two.
OTHERS = [
    "pairs",
    "language_table",
    "layers_by_layers",
    "alignment_pairs",
    "text_map",
    "space_map",
    "transfer_pairs",
    "probe_confusion",
    "language_confusion",
    "neuron_stability",
    "lape",
    "neuron_rates",
    "neuron_pairs",
    "ablation",
    "selection",
    "probe_codes",
]
WORDS = "blocks 1–2, the region that the rule plateau selects at its defaults"


@pytest.fixture
def plot(full_run, monkeypatch):
    """The figures of a run in which the rule takes blocks 1 and 2."""
    monkeypatch.setattr(run_plots, "_default_region", lambda of: (1, 2))
    return RunPlots(full_run)


def drawn(plot, name):
    other = (plot._run,) if name.startswith("difference") else ()
    return getattr(plot, name)(*other)


def caption(figure):
    (note,) = [note for note in figure.layout.annotations if note.name == "caption"]
    return note.text.replace("<br>", " · ")


def bands(figure, look):
    """Edges of the rectangles over the whole height of a panel that look so."""
    return {
        (shape.x0, shape.x1)
        for shape in figure.layout.shapes
        if shape.type == "rect" and shape.layer == look and str(shape.yref).endswith("domain")
    }


@pytest.mark.parametrize("name", CURVES)
def test_curves_have_the_band_behind_them(plot, name):
    figure = drawn(plot, name)
    assert bands(figure, "below") == {(0.5, 2.5)}
    assert f"shaded: {WORDS}" in caption(figure)


@pytest.mark.parametrize("name", CELLS)
def test_cells_have_the_region_outlined(plot, name):
    figure = drawn(plot, name)
    assert bands(figure, "above") == {(0.5, 2.5)}
    assert f"outlined: {WORDS}" in caption(figure)


def test_every_figure_of_a_run_is_sorted_here(plot):
    assert sorted((*CURVES, *CELLS, *OTHERS)) == sorted({*plot.names(), "layers"})


def test_figures_without_a_layer_axis_have_none(plot, full_run):
    for name in OTHERS:
        options = {"layer": 1} if name == "pairs" else {}
        if name in {"selection", "probe_codes"}:  # its own region; and this run kept no codes
            continue
        figure = getattr(plot, name)(**options)
        assert "the region that" not in " ".join(n.text for n in figure.layout.annotations), name


@pytest.mark.parametrize("name", [*CURVES, *CELLS])
def test_no_band_where_the_rule_refuses(full_run, monkeypatch, name):
    monkeypatch.setattr(run_plots, "_default_region", lambda of: ())
    figure = drawn(RunPlots(full_run), name)
    assert not bands(figure, "below") | bands(figure, "above")
    assert "shaded" not in caption(figure)
    assert "outlined" not in caption(figure)


def test_the_band_is_the_selections(full_run):
    asked = full_run.select()
    found = full_run.plot.region()
    assert tuple(found) == tuple(asked.region)
    assert asked.rule["name"] == run_plots.RULE
    assert run_plots.RULE in found.whose


def test_a_region_is_found_where_the_rule_selects_one(monkeypatch, full_run):
    verdict = SimpleNamespace(region=(2, 3))
    monkeypatch.setattr("probekit.selection.verdict.decide", lambda *asked: verdict)
    run_plots._default_region.cache_clear()
    assert tuple(full_run.plot.region()) == (2, 3)
    run_plots._default_region.cache_clear()


def test_a_run_without_what_the_rule_reads_has_none(study, tmp_path):
    lean = study.model_copy(update={"analyses": ("alignment",), "keep_pooled": False})
    run = lean.run(tmp_path / "run")
    assert tuple(run.plot.region()) == ()
    assert run.plot.retrieval().data


def test_a_run_is_asked_once_and_never_for_another(full_run, finished_run, monkeypatch):
    asked = []

    def evidence_of(run):
        asked.append(run)
        raise InputError

    run_plots._default_region.cache_clear()
    monkeypatch.setattr("probekit.selection.evidence_of", evidence_of)
    for run in (full_run, finished_run, full_run, finished_run):
        assert tuple(run.plot.region()) == ()
    assert asked == [full_run, finished_run]
    run_plots._default_region.cache_clear()


def test_a_comparison_says_in_which_run(plot, full_run):
    assert f"at its defaults in {full_run.folder.name}" in caption(plot.difference(full_run))


def test_a_region_that_is_given_is_the_one_that_is_drawn(plot):
    figure = plot.retrieval(region=(0, 3))
    assert bands(figure, "below") == {(-0.5, 0.5), (2.5, 3.5)}
    assert "shaded: blocks 0, 3, the selected region" in caption(figure)


def test_words_of_one_block(plot):
    figure = plot.retrieval(region=Region.of((2,), "mine"))
    assert region_words(figure, Region.of((2,), "mine")) == "shaded: block 2, mine"
    assert "shaded: block 2, mine" in caption(figure)
    assert runs_of([7, 3, 4]) == [(3, 4), (7, 7)]
