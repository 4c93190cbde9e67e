"""Figures of alignment and geometry show the run file's numbers, intervals and chance levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from probekit.errors import InputError, RunError
from probekit.figures import alignment, geometry

LAYERS = [-1, 0, 1, 2, 3]


@pytest.fixture(scope="module")
def run(study, tmp_path_factory):
    asked = study.model_copy(update={"analyses": ("alignment", "geometry")})
    return asked.run(tmp_path_factory.mktemp("figures") / "run")


def trace(figure, name):
    return next(each for each in figure.data if each.name == name)


def caption(figure):
    return " ".join(note.text for note in figure.layout.annotations)


@pytest.mark.parametrize("name", [*alignment.FIGURES, *geometry.FIGURES])
def test_every_figure_is_reached_through_the_run_and_says_who_and_n(run, name):
    figure = getattr(run.plot, name)()
    assert "12 units × 3 languages · mean over content tokens" in caption(figure)
    assert figure.layout.title.text


@pytest.mark.parametrize(
    ("figure", "group", "name", "variable"),
    [
        ("retrieval", "alignment", "P@1", "p_at_1_mean"),
        ("retrieval", "alignment", "CSLS", "csls_mean"),
        ("retrieval", "alignment", "MEXA", "mexa_mean"),
        ("retrieval", "alignment", "mutual kNN (k = 2)", "mutual_knn_mean"),
        ("agreement", "alignment", "ANC", "anc_mean"),
        ("agreement", "alignment", "centred cosine", "centred_cosine_mean"),
        ("agreement", "alignment", "Procrustes disparity", "procrustes_mean"),
        ("separation", "geometry", "Fisher ratio", "fisher"),
        ("separation", "geometry", "centroid distance", "centroid_distance_mean"),
        ("isotropy", "geometry", "IsoScore", "isoscore_mean"),
        ("isotropy", "geometry", "anisotropy", "anisotropy"),
    ],
)
def test_curves_have_their_interval_and_n(run, figure, group, name, variable):
    drawn, data = getattr(run.plot, figure)(), run.group(group)
    line = trace(drawn, name)
    assert list(line.x) == LAYERS
    assert np.array_equal(line.y, data[variable])
    low, high = (data[f"{variable}_{end}"].to_numpy() for end in ("low", "high"))
    outlines = [each.y for each in drawn.data if each.fill == "toself"]
    assert any(np.array_equal(y, np.concatenate([high, low[::-1]])) for y in outlines)
    assert line.text[1].endswith(f"[{low[1]:.3f}, {high[1]:.3f}], n = 12")


@pytest.mark.parametrize(
    ("figure", "name", "level"),
    [
        ("retrieval", "chance (1/n)", 1 / 12),
        ("retrieval", "chance (MEXA, 1/(2n−1))", 1 / 23),
        ("retrieval", "chance (k/(n−1))", 2 / 11),
        ("agreement", "chance (0)", 0),
        ("isotropy", "directions at random (0)", 0),
    ],
)
def test_chance_levels_that_are_constants(run, figure, name, level):
    assert list(trace(getattr(run.plot, figure)(), name).y) == [level] * 5


def test_chance_levels_by_layer(run):
    data = run.group("geometry")
    levels = [t.y for t in run.plot.separation().data if "exchanged" in (t.name or "")]
    assert np.array_equal(levels[0], data["fisher_chance"])
    assert np.array_equal(levels[1], data["centroid_distance_chance"])
    permuted = trace(run.plot.agreement(), "units permuted").y
    assert np.array_equal(permuted, run.alignment["procrustes_chance"])


@pytest.mark.parametrize("measure", alignment.PAIR_TABLES)
def test_pairs_of_one_layer_without_their_diagonal(run, measure):
    figure = run.plot.alignment_pairs(layer=2, measure=measure)
    (heat,) = figure.data
    table = run.alignment[measure].sel(layer=2).to_numpy()
    for a, row in enumerate(heat.z):
        assert [value for value in row if value is not None] == np.delete(table[a], a).tolist()
        assert row[a] is None
    assert "chance" in caption(figure)
    assert "block 2" in figure.layout.title.text


def test_pairs_are_of_the_best_layer_unless_said(run):
    best = LAYERS[int(np.argmax(run.alignment["p_at_1_mean"].to_numpy()))]
    title = run.plot.alignment_pairs().layout.title.text
    assert title == run.plot.alignment_pairs(layer=best).layout.title.text


def test_the_map_shows_every_text_twice(run):
    figure, data = run.plot.text_map(layer=-1), run.group("projection").sel(layer=-1)
    assert [each.name for each in figure.data] == ["en", "de", "sw"] * 2
    for at, kind in enumerate(("raw", "centred")):
        for language, each in enumerate(figure.data[3 * at : 3 * at + 3]):
            assert np.array_equal(np.stack([each.x, each.y], axis=1), data[kind][language])
            assert list(each.text) == list(data["unit"].to_numpy())
    assert "the embedding" in figure.layout.title.text
    share = float(data["centred_explained"][0])
    assert f"{share:.0%}" in figure.layout.xaxis2.title.text


def test_the_map_is_of_the_block_where_languages_are_nearest_unless_said(run):
    nearest = int(run.group("geometry")["fisher"].to_numpy()[1:].argmin())
    assert run.plot.text_map().layout.title.text == f"All texts at block {nearest}"


def test_a_transform_is_said_in_the_caption(run):
    how = {**run.manifest.estimators, "after": "lsar"}
    changed = replace(run, manifest=replace(run.manifest, estimators=how))
    assert "after lsar" in caption(changed.plot.separation())
    assert "after" not in caption(run.plot.separation())


def test_what_is_not_there_is_refused(run, finished_run):
    with pytest.raises(InputError, match=r"between -1 and 3\. Got 9"):
        run.plot.text_map(layer=9)
    with pytest.raises(InputError, match=r"measure must be one of p_at_1.*Got 'cka'"):
        run.plot.alignment_pairs(measure="cka")
    with pytest.raises(RunError, match="no results 'geometry'"):
        finished_run.plot.separation()
    with pytest.raises(RunError, match="no alignment/nothing: an older probekit made it"):
        alignment.held(run, "alignment", "nothing")
