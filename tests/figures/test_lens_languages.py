"""Figures of the lens by language show the run's numbers, intervals and chance levels."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.figures import lens_areas
from probekit.figures.lens_areas import mass_areas
from probekit.figures.lens_languages import METRICS, lens_curves, lens_heatmap

LAYERS = [-1, 0, 1, 2, 3]


@pytest.fixture(scope="module")
def run(study, tmp_path_factory):
    lean = study.model_copy(update={"analyses": ("lens",), "options": {}})
    return lean.run(tmp_path_factory.mktemp("lens") / "run")


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def test_curves_are_the_languages_own_with_their_bands(run):
    data = run.group("lens").sel(language="de")
    figure = lens_curves(run, languages=["sw", "de"])
    entropy, kl, agreement, rank, own = named(figure, "German")
    assert np.array_equal(entropy.y, data["entropy"])
    assert np.array_equal(kl.y, data["kl"][:-1])
    assert list(kl.x) == LAYERS[:-1]
    assert np.array_equal(agreement.y, data["agreement"])
    assert np.allclose(rank.y, np.exp2(data["log_rank"]))
    assert np.array_equal(own.y, data["own_mass"])
    band = next(t for t in figure.data if t.fill == "toself" and t.legendgroup == "de")
    low, high = data["entropy_low"].to_numpy(), data["entropy_high"].to_numpy()
    assert np.array_equal(band.y, np.concatenate([high, low[::-1]]))
    assert f"n = {int(data['n_positions'])}" in entropy.text[0]
    assert not named(figure, "English")
    assert [trace.showlegend for trace in named(figure, "German")] == [True] + [False] * 4


def test_curves_have_the_chance_of_random_vectors(run):
    data = run.group("lens")
    entropy, rank, own = named(lens_curves(run), "random vectors")
    assert np.allclose(entropy.y, data["entropy_chance"])
    assert np.allclose(rank.y, np.exp2(data["log_rank_chance"]))
    assert np.allclose(own.y, data["own_mass_chance"].mean("language"))


def test_areas_are_the_masses_and_sum_to_one(run):
    data = run.group("lens").sel(language="sw")
    areas = [t for t in mass_areas(run, languages=["sw"]).data if t.stackgroup]
    assert [area.name for area in areas] == ["sw", "en", "de", "undetermined"]
    assert np.allclose(sum(np.asarray(area.y) for area in areas), 1)
    for area in areas:
        assert np.array_equal(area.y, data["mass"].sel(token_language=area.name))
    low, high = (float(data[f"mass_{end}"].sel(token_language="sw")[0]) for end in ("low", "high"))
    assert f"[{low:.3g}, {high:.3g}]" in areas[0].text[0]


def test_many_languages_are_drawn_as_a_few_and_the_rest(run, monkeypatch):
    monkeypatch.setattr(lens_areas, "MOST_AREAS", 1)
    areas = [t for t in mass_areas(run, languages=["sw"]).data if t.stackgroup]
    assert [area.name for area in areas] == ["sw", "others", "undetermined"]
    assert np.allclose(sum(np.asarray(area.y) for area in areas), 1)


def test_panels_beyond_the_most_are_counted(run, monkeypatch):
    monkeypatch.setattr(lens_areas, "MOST_PANELS", 2)
    figure = mass_areas(run)
    captions = [note.text for note in figure.layout.annotations]
    assert "English" in captions
    assert "Swahili" not in captions
    assert any("1 further languages chosen, not drawn" in text for text in captions)


@pytest.mark.parametrize("metric", METRICS)
def test_the_heatmap_is_one_metric_over_layers_and_languages(run, metric):
    data = run.group("lens").sel(language=["en", "sw"])
    (cells,) = lens_heatmap(run, metric=metric, languages=["en", "sw"]).data
    assert list(cells.x) == LAYERS
    assert list(cells.y) == ["en", "sw"]
    assert np.array_equal(cells.z, data[metric].to_numpy().T)
    low = float(data[f"{metric}_low"].sel(language="sw", layer=1))
    assert cells.text[1][2].startswith("Swahili: ")
    assert f"[{low:.3g}" in cells.text[1][2]


@pytest.mark.parametrize("draw", [lens_curves, mass_areas, lens_heatmap])
def test_unknown_languages_are_refused(run, draw):
    with pytest.raises(InputError, match="en, de, sw"):
        draw(run, languages=["xx"])
    with pytest.raises(InputError, match="none"):
        draw(run, languages=[])


def test_an_unknown_metric_is_refused(run):
    with pytest.raises(InputError, match="must be one of entropy"):
        lens_heatmap(run, metric="x")
