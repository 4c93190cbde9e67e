"""The house look: what a figure says fits under it, and nothing of it leaves the machine."""

from __future__ import annotations

import json
import re

import plotly.graph_objects as go
import pytest

from probekit.figures.page import write_figures, write_page
from probekit.figures.theme import BELOW, CAPTION_SIZE, LINE, LINE_HEIGHT, UPLOADS, folded, style


def configurations(html):
    """The options that every figure of a page is drawn with."""
    return [
        json.loads(found)
        for found in re.findall(r'\{[^{}]*"showSendToCloud"[^{}]*\}\s*\)', html.replace("\n", " "))
        for found in [found.rstrip(") ")]
    ]


def written(html):
    """The page without plotly's own script."""
    return [line for line in html.splitlines() if len(line) < 1_000_000]


def test_no_figure_of_a_page_can_be_uploaded(finished_run, tmp_path):
    write_page(finished_run, tmp_path / "page.html")
    html = "\n".join(written((tmp_path / "page.html").read_text(encoding="utf-8")))
    n_figures = html.count('id="figure-')
    found = configurations(html)
    assert n_figures > 3
    assert len(found) == n_figures
    assert all(each["showSendToCloud"] is False for each in found)
    assert not any("plotlyServerURL" in each for each in found)
    assert html.count('"remove":["sendChartToCloud"') == n_figures


def test_a_figure_that_is_not_the_houses_cannot_be_uploaded_from_a_page_either(tmp_path):
    write_figures([go.Figure(go.Scatter(y=[1]))], tmp_path / "page.html", title="t")
    html = "\n".join(written((tmp_path / "page.html").read_text(encoding="utf-8")))
    assert [each["showSendToCloud"] for each in configurations(html)] == [False]


def test_a_figure_in_a_notebook_has_no_button_that_uploads(finished_run):
    for figure in (finished_run.plot.cka(), finished_run.plot.pairs(layer=0)):
        shown = figure._repr_mimebundle_(include=["application/vnd.plotly.v1+json"])
        bundle = shown.get("application/vnd.plotly.v1+json") or figure.to_plotly_json()
        assert set(UPLOADS) <= set(bundle["layout"]["modebar"]["remove"])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_caption_has_room_for_all_its_lines(n):
    said = " · ".join(["a" * (LINE - 10)] * n)
    figure = style(go.Figure(), title="t", caption=said, height=400)
    (note,) = figure.layout.annotations
    assert note.text.count("<br>") == n - 1
    assert note.font.size == CAPTION_SIZE >= 12
    assert figure.layout.margin.b >= BELOW + LINE_HEIGHT * n
    plot = figure.layout.height - figure.layout.margin.b
    assert plot >= 400 - BELOW - 2 * LINE_HEIGHT - 10


def test_captions_are_broken_between_their_parts():
    long, short = "x" * (LINE - 5), "y" * 4
    assert folded(f"{long} · {short}") == [long, short]
    assert folded(f"{short} · {short}<br>{short}") == [f"{short} · {short}", short]
    whole = "z" * (LINE + 50)
    assert folded(whole) == [whole]
    assert " · ".join(folded(f"{long} · {short} · {long}")) == f"{long} · {short} · {long}"
