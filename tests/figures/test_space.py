"""The map of texts shows the run's coordinates, says what it leaves out, and joins translations."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from probekit.errors import InputError, RunError
from probekit.runs import maps
from probekit.runs.maps import NO_CLASS, classes_of, text_classes, text_map


@pytest.fixture(scope="module")
def run(study, tmp_path_factory):
    asked = study.model_copy(update={"analyses": ("geometry",)})
    return asked.run(tmp_path_factory.mktemp("space") / "run")


@pytest.fixture
def labelled(run, monkeypatch):
    """The same with a label of two values, one unit without."""
    import xarray as xr

    topics = ["a", "b"] * 5 + ["a", ""]
    corpus = run.corpus.assign(label_topic=("unit", np.array(topics, dtype=object)))
    monkeypatch.setattr(type(run), "corpus", property(lambda self: corpus))
    assert isinstance(corpus, xr.Dataset)
    return run


def caption(figure):
    return " ".join(note.text for note in figure.layout.annotations)


def drawn(figure, code):
    return next(each for each in figure.data if each.name == code)


@pytest.mark.parametrize("centred", [False, True])
def test_points_are_the_runs_components(run, centred):
    figure = run.plot.space_map(layer=1, centred=centred)
    data = run.group("projection").sel(layer=1)
    kind = "centred" if centred else "raw"
    for code in run.languages:
        each = drawn(figure, code)
        expected = data[kind].sel(language=code).to_numpy()
        assert np.array_equal(np.stack([each.x, each.y], axis=1), expected)
        assert list(each.customdata) == list(data["unit"].to_numpy())
    share = data[f"{kind}_explained"].to_numpy()
    assert f"{share[0]:.0%}" in figure.layout.xaxis.title.text
    assert f"{1 - share[:2].sum():.0%} of the variance lies off" in caption(figure)
    assert figure.layout.yaxis.scaleanchor == "x"
    assert figure.layout.hovermode == "closest"


def test_translations_of_the_unit_are_joined(run):
    unit = str(run.corpus["unit"].to_numpy()[4])
    figure = run.plot.space_map(layer=2, unit=unit, languages=("en", "sw"))
    points = (
        run.group("projection")["raw"].sel(layer=2, unit=unit, language=["en", "sw"]).to_numpy()
    )
    ring = drawn(figure, unit)
    assert list(ring.text) == ["en", "sw"]
    assert np.array_equal(np.stack([ring.x, ring.y], axis=1), points)
    for line, point in zip(figure.layout.shapes, points, strict=True):
        assert (line.x1, line.y1) == pytest.approx(tuple(point))
        assert (line.x0, line.y0) == pytest.approx(tuple(points.mean(axis=0)))
    assert {each.name for each in figure.data} == {"en", "sw", unit}


def test_many_texts_are_thinned_and_the_figure_says_so(run, monkeypatch):
    monkeypatch.setattr("probekit.figures.space.MOST_POINTS", 12)
    units = [str(unit) for unit in run.corpus["unit"].to_numpy()]
    figure = run.plot.space_map(layer=1, unit=units[1])
    assert list(drawn(figure, "en").customdata) == [units[at] for at in (0, 1, 4, 7, 11)]
    assert "5 of 12 units drawn, evenly spaced" in caption(figure)
    again = run.plot.space_map(layer=1, unit=units[1])
    assert figure == again


def test_labels_and_scripts_are_classes(labelled):
    assert list(text_classes(labelled)) == ["language", "script", "family", "half", "topic"]
    assert set(classes_of(labelled, "script").ravel()) == {"Latn"}
    assert classes_of(labelled, "language")[:, 0].tolist() == ["en", "de", "sw"]
    topics = classes_of(labelled, "topic")
    assert (topics == topics[0]).all()
    assert topics[0].tolist()[-2:] == ["a", NO_CLASS]
    figure = labelled.plot.space_map(layer=1, by="topic")
    assert [(each.name, len(each.x)) for each in figure.data] == [
        ("a", 18),
        ("b", 15),
        (NO_CLASS, 3),
    ]


def test_discriminant_axes_say_what_they_are_worth(labelled):
    figure = labelled.plot.space_map(layer=1, method="lda", by="topic")
    said = caption(figure)
    assert "LDA by topic · each text by axes found without its unit (5 folds)" in said
    assert "lie nearest to their own class; commonest class 55%" in said
    assert figure.layout.yaxis.title.text == "component 1, standardised"
    other = labelled.plot.space_map(layer=1, method="lda", by="language")
    assert other.layout.yaxis.title.text == "discriminant 2"
    centred = labelled.plot.space_map(layer=1, method="lda", by="language", centred=True)
    assert not np.array_equal(drawn(other, "en").x, drawn(centred, "en").x)


def test_made_maps_are_kept(run):
    one = text_map(run, layer=1, method="lda", by="language")
    assert text_map(run, layer=1, method="lda", by="language") is one
    assert text_map(run, layer=2, method="lda", by="language") is not one


def test_axes_of_many_texts_are_made_of_some(run, monkeypatch):
    monkeypatch.setattr(maps, "MOST_TEXTS", 31)
    maps._made.cache_clear()
    found = text_map(run, layer=1, method="lda", by="language")
    maps._made.cache_clear()
    assert found.points.shape == (3, 10, 2)
    assert "axes and points of 10 of 12 units, evenly spaced" in found.said
    figure_units = [str(unit) for unit in run.corpus["unit"].to_numpy()]
    assert found.units == tuple(
        figure_units[at] for at in np.linspace(0, 11, 10).round().astype(int)
    )


def test_umap_is_used_where_it_is_installed(run, monkeypatch):
    with pytest.raises(InputError, match="needs the package umap-learn"):
        text_map(run, layer=3, method="umap")

    class UMAP:
        def __init__(self, **options):
            assert options == {"n_components": 2, "random_state": 0, "n_jobs": 1}

        def fit_transform(self, x):
            return x[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    monkeypatch.setattr(maps, "umap_installed", lambda: True)
    found = text_map(run, layer=3, method="umap", centred=True)
    vectors = run.pooled["vectors"].sel(layer=3).to_numpy()
    expected = (vectors - vectors.mean(axis=1, keepdims=True))[..., :2]
    assert found.points == pytest.approx(expected)
    assert not found.to_scale
    maps._made.cache_clear()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layer": 9}, r"layer must be between -1 and 3\. Got 9"),
        ({"layer": 9, "method": "lda"}, r"layer must be between -1 and 3\. Got 9"),
        ({"method": "tsne"}, "method must be one of pca, lda, umap"),
        ({"by": "mood"}, r"by must be one of language, script, family.*Got 'mood'"),
        ({"method": "lda", "by": "script"}, "'script' has 1 in this run"),
        ({"unit": "nothing"}, r"unit must be one of those on the map\. Got 'nothing'"),
        ({"languages": ("xx",)}, "languages must be of the run"),
    ],
)
def test_what_is_not_there_is_refused(run, options, said):
    with pytest.raises(InputError, match=said):
        run.plot.space_map(**{"layer": 1, **options})


def test_a_run_without_pooled_vectors_has_principal_components(study, tmp_path):
    lean = study.model_copy(update={"analyses": ("geometry",), "keep_pooled": False})
    run = lean.run(tmp_path / "run")
    assert run.plot.space_map().data
    with pytest.raises(RunError, match="kept no pooled vectors, which lda needs"):
        run.plot.space_map(method="lda")


def test_a_long_legend_is_left_out(run, monkeypatch):
    assert run.plot.space_map(layer=1).layout.showlegend
    assert not run.plot.space_map(layer=1, legend=False).layout.showlegend
    monkeypatch.setattr("probekit.figures.space.MOST_NAMES", 2)
    assert not run.plot.space_map(layer=1).layout.showlegend
