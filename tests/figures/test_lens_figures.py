"""Figures of the lens show the numbers of the run and of the prompt lens."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.figures.lens import language_mass, lens_by_layer, prompt_grid
from probekit.logit_lens import lens
from tests.tiny import tiny_subject

LAYERS = [-1, 0, 1, 2, 3]


@pytest.fixture(scope="module")
def run(study, tmp_path_factory):
    lean = study.model_copy(update={"analyses": ("lens",), "options": {}})
    return lean.run(tmp_path_factory.mktemp("lens") / "run")


@pytest.fixture(scope="module")
def prompt():
    return lens(tiny_subject(), "<b>a b", targets=("c",), top=3)


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def test_bold_curves_are_means_with_their_bands(run):
    figure, data = lens_by_layer(run), run.group("lens")
    means = named(figure, "mean over languages")
    assert np.allclose(means[0].y, data["entropy_mean"])
    assert np.allclose(means[1].y, data["kl_mean"][:-1])
    assert np.allclose(means[2].y, np.exp2(data["log_rank_mean"]))
    assert np.allclose(means[3].y, data["own_mass_mean"])
    assert f"n = {data.attrs['n_positions']}" in means[0].text[0]
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    low, high = data["entropy_mean_low"].to_numpy(), data["entropy_mean_high"].to_numpy()
    assert np.allclose(bands[0].y, np.concatenate([high, low[::-1]]))


def test_every_language_and_the_chance_level_are_drawn(run):
    figure, data = lens_by_layer(run), run.group("lens")
    for code in run.languages:
        assert np.allclose(named(figure, code)[0].y, data["entropy"].sel(language=code))
    chance = named(figure, "random vectors")
    assert len(chance) == 3
    assert np.allclose(chance[2].y, data["own_mass_mean_chance"])


def test_panels_of_mass_are_the_run_files(run):
    figure, data = language_mass(run), run.group("lens")
    own = named(figure, "own language")
    for trace, code in zip(own, run.languages, strict=True):
        assert list(trace.x) == LAYERS
        assert np.array_equal(trace.y, data["own_mass"].sel(language=code))
    assert len(named(figure, "pivot (en)")) == 2  # not in its own panel
    assert len(named(figure, "undetermined")) == 3
    assert [trace.showlegend for trace in own] == [True, False, False]


def test_another_pivot_can_be_drawn_and_an_unknown_one_is_refused(run):
    assert len(named(language_mass(run, pivot="sw"), "pivot (sw)")) == 2
    with pytest.raises(InputError, match=r"pivot must be one of en, de, sw\. Got 'xx'"):
        language_mass(run, pivot="xx")


def test_captions_say_estimator_and_n(run):
    for draw in (lens_by_layer, language_mass):
        text = " ".join(note.text for note in draw(run).layout.annotations)
        assert "40 bootstrap resamples of units" in text
        assert "random vectors of the same norms" in text
    assert run.plot.lens().layout.title.text == "What each layer would predict"
    assert "pivot: en" in run.plot.language_mass().layout.title.text


def test_the_grid_shows_every_cell_and_frames_agreement(prompt):
    figure = prompt_grid(prompt)
    (heat,) = figure.data
    assert np.array_equal(heat.z, prompt.entropy)
    assert len(figure.layout.shapes) == int((prompt.final_rank == 1).sum())
    assert heat.zmax == pytest.approx(np.log2(264))
    details = heat.customdata[-1][-1]
    assert f"entropy {prompt.entropy[-1, -1]:.2f} bits" in details
    assert "target c: rank" in details
    assert f"(id {prompt.top_ids[-1, -1, 0]})" in details
    assert prompt.figure().layout.title.text == "What each layer would say"


def test_a_token_that_looks_like_markup_is_escaped(prompt):
    (heat,) = prompt_grid(prompt).data
    everything = str(heat.text) + str(heat.customdata).replace("<br>", "")
    assert "<b>" not in everything
