"""A figure's numbers as rows: what is drawn, nothing else, at full precision.

Reads traces as ``probekit.figures`` makes them: a curve is preceded by its interval as a filled
outline; a heatmap is one row a cell. Linear in the points.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.figures.cells import ends_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import plotly.graph_objects as go

Row = dict[str, Any]


def figure_rows(figure: go.Figure) -> list[Row]:
    """One row a drawn point: ``panel`` and ``series`` where there are several, then its numbers."""
    rows = list(chain.from_iterable(_traces(figure)))
    for name in ("panel", "series"):
        if len({row.get(name) for row in rows}) == 1 and (name == "panel" or not rows[0][name]):
            for row in rows:
                del row[name]
    return rows


def _traces(figure: go.Figure) -> Iterator[list[Row]]:
    band: Any = None
    for trace in figure.data:
        if _is_band(trace):
            band = trace
            continue
        if trace.visible not in {None, True}:
            continue
        read = _READERS.get(trace.type)
        if read is not None:
            about = {"panel": _panel(figure, trace), "series": _plain(trace.name)}
            names = (_axis(figure, trace, "x"), _axis(figure, trace, "y"))
            yield [about | row for row in read(trace, names, band)]
        band = None


def _is_band(trace: Any) -> bool:
    return bool(trace.type == "scatter" and trace.fill == "toself" and trace.hoverinfo == "skip")


def _curve(trace: Any, names: tuple[str, str], band: Any) -> Iterator[Row]:
    x, y = _values(trace.x), _values(trace.y)
    low = high = None
    if band is not None and len(band.y) == 2 * len(y) and band.yaxis == trace.yaxis:
        edges = np.asarray(band.y)
        high, low = edges[: len(y)], edges[len(y) :][::-1]
    elif trace.error_y.array is not None and trace.error_y.arrayminus is not None:
        heights = np.asarray(y)
        high = heights + np.asarray(trace.error_y.array)
        low = heights - np.asarray(trace.error_y.arrayminus)
    for at in range(len(y)):
        row = {names[0]: _plain(x[at]) if x is not None else at, names[1]: _plain(y[at])}
        if low is not None and high is not None:
            row |= {"low": _plain(low[at]), "high": _plain(high[at])}
        yield row


def _bars(trace: Any, names: tuple[str, str], band: Any) -> Iterator[Row]:
    del band
    error = trace.error_x if trace.orientation == "h" else trace.error_y
    number = names[0] if trace.orientation == "h" else names[1]
    plus = _values(error.array) if error is not None else None
    minus = _values(error.arrayminus) if error is not None else None
    for at, (x, y) in enumerate(zip(_values(trace.x), _values(trace.y), strict=True)):
        row = {names[0]: _plain(x), names[1]: _plain(y)}
        if plus is not None:
            below = plus if minus is None else minus
            row |= {
                "low": _plain(row[number] - below[at]),
                "high": _plain(row[number] + plus[at]),
            }
        yield row


def _cells(trace: Any, names: tuple[str, str], band: Any) -> Iterator[Row]:
    del band
    table = trace.z
    x = _values(trace.x) if trace.x is not None else range(len(table[0]))
    y = _values(trace.y) if trace.y is not None else range(len(table))
    texts = trace.text if trace.text is not None else trace.customdata
    for i, values in enumerate(table):
        for j, value in enumerate(values):
            row = {names[1]: _plain(y[i]), names[0]: _plain(x[j]), "value": _plain(value)}
            row |= {name: _plain(end) for name, end in ends_of(trace.meta, i, j).items()}
            if texts is not None and isinstance(texts[i][j], str):
                row["text"] = _plain(texts[i][j])
            yield row


def _sample(trace: Any, names: tuple[str, str], band: Any) -> Iterator[Row]:
    del band
    along = trace.x if trace.x is not None else trace.y
    name = names[0] if trace.x is not None else names[1]
    for value in _values(along):
        yield {name: _plain(value)}


_READERS = {
    "scatter": _curve,
    "scattergl": _curve,
    "bar": _bars,
    "heatmap": _cells,
    "histogram": _sample,
    "box": _sample,
    "violin": _sample,
}


def _values(values: Any) -> Any:
    return values if values is None else list(values)


def _plain(value: Any) -> Any:
    """Python's own number or text; what is not finite is None."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _axis(figure: go.Figure, trace: Any, letter: str) -> str:
    """What an axis counts, in words for a column; ``layer`` for the layer axis."""
    axis = _layout_axis(figure, trace, letter)
    title = (axis.title.text or "") if axis is not None else ""
    if letter == "x" and not title:  # of stacked panels only the lowest says it
        titles = [each.title.text for each in figure.select_xaxes() if each.title.text]
        title = titles[0] if titles else ""
    if title.startswith(("layer", "block")):
        return title[:5]
    return str(title or letter)


def _panel(figure: go.Figure, trace: Any) -> str:
    """The heading above the trace's axes, where a figure has several panels."""
    axis = _layout_axis(figure, trace, "y")
    domain = getattr(axis, "domain", None) or (0, 1)
    for note in figure.layout.annotations:
        if note.yref == "paper" and note.yanchor == "bottom" and abs(note.y - domain[1]) < 1e-6:
            return str(note.text)
    return str(trace.yaxis or "")


def _layout_axis(figure: go.Figure, trace: Any, letter: str) -> Any:
    name = getattr(trace, f"{letter}axis", None) or letter
    return getattr(figure.layout, f"{letter}axis{name[1:]}", None)
