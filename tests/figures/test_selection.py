"""The figure of a selection shows what the rule read, its bars and its probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.figures.selection import selection_by_layer
from probekit.selection import select
from tests.selection.conftest import make_evidence, make_planted


@pytest.fixture(scope="module")
def selection():
    return select(make_planted())


def named(figure, name):
    return [each for each in figure.data if each.name == name]


def test_every_column_stands_with_its_bar(selection):
    figure = selection_by_layer(selection)
    evidence = selection.evidence
    (align,), (lrds,) = named(figure, "Align"), named(figure, "LRDS (centred)")
    assert np.array_equal(align.y, evidence.align)
    assert np.array_equal(lrds.y, evidence.lrds_centred)
    bars = [float(each.y[0]) for each in named(figure, "bar")]
    assert bars == pytest.approx([evidence.align.mean(), evidence.lrds_centred.mean()])
    (null,) = named(figure, "null (95 %)")
    assert np.array_equal(null.y, evidence.align_null95)


def test_probabilities_with_the_share_that_is_asked(selection):
    figure = selection_by_layer(selection)
    (share,), (asked,) = named(figure, "share that clears"), named(figure, "asked")
    assert np.array_equal(share.y, selection.probabilities)
    assert set(asked.y) == {0.5}
    other = selection_by_layer(select(make_planted(), probability=0.8))
    assert set(named(other, "asked")[0].y) == {0.8}


def test_region_and_target_are_marked(selection):
    figure = selection_by_layer(selection)
    region = selection.region
    assert {(s.x0, s.x1) for s in figure.layout.shapes} == {(region[0] - 0.5, region[-1] + 0.5)}
    assert {each.x[0] for each in named(figure, "target")} == {selection.read_layer}
    assert "blocks" in figure.layout.title.text


def test_the_rule_decides_what_is_drawn(selection):
    mute = select(make_planted(), rule="mute", alpha=4.0)
    figure = selection_by_layer(mute)
    (lrds,) = named(figure, "LRDS (raw)")
    assert np.array_equal(lrds.y, mute.evidence.lrds)
    bars = [float(each.y[0]) for each in named(figure, "bar")]
    assert bars[1] == pytest.approx(4 * mute.evidence.lrds.min())


def test_a_refusal_is_drawn_as_plainly():
    flat = np.full(8, 0.3)
    refused = select(make_evidence(flat, flat, flat))
    assert refused.status == "no_signal"
    figure = selection_by_layer(refused)
    assert not figure.layout.shapes
    assert not named(figure, "target")
    assert "no region" in figure.layout.title.text
    assert any("refused" in note.text for note in figure.layout.annotations)
