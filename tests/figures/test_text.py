"""What a run, a corpus or a model says is shown as it is: never as a link, a tag or a template."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from probekit import open_run
from probekit.errors import InputError
from probekit.figures.lens import prompt_grid
from probekit.figures.text import listed, plain, plain_labels, sentence
from probekit.logit_lens import lens
from tests.texts import parallel
from tests.tiny import tiny_subject

LINK = '<a href="javascript:alert(1)">x'
SCRIPT = "<script>alert(1)"
TEMPLATE = "%{evil}"
#: What plotly would take for markup, besides the house's own breaks and second boxes.
MARKUP = re.compile(r"<(?!br>|extra>|/extra>)|%\{evil")
#: Never shown by plotly: what a click answers, and which curves go together.
UNSEEN = {"customdata", "legendgroup", "colorscale", "template"}


def shown(node, key=""):
    """Every string of a figure that plotly may show, with the key that holds it."""
    if key in UNSEEN:
        return
    if isinstance(node, dict):
        for name, each in node.items():
            yield from shown(each, name)
    elif isinstance(node, list | tuple | np.ndarray):
        for each in node:
            yield from shown(each, key)
    elif isinstance(node, str):
        yield key, node


def markup(figure):
    return [(key, text) for key, text in shown(figure.to_dict()) if MARKUP.search(text)]


@pytest.fixture(scope="module")
def hostile(study, tmp_path_factory):
    """A run whose labels, classes, tasks, units, model, names and folder are markup."""
    made = parallel(12)
    values = tuple((LINK, SCRIPT, TEMPLATE)[at % 3] for at in range(12))
    corpus = replace(
        made,
        units=tuple(f"{(LINK, SCRIPT, TEMPLATE)[at % 3]} {at}" for at in range(12)),
        labels={SCRIPT: values, f"kind {TEMPLATE}": values[::-1]},
    )
    folder = tmp_path_factory.mktemp("hostile")
    every = study.model_copy(
        update={"corpus": str(corpus.to_jsonl(folder / "units.jsonl")), "analyses": None}
    )
    run = every.run(folder / f"{SCRIPT}{TEMPLATE}")
    said = run.manifest
    names = {code: f"{LINK}{code}" for code in run.languages}
    return replace(
        run,
        manifest=replace(
            said,
            model={**said.model, "id": f"{LINK} {TEMPLATE}"},
            corpus={**said.corpus, "names": names},
        ),
    )


@pytest.fixture(scope="module")
def codes_too(hostile):
    """The same when its very languages, and what its instruments say of themselves, are markup."""
    import xarray as xr

    codes = dict(zip(hostile.languages, (LINK, SCRIPT, TEMPLATE), strict=True))
    run = open_run(hostile.folder)
    tree = {name: _renamed(hostile.group(name), codes) for name in hostile.results.children}
    manifest = replace(
        hostile.manifest,
        corpus={**hostile.manifest.corpus, "languages": list(codes.values())},
        estimators={**hostile.manifest.estimators, "pooling": LINK},
    )
    run = replace(run, manifest=manifest)
    run.__dict__["results"] = xr.DataTree.from_dict(tree)
    return run


def _renamed(data, codes):
    data = data.load()
    coordinates = {
        axis: np.array([codes.get(str(c), str(c)) for c in data[axis].to_numpy()], dtype=object)
        for axis in ("language", "language_b", "token_language")
        if axis in data.coords
    }
    if "language_name" in data:
        coordinates["language_name"] = ("language", np.array([LINK] * 3, dtype=object))
    said = ("interval", "null", "jaccard", "types", "space", "predicts")
    attrs = {key: f"{SCRIPT}{data.attrs[key]}" for key in said if key in data.attrs}
    return data.assign_coords(coordinates).assign_attrs(attrs)


def figures(run):
    plot = run.plot
    drawn = {
        "cka": plot.cka(),
        "pairs": plot.pairs(layer=0),
        "layers": plot.layers(),
        "difference": plot.difference(run),
        "difference_by_language": plot.difference_by_language(run),
    }
    for name in plot.names():
        if name not in drawn and name != "selection":
            drawn[name] = getattr(plot, name)
    return drawn


def test_no_figure_of_a_hostile_run_has_its_markup(hostile):
    assert len(figures(hostile)) > 25
    for name, each in figures(hostile).items():
        figure = each() if callable(each) else each
        assert markup(figure) == [], name
    assert markup(hostile.plot.selection()) == []


def test_no_figure_of_a_run_with_hostile_languages_has_their_markup(codes_too):
    refused = set()
    for name, each in figures(codes_too).items():
        try:
            figure = each() if callable(each) else each
        except InputError:  # no language is called so: refusing is as safe
            refused.add(name)
            continue
        assert markup(figure) == [], name
    assert refused <= {"space_map"}


@pytest.mark.parametrize("by", ["<script>alert(1)", "kind %{evil}"])
def test_a_map_by_a_hostile_label_has_no_markup_and_still_knows_its_units(hostile, by):
    unit = str(hostile.corpus["unit"].to_numpy()[2])
    figure = hostile.plot.space_map(layer=1, by=by, unit=unit)
    assert markup(figure) == []
    assert unit in figure.data[-1].customdata
    texts = [text for _, text in shown(figure.to_dict())]
    assert any("&#37;{evil}" in text for text in texts)
    assert any('&lt;a href="javascript:' in text for text in texts)


def test_tokens_of_a_prompt_are_no_markup():
    found = prompt_grid(lens(tiny_subject(), "<b>%{evil}<a>", targets=("<",), top=3))
    assert markup(found) == []
    assert any("&lt;" in text for text in found.layout.xaxis.ticktext)


def test_every_figure_is_checked_by_a_markup_that_is_found():
    import plotly.graph_objects as go

    for text in (LINK, SCRIPT, TEMPLATE):
        assert markup(go.Figure(go.Scatter(y=[1], name=text)))
        assert markup(go.Figure(go.Scatter(y=[1], text=[text])))
        assert markup(go.Figure(layout={"title": text}))
        assert markup(go.Figure(layout={"xaxis": {"ticktext": [text]}}))
        assert not markup(go.Figure(go.Scatter(y=[1], name=plain(text))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<b>&c", "a&lt;b&gt;&amp;c"),
        ("100 % {sure}", "100 % {sure}"),
        ("%{x}", "&#37;{x}"),
        ("one\ntwo\tthree", "one⏎two⇥three"),
        ("\u202eevil\x00", "�evil�"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        (7, "7"),
    ],
)
def test_plain(text, expected):
    assert plain(text) == expected


def test_a_long_text_is_cut_before_it_is_escaped():
    assert plain("<" * 40, longest=4) == "&lt;&lt;&lt;…"
    assert sentence("a" * 200) == "a" * 200


def test_places_on_an_axis_stay_apart_when_they_are_cut():
    long = ["x" * 40 + "1", "x" * 40 + "2", "y"]
    labels = plain_labels(long)
    assert len(set(labels)) == 3
    assert labels[0].endswith("… (1)")
    assert labels[2] == "y"


def test_many_are_listed_as_the_first():
    assert listed("en") == "en"
    assert listed([f"<{at}" for at in range(4)], most=2) == "&lt;0, &lt;1, 2 more"
