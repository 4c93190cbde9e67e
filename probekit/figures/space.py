"""A map of all texts of a layer: one point a text, lines between the translations of a unit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.figures.alignment import about, layer_name
from probekit.figures.languages import DASHES, MARKERS, PALETTE, LanguageStyle, language_styles
from probekit.figures.meet_measures import chosen_languages
from probekit.figures.text import plain, plain_labels, sentence
from probekit.figures.theme import GREY, INK, style
from probekit.runs.maps import NO_CLASS, TextMap, classes_of, text_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from probekit.runs import Run

#: More points than this are not drawn, but units evenly spaced; and the figure says so.
MOST_POINTS = 2500
#: A legend of more names than this would cover the figure.
MOST_NAMES = 24


def space_map(
    run: Run,
    *,
    layer: int | None = None,
    method: str = "pca",
    centred: bool = False,
    by: str = "language",
    unit: str = "",
    languages: Sequence[str] = (),
    legend: bool = True,
) -> go.Figure:
    """Every text of a layer in a plane, coloured by language or by a label.

    Parameters
    ----------
    run
        A run with the analysis ``geometry``.
    layer
        −1 is the embedding; by default the block where languages lie nearest to each other.
    method, centred
        As of :func:`probekit.runs.maps.text_map`.
    by
        What colours tell apart: ``language``, ``script``, ``family`` or a label of the corpus.
    unit
        Its translations are joined.
    languages, legend
        Those to draw (the axes are those of all); whether to name the colours.

    Raises
    ------
    InputError, RunError
        As `text_map`, or no such unit or language.
    """
    import plotly.graph_objects as go

    layer = nearest_block(run) if layer is None else layer
    found = text_map(run, layer=layer, method=method, centred=centred, by=by)
    rows = [run.languages.index(code) for code in chosen_languages(run, languages)]
    units = _shown_units(found, unit, n_languages=len(rows))
    figure = go.Figure()
    _classes(figure, run, found, by=by, at=(rows, units))
    if unit:
        _join(figure, run, found, unit=unit, rows=rows)
    _plane(figure, found, names=len(figure.data) * legend)
    kind = "each language on its own mean" if centred else "as they lie"
    title = f"All texts at {layer_name(layer)}, {kind}, by {plain(by)}"
    caption = _caption(run, found, units)
    return style(figure, title=title, caption=caption, height=620, hover="closest")


def _caption(run: Run, found: TextMap, units: np.ndarray) -> str:
    """What the axes are; and how many units are drawn, where they are not all."""
    every = len(units) == len(found.units)
    some = "" if every else f" · {len(units)} of {len(found.units)} units drawn, evenly spaced"
    return about(run, sentence(found.said) + some, interval=False)


def _classes(
    figure: go.Figure, run: Run, found: TextMap, *, by: str, at: tuple[list[int], np.ndarray]
) -> None:
    """The texts at these languages and units, a trace a class."""
    rows, units = at
    classes = classes_of(run, by)[np.ix_(rows, _in_run(run, found)[units])]
    looks = class_styles(run, by)
    places = {name: classes == name for name in looks}
    figure.add_traces(
        [
            _points(run, found, name, looks=looks[name], at=(rows, units, here))
            for name, here in places.items()
            if here.any()
        ]
    )


def nearest_block(run: Run) -> int:
    """The block where the means of languages lie nearest for their spread."""
    blocks = run.group("geometry")["fisher"].sel(layer=slice(0, None))
    return int(blocks["layer"][int(blocks.to_numpy().argmin())])


def _shown_units(found: TextMap, unit: str, *, n_languages: int) -> np.ndarray:
    """Places of the units that are drawn; the chosen one is always among them."""
    n = len(found.units)
    most = max(1, MOST_POINTS // n_languages)
    places = set(np.linspace(0, n - 1, min(n, most)).round().astype(int).tolist())
    if unit:
        if unit not in found.units:
            msg = f"unit must be one of those on the map. Got {unit!r} instead."
            raise InputError(msg)
        places.add(found.units.index(unit))
    return np.array(sorted(places))


def _in_run(run: Run, found: TextMap) -> np.ndarray:
    """Places in the corpus of the units of a map."""
    ids = {str(name): at for at, name in enumerate(run.group("projection")["unit"].to_numpy())}
    return np.array([ids[unit] for unit in found.units])


def class_styles(run: Run, by: str) -> dict[str, LanguageStyle]:
    """Class → look; of a language its own, of others by how common they are."""
    if by == "language":
        return language_styles(run.languages)
    counts = Counter(str(name) for name in classes_of(run, by).ravel())
    counts.pop(NO_CLASS, None)
    known = sorted(counts, key=lambda name: (-counts[name], name))
    looks = {
        name: LanguageStyle(
            PALETTE[at % len(PALETTE)],
            MARKERS[(at + at // len(PALETTE)) % len(MARKERS)],
            DASHES[0],
        )
        for at, name in enumerate(known)
    }
    return looks | {NO_CLASS: LanguageStyle(GREY, "circle-open", DASHES[0])}


def _points(
    run: Run,
    found: TextMap,
    name: str,
    *,
    looks: LanguageStyle,
    at: tuple[list[int], np.ndarray, np.ndarray],
) -> go.Scatter:
    """The texts of one class; each knows its unit."""
    import plotly.graph_objects as go

    rows, units, here = at
    languages, places = np.nonzero(here)
    points = found.points[np.array(rows)[languages], units[places]]
    ids = np.array(found.units)[units[places]]  # arrays: plotly checks lists one by one
    shown = np.array([plain(unit, longest=80) for unit in found.units])[units[places]]
    codes = np.array(plain_labels(run.languages))[np.array(rows)[languages]]
    told = np.char.add(np.char.add(codes, ", "), shown)
    return go.Scatter(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        name=plain(name),
        marker={"size": 5, "opacity": 0.65, "color": looks.colour, "symbol": looks.symbol},
        customdata=ids,
        text=told,
        hovertemplate=f"%{{text}}<extra>{plain(name)}</extra>",
    )


def _join(figure: go.Figure, run: Run, found: TextMap, *, unit: str, rows: list[int]) -> None:
    """The translations of a unit: rings with their codes, and a line from each to their middle."""
    import plotly.graph_objects as go

    points = found.points[rows, found.units.index(unit)]
    middle = points.mean(axis=0).tolist()
    styles = language_styles(run.languages)
    codes = [run.languages[row] for row in rows]
    figure.layout.shapes = [
        {
            "type": "line",
            "line": {"color": styles[code].colour, "width": 1.5},
            **dict(zip(("x0", "y0", "x1", "y1"), (*middle, *point), strict=True)),
        }
        for code, point in zip(codes, points.tolist(), strict=True)
    ]
    figure.add_trace(
        go.Scatter(
            x=points[:, 0],
            y=points[:, 1],
            mode="markers+text",
            name=plain(unit),
            text=plain_labels(codes),
            textposition="top center",
            textfont={"size": 12, "color": INK},
            cliponaxis=False,
            customdata=[unit] * len(codes),
            marker={
                "size": 10,
                "color": [styles[code].colour for code in codes],
                "symbol": [styles[code].symbol for code in codes],
                "line": {"color": INK, "width": 1.5},
            },
            hovertemplate=f"%{{text}}, {plain(unit, longest=80)}<extra>chosen unit</extra>",
        )
    )


def _plane(figure: go.Figure, found: TextMap, *, names: int) -> None:
    """Axes of equal steps where steps mean something; a legend where it can be read."""
    x, y = found.titles
    scale: dict[str, Any] = {"scaleanchor": "x"} if found.to_scale else {}
    figure.update_layout(
        xaxis={"title": sentence(x), "zeroline": False},
        yaxis={"title": sentence(y), "zeroline": False, **scale},
        showlegend=1 < names <= MOST_NAMES,
    )
