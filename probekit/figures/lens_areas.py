"""On which language's tokens a layer's probability lies, as areas: a panel for each language.

Areas show every language's tokens at once and so no intervals; hover and the table say them, and
``lens_curves`` has the own language's share with its band.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from probekit.figures.languages import language_styles
from probekit.figures.lens_languages import (
    ENDS,
    caption,
    chosen_languages,
    hover_texts,
    layers_of,
    positions_of,
)
from probekit.figures.lines import add_level
from probekit.figures.text import plain, plain_labels
from probekit.figures.theme import GREY, head_room, layer_axis, rgba, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

#: Areas of one panel, undetermined not counted; panels of one figure; panels in a row.
MOST_AREAS, MOST_PANELS, _COLUMNS = 12, 12, 4
_UNDETERMINED = "undetermined"


def mass_areas(
    run: Run, *, languages: Sequence[str] | None = None, region: Sequence[int] = ()
) -> go.Figure:
    """On which language's tokens each layer puts its probability: areas that sum to 1.

    The text's own language lies at the bottom of its panel, tokens of no one language at the top.
    Of more than ``MOST_AREAS`` languages those with the least mass are drawn as one.

    Parameters
    ----------
    run
        A run with the analysis ``lens``.
    languages
        Languages of the texts; by default all. The first ``MOST_PANELS`` are drawn.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        The run has no such language.
    """
    from plotly.subplots import make_subplots

    data = run.group("lens")
    codes = chosen_languages(data, languages)
    shown = codes[:MOST_PANELS]
    columns = min(_COLUMNS, len(shown))
    rows = ceil(len(shown) / columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=plain_labels(data["language_name"].sel(language=shown).values),
        shared_yaxes=True,
        horizontal_spacing=0.02,
        vertical_spacing=0.18 / rows,
    )
    colours = {code: each.colour for code, each in language_styles(run.languages).items()}
    for at, code in enumerate(shown):
        cell = {"row": at // columns + 1, "col": at % columns + 1}
        _areas(figure, data.sel(language=code), colours=colours, cell=cell)
    figure.update_xaxes(_few_ticks(layers_of(data), columns), zeroline=False)
    figure.update_yaxes(range=[0, 1], dtick=0.25 if columns == 1 else 0.5)
    figure.update_annotations(font_size=13)
    said = caption(run, data) + _mass_note(data, left_out=len(codes) - len(shown))
    title = "On which language's tokens a layer's probability lies"
    height = areas_height(len(codes)) + 110
    figure = style(figure, title=title, caption=said, height=height, hover="closest", region=region)
    return head_room(figure.update_layout(showlegend=True))


def areas_height(n: int) -> int:
    """Height in pixels that ``n`` panels of areas need."""
    rows = ceil(min(n, MOST_PANELS) / _COLUMNS)
    return 380 if rows == 1 else 100 + 190 * rows


def _areas(
    figure: go.Figure, data: xr.Dataset, *, colours: dict[str, str], cell: dict[str, Any]
) -> None:
    """One panel: own language, the others by mass, the rest, undetermined; and the own by chance.

    The embedding of tied weights, for one, puts most of its mass on what it reads.
    """
    own, layers = str(data["language"].item()), layers_of(data)
    for code, parts in _stacked(data, own).items():
        colour = rgba(colours.get(code, GREY), 0.85 if code in colours else 0.28)
        _area(figure, layers, parts, name=plain(code), colour=colour, cell=cell, of=data)
    add_level(figure, layers, data["own_mass_chance"].to_numpy(), name="own, by chance", cell=cell)
    seen = {trace.name for trace in figure.data[:-1]}
    figure.data[-1].update(legendgroup="chance", showlegend="own, by chance" not in seen)


def _stacked(data: xr.Dataset, own: str) -> dict[str, tuple[np.ndarray, ...]]:
    """Token language → mass, low, high by layer, in the order in which they are stacked."""
    codes = [str(code) for code in data["token_language"].to_numpy() if code != _UNDETERMINED]
    by_mass = sorted(codes, key=lambda code: -float(data["mass"].sel(token_language=code).mean()))
    kept = {own, *by_mass[: MOST_AREAS - 1]} if len(codes) > MOST_AREAS else set(codes)
    order = [own, *(code for code in codes if code in kept and code != own)]
    rest = [code for code in codes if code not in kept]
    ends = {code: tuple(_of(data, code, end) for end in ENDS) for code in [*order, _UNDETERMINED]}
    if rest:  # intervals of a sum are not the sum of intervals
        ends["others"] = (data["mass"].sel(token_language=rest).sum("token_language").to_numpy(),)
        ends[_UNDETERMINED] = ends.pop(_UNDETERMINED)
    return ends


def _of(data: xr.Dataset, code: str, end: str) -> np.ndarray:
    values: np.ndarray = data[f"mass{end}"].sel(token_language=code).to_numpy()
    return values


def _area(
    figure: go.Figure,
    layers: list[int],
    parts: tuple[np.ndarray, ...],
    *,
    name: str,
    colour: str,
    cell: dict[str, Any],
    of: xr.Dataset,
) -> None:
    import plotly.graph_objects as go

    is_new = name not in {trace.name for trace in figure.data}
    said = f"on tokens of {name}"
    who = plain(of["language_name"].item())
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=parts[0],
            name=name,
            mode="lines",
            stackgroup="mass",
            line={"width": 0.5, "color": colour},
            fillcolor=colour,
            text=[
                f"{who}, layer {'emb' if layer < 0 else layer}: {text}"
                for layer, text in zip(
                    layers, hover_texts(said, parts, n=positions_of(of)), strict=True
                )
            ],
            hovertemplate="%{text}<extra></extra>",
            legendgroup=name,
            showlegend=is_new,
        ),
        **cell,
    )


def _few_ticks(layers: list[int], columns: int) -> dict[str, Any]:
    """The layer axis of small panels: the embedding and about four blocks."""
    axis = layer_axis(layers) | {"tickangle": 0}
    if columns == 1:
        return axis
    blocks = list(range(0, layers[-1] + 1, max(1, round(len(layers) / 4))))[1:]
    names = ["emb", *map(str, blocks)]
    return axis | {"title": None, "tickvals": [-1, *blocks], "ticktext": names}


def _mass_note(data: xr.Dataset, *, left_out: int) -> str:
    counts = data["class_tokens"].to_numpy()
    share = counts[-1] / counts.sum()
    more = f" · {left_out} further languages chosen, not drawn" if left_out else ""
    return f"<br>undetermined: {share:.0%} of the vocabulary, unseen in the corpus or shared{more}"
