"""Figures show the numbers of the run file, with interval and null, over all its layers."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError, StorageError
from probekit.figures import cka_by_layer, layers_overview, write_page
from probekit.figures.lines import runs_of
from probekit.figures.theme import layer_axis, rgba

LAYERS = [-1, 0, 1, 2, 3]


def trace(figure, name):
    (found,) = [each for each in figure.data if each.name == name]
    return found


def bands(figure):
    return [each for each in figure.data if each.fill == "toself"]


def assert_band(band, low, high):
    assert list(band.x) == [*LAYERS, *reversed(LAYERS)]
    assert np.array_equal(band.y, np.concatenate([high, low[::-1]]))


def test_the_cka_curve_is_the_run_files(finished_run):
    figure, cka = finished_run.plot.cka(), finished_run.cka
    for name, variable in (
        ("debiased CKA", "mean"),
        ("biased", "mean_biased"),
        ("without rogue dimensions", "mean_without_rogue"),
        ("null (95 %)", "mean_null95"),
    ):
        assert list(trace(figure, name).x) == LAYERS
        assert np.array_equal(trace(figure, name).y, cka[variable])
    (band,) = bands(figure)
    assert_band(band, cka["mean_low"].to_numpy(), cka["mean_high"].to_numpy())


def test_variants_can_be_left_out(finished_run):
    names = {each.name for each in finished_run.plot.cka(variants=False).data}
    assert "biased" not in names
    assert {"debiased CKA", "null (95 %)"} <= names


def test_hover_says_value_interval_and_n(finished_run):
    row = finished_run.table()[0]
    expected = f"{row['cka']:.3f} [{row['cka_low']:.3f}, {row['cka_high']:.3f}], n = 12"
    assert trace(finished_run.plot.cka(), "debiased CKA").text[0] == expected


def test_the_caption_says_how_it_was_made(finished_run):
    captions = [note.text for note in finished_run.plot.cka().layout.annotations]
    assert any(
        "12 units × 3 languages · mean over content tokens · interval: 40 bootstrap" in text
        for text in captions
    )


def test_the_overview_is_the_run_files(finished_run):
    figure = finished_run.plot.layers()
    regions, alignment = finished_run.regions, finished_run.alignment
    for name, values in (
        ("CKA", finished_run.cka["mean"]),
        ("null (95 %)", finished_run.cka["mean_null95"]),
        ("LRDS: language", regions["lrds_centred"]),
        ("SADS: meaning", regions["sads_centred"]),
        ("P@1", alignment["p_at_1_mean"]),
        ("chance (1/n)", np.full(5, 1 / 12)),
    ):
        assert np.array_equal(trace(figure, name).y, values), name
    assert len(bands(figure)) == 4
    retrieval = (alignment["p_at_1_mean_low"], alignment["p_at_1_mean_high"])
    assert_band(bands(figure)[3], *(values.to_numpy() for values in retrieval))


def test_pairs_of_one_layer(finished_run):
    for layer in LAYERS:
        (heat,) = finished_run.plot.pairs(layer=layer).data
        assert np.array_equal(heat.z, finished_run.cka["debiased"].sel(layer=layer))
        assert list(heat.x) == list(heat.y) == ["en", "de", "sw"]
    assert "the embedding" in finished_run.plot.pairs(layer=-1).layout.title.text


@pytest.mark.parametrize("layer", [-2, 4, 99])
def test_a_layer_that_is_not_there_is_refused(finished_run, layer):
    with pytest.raises(InputError, match=f"between -1 and 3. Got {layer}"):
        finished_run.plot.pairs(layer=layer)


@pytest.mark.parametrize("draw", [cka_by_layer, layers_overview])
def test_a_region_is_drawn_as_bands(finished_run, draw):
    bare, marked = draw(finished_run), draw(finished_run, region=(0, 1, 3))
    edges = {(shape.x0, shape.x1) for shape in marked.layout.shapes}
    assert not bare.layout.shapes
    assert edges == {(-0.5, 1.5), (2.5, 3.5)}


def test_the_layer_axis_starts_with_the_embedding_and_stays_readable():
    small, deep = layer_axis(LAYERS), layer_axis(list(range(-1, 80)))
    assert (small["tickvals"], small["ticktext"]) == (LAYERS, ["emb", "0", "1", "2", "3"])
    assert len(deep["tickvals"]) <= 14
    assert deep["range"] == [-1.5, 79.5]


def test_consecutive_layers_make_one_band():
    assert runs_of([7, 3, 4]) == [(3, 4), (7, 7)]
    assert runs_of([]) == []


def test_colours_with_opacity():
    assert rgba("#0072B2", 0.5) == "rgba(0,114,178,0.5)"


def test_a_run_without_regions_still_has_its_curve_and_page(study, tmp_path):
    lean = study.model_copy(update={"analyses": ("cka",), "keep_pooled": False})
    run = lean.run(tmp_path / "run")
    assert len(run.plot.cka().data) == 5
    write_page(run, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count(
        'id="figure-'
    ) == 6  # those of CKA


def test_a_page_that_cannot_be_written_is_one_clear_error(finished_run, tmp_path):
    with pytest.raises(StorageError, match="Choose another file"):
        write_page(finished_run, tmp_path)
