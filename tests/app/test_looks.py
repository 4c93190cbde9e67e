"""Figures for the screen: words go to the card, numbers stay, colours are read on either ground."""

from __future__ import annotations

import base64
import colorsys
import copy

import numpy as np
import plotly.graph_objects as go
import pytest

from probekit.figures.languages import DASHES, MARKERS, PALETTE, language_styles
from probekit_app.looks import INK, SURFACE, _contrast, dress, for_theme, words

LAYERS = (-1, 0, 1, 2, 3)


def decoded(values):
    return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])


def test_title_and_caption_become_the_cards(finished_run):
    found = dress(finished_run.plot.layers(), theme="light", layers=LAYERS)
    assert found.title == "Where languages meet"
    assert found.caption.startswith(str(finished_run.manifest.model["id"]))
    assert "bootstrap resamples" in found.caption
    assert "title" not in found.figure["layout"]
    texts = [note["text"] for note in found.figure["layout"]["annotations"]]
    assert "debiased CKA (mean over pairs)" in texts
    assert not any("bootstrap" in text for text in texts)


def test_the_figure_that_is_given_is_not_changed(finished_run):
    figure = finished_run.plot.cka()
    before = copy.deepcopy(figure.to_dict())
    dress(figure, theme="dark", layers=LAYERS)
    assert figure.to_dict() == before


def test_numbers_travel_as_float32(finished_run):
    found = dress(finished_run.plot.cka(), theme="light")
    curve = next(trace for trace in found.figure["data"] if trace.get("name") == "debiased CKA")
    assert curve["y"]["dtype"] == "f4"
    expected = finished_run.cka["mean"].to_numpy().astype(np.float32)
    assert np.array_equal(decoded(curve["y"]), expected)


def test_a_figure_over_layers_has_the_place_of_the_strip(finished_run):
    for figure in (finished_run.plot.cka(), finished_run.plot.layers()):
        layout = dress(figure, theme="light", layers=LAYERS).figure["layout"]
        assert (layout["margin"]["l"], layout["margin"]["r"]) == (64, 24)
        axes = [axis for name, axis in layout.items() if name.startswith("xaxis")]
        assert axes
        for axis in axes:
            assert axis["range"] == [-1.5, 3.5]
            assert axis["fixedrange"]
            assert not axis["automargin"]


@pytest.mark.parametrize("colour", [*PALETTE, "#000000", "#7F7F7F", "#0072B2"])
def test_every_colour_is_read_on_the_dark_ground(colour):
    light = for_theme(colour, "dark")
    rgb = tuple(int(light[at : at + 2], 16) / 255 for at in (1, 3, 5))
    assert _contrast(rgb) >= 4.4
    assert for_theme(colour, "light") == colour


def test_a_hue_stays_itself_in_the_dark():
    for colour in PALETTE:
        hues = [
            colorsys.rgb_to_hls(*(int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)))[0]
            for text in (colour, for_theme(colour, "dark"))
        ]
        assert abs(hues[0] - hues[1]) < 0.02


def test_ink_becomes_the_ink_of_the_theme():
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(y=[1], textfont={"color": INK["light"]}))
    (trace,) = dress(figure, theme="dark").figure["data"]
    assert trace["textfont"]["color"] == INK["dark"]
    (trace,) = dress(figure, theme="light").figure["data"]
    assert trace["textfont"]["color"] == INK["light"]


def test_the_themes_differ_in_ground_and_lines(finished_run):
    light, dark = (
        dress(finished_run.plot.cka(), theme=theme).figure for theme in ("light", "dark")
    )
    assert light["layout"]["template"]["layout"]["paper_bgcolor"] == SURFACE["light"]
    assert dark["layout"]["template"]["layout"]["paper_bgcolor"] == SURFACE["dark"]
    assert light["data"][1]["line"]["color"] != dark["data"][1]["line"]["color"]


def test_scales_and_texts_are_left_alone(finished_run):
    heat = dress(finished_run.plot.pairs(layer=0), theme="dark").figure["data"][0]
    same = dress(finished_run.plot.pairs(layer=0), theme="light").figure["data"][0]
    assert heat["colorscale"] == same["colorscale"]


def test_little_html_becomes_words():
    assert words("a<br>b <b>c</b>") == "a b c"
    assert words("R&amp;D &lt;b&gt;") == "R&D <b>", "a label is shown as it was written"


def test_a_language_looks_the_same_whoever_is_beside_it():
    few, many = language_styles(["en", "sw"]), language_styles(["sw", "en", "de", "ta", "th"])
    assert few["en"] == many["en"]
    assert few["sw"] == many["sw"]
    assert few["en"].colour == PALETTE[0]


def test_the_twelve_built_in_languages_have_a_hue_each():
    codes = ["en", "es", "fr", "de", "ru", "zh", "ja", "ar", "hi", "tr", "id", "sw"]
    assert len({style.colour for style in language_styles(codes).values()}) == 12


def test_ninety_languages_can_be_told_apart():
    codes = [f"x{number}" for number in range(90)]
    found = {(s.colour, s.symbol) for s in language_styles(codes).values()}
    assert len(found) == 90
    assert len(language_styles([f"x{number}" for number in range(300)])) == 300
    assert {style.dash for style in language_styles(codes).values()} <= set(DASHES)
    assert {style.symbol for style in language_styles(codes).values()} == set(MARKERS)


def table(labels):
    return go.Figure(go.Heatmap(z=np.zeros((len(labels), len(labels))), x=labels, y=labels))


def test_margins_are_known_beforehand_where_labels_fit():
    """Else plotly draws a figure again for each margin that it finds too small."""
    short = dress(table(["en", "de", "sw"]), theme="light").figure["layout"]
    assert not short["xaxis"]["automargin"]
    assert not short["yaxis"]["automargin"]
    long = dress(table(["a rather long label", "b"]), theme="light").figure["layout"]
    assert long["margin"]["l"] > short["margin"]["l"]
    many = dress(table([f"label {n}" for n in range(60)]), theme="light").figure["layout"]
    assert "automargin" not in many.get("xaxis", {})
    longest = dress(table(["x" * 60, "b"]), theme="light").figure["layout"]
    assert "automargin" not in longest.get("yaxis", {})


def test_a_plane_of_one_scale_is_drawn_once():
    plane = go.Figure(go.Scatter(x=[0, 1e6], y=[0, 1], mode="markers"))
    left_to_plotly = dress(plane, theme="light").figure["layout"]
    assert "automargin" not in left_to_plotly.get("yaxis", {})
    plane.update_yaxes(scaleanchor="x")
    layout = dress(plane, theme="light").figure["layout"]
    assert not layout["xaxis"]["automargin"]
    assert not layout["yaxis"]["automargin"]
