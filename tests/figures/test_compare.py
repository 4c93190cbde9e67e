"""Figures of a comparison show its numbers, on the layers of the first run."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.figures.compare import comparison_by_language, comparison_by_layer, words
from tests.runs.planted_runs import band, planted_run, table


@pytest.fixture
def comparison():
    def run(name, shift, n_blocks):
        value = np.linspace(0, 1, n_blocks + 1) + shift
        groups = {"lens": band(value, 0.1, name="score_mean") | table(value[:, None] + [0, 1, 2])}
        return planted_run(name, groups, n_blocks=n_blocks)

    return run("a", 0.0, 4).diff(run("b", 3.0, 6))


def trace(figure, name):
    (found,) = [each for each in figure.data if each.name == name]
    return found


def test_both_runs_and_their_difference_are_drawn(comparison):
    found = comparison["lens/score_mean"]
    figure = comparison_by_layer(comparison, measure="lens/score_mean")
    layers = found.depths * 4 - 1
    for name, value in (("a", found.a), ("b", found.b), ("b − a", found.change)):
        assert list(trace(figure, name).x) == pytest.approx(layers.tolist())
        assert np.array_equal(trace(figure, name).y, value.value)
    bands = [each for each in figure.data if each.fill == "toself"]
    change = np.concatenate([found.change.high, found.change.low[::-1]])
    assert np.array_equal(bands[2].y, change)
    assert not np.any(trace(figure, "no difference").y)
    assert len(trace(figure, "differs (jointly)").x) == len(found.depths)


def test_the_caption_says_how_the_interval_was_made(comparison):
    (note,) = [
        each.text
        for each in comparison_by_layer(comparison, measure="lens/score_mean").layout.annotations
        if "a = a" in each.text
    ]
    assert "MOVER" in note
    assert f"× {comparison.joint:.2f}" in note


def test_the_heatmap_is_centred_on_no_difference(comparison):
    figure = comparison_by_language(comparison, measure="lens/score_mean", languages=("sw", "en"))
    (heat,) = figure.data
    assert list(heat.y) == ["en", "sw"]
    change = comparison["lens/score_mean"].by_language.change.value
    assert np.array_equal(heat.z, change[:, [0, 2]].T)
    assert heat.zmin == -heat.zmax
    assert heat.zmax == pytest.approx(np.abs(change).max())
    assert {cell for row in heat.text for cell in row} == {"•"}


def test_no_difference_has_a_scale_too(finished_run):
    (heat,) = finished_run.plot.difference_by_language(finished_run).data
    assert (heat.zmin, heat.zmax) == (-1, 1)
    assert not np.any(heat.z)


def test_a_measure_that_is_not_there_is_refused(comparison, finished_run):
    with pytest.raises(InputError, match="is not compared"):
        comparison_by_layer(comparison, measure="cka/nothing")
    with pytest.raises(InputError, match="no table by language"):
        finished_run.plot.difference_by_language(finished_run, measure="regions/lrds")


def test_measures_have_words():
    assert words("cka/mean") == "CKA"
    assert words("mine/some_thing") == "mine: some thing"
