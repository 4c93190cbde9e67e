"""Figures of the logit lens: one prompt as a grid; a corpus by layer and by language."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.figures.lens_areas import mass_areas
from probekit.figures.lens_languages import caption, lens_curves, lens_heatmap
from probekit.figures.lines import add_curve, add_level
from probekit.figures.text import plain, plain_labels, sentence
from probekit.figures.theme import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    head_room,
    layer_axis,
    rgba,
    style,
)
from probekit.logit_lens.token_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.logit_lens import PromptLens
    from probekit.runs import Run

_CELL = 9  # characters of a token in the grid
_COLUMNS = 4  # small panels in a row

#: Panel → (variable, title, colour, whether a random vector has it too).
_PANELS = (
    ("entropy", "entropy, bits", BLUE, True),
    ("kl", "KL(final ‖ lens), bits", VERMILION, False),
    ("log_rank", "rank of the true token (2 to the mean log2)", PURPLE, True),
    ("own_mass", "probability on tokens of the text's own language", GREEN, True),
)


def prompt_grid(lens: PromptLens) -> go.Figure:
    """Best token of every layer and position, coloured by entropy; last block on top.

    A frame marks where a layer already says what the model will say. Hover gives entropy, KL, rank
    and probability of the final token and of the targets, and the best tokens with their ids.

    Parameters
    ----------
    lens
        From :func:`probekit.logit_lens.lens`.
    """
    import plotly.graph_objects as go

    columns = [f"{p} {plain(visible(lens.tokens[p]))}" for p in lens.positions]
    shape = range(len(lens.layers)), range(len(lens.positions))
    figure = go.Figure(
        go.Heatmap(
            z=lens.entropy,
            x=list(shape[1]),
            y=list(lens.layers),
            text=[[_short(lens, row, column) for column in shape[1]] for row in shape[0]],
            texttemplate="%{text}",
            customdata=[[_details(lens, row, column) for column in shape[1]] for row in shape[0]],
            hovertemplate="%{customdata}<extra></extra>",
            colorscale="Viridis",
            zmin=0,
            zmax=float(np.log2(lens.vocabulary)),
            colorbar={"title": "entropy,<br>bits"},
        )
    )
    _frame_agreements(figure, lens)
    axis = layer_axis(list(lens.layers))
    figure.update_yaxes({**axis, "title": "layer"})
    figure.update_xaxes(tickmode="array", tickvals=list(shape[1]), ticktext=columns, title="token")
    kind = "tuned lens" if lens.tuned else "logit lens"
    what = "next token" if lens.predicts == "next" else "token itself"
    said = (
        f"{sentence(lens.model)} · {kind} · best {what} of every layer · framed: already the "
        f"model's own argmax<br>one text, so no interval · "
        f"entropy at most {np.log2(lens.vocabulary):.1f} bits"
    )
    height = 190 + 26 * len(lens.layers)
    figure = style(figure, title="What each layer would say", caption=said, height=height)
    figure.update_layout(hovermode="closest", width=max(560, 150 + 92 * len(columns)))
    return figure


def _short(lens: PromptLens, row: int, column: int) -> str:
    return plain(visible(lens.names[int(lens.top_ids[row, column, 0])]), longest=_CELL)


def _details(lens: PromptLens, row: int, column: int) -> str:
    layer = lens.layers[row]
    final = int(lens.final_ids[column])
    lines = [
        f"{'embedding' if layer < 0 else f'block {layer}'}, position {lens.positions[column]}",
        f"entropy {lens.entropy[row, column]:.2f} bits, KL {lens.kl[row, column]:.2f} bits",
        f"final {_named(lens, final)}: rank {lens.final_rank[row, column]:,}, "
        f"p {lens.final_probability[row, column]:.3f}",
    ]
    lines += [
        f"target {plain(scores.target.text)}: rank {scores.rank[row, column]:,}, "
        f"p {scores.probability[row, column]:.3f}"
        for scores in lens.targets
    ]
    best = zip(lens.top_ids[row, column], lens.top_probability[row, column], strict=True)
    lines += [f"{share:.3f} {_named(lens, int(number))}" for number, share in best]
    return "<br>".join(lines)


def _named(lens: PromptLens, number: int) -> str:
    return f"{plain(visible(lens.names[number]))} (id {number})"


def _frame_agreements(figure: go.Figure, lens: PromptLens) -> None:
    for row, column in np.argwhere(lens.final_rank == 1):
        x, y = int(column), lens.layers[int(row)]
        line = {"color": ORANGE, "width": 2}
        corners = {"x0": x - 0.48, "x1": x + 0.48, "y0": y - 0.46, "y1": y + 0.46}
        figure.add_shape(type="rect", line=line, **corners)


def lens_by_layer(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """Entropy, divergence, rank of the true token and own-language mass by layer.

    Bold: mean over languages with its interval; thin: every language; dotted: random vectors.

    Parameters
    ----------
    run
        A run with the analysis ``lens``.
    region
        Blocks to mark.
    """
    from plotly.subplots import make_subplots

    data = run.group("lens")
    titles = [title for _, title, _, _ in _PANELS]
    figure = make_subplots(
        rows=2, cols=2, subplot_titles=titles, vertical_spacing=0.13, horizontal_spacing=0.09
    )
    for at, (variable, _, colour, has_floor) in enumerate(_PANELS):
        cell = {"row": at // 2 + 1, "col": at % 2 + 1}
        _curves(figure, data, variable, colour=colour, cell=cell)
        if has_floor:
            _floor(figure, data, variable, cell=cell)
    layers = [int(layer) for layer in data["layer"].to_numpy()]
    figure.update_xaxes(layer_axis(layers))
    figure.update_yaxes(rangemode="tozero")
    for row, col in ((1, 2), (2, 1)):
        figure.update_yaxes(type="log", rangemode="normal", row=row, col=col)
    figure.update_annotations(font_size=13)
    note = "<br>the last block's KL is 0 by definition and has no place on a log axis"
    figure = style(
        figure,
        title="What each layer would predict",
        caption=caption(run, data) + note,
        height=760,
        region=region,
    )
    figure.update_layout(hovermode="closest", showlegend=False)
    return figure


def _shown(values: np.ndarray, variable: str) -> np.ndarray:
    """As drawn: mean log ranks as ranks; a KL of 0 is left out of its log axis."""
    shown: np.ndarray = np.exp2(values) if variable == "log_rank" else values
    return np.where(shown > 0, shown, np.nan) if variable == "kl" else shown


def _curves(
    figure: go.Figure, data: xr.Dataset, variable: str, *, colour: str, cell: dict[str, Any]
) -> None:
    import plotly.graph_objects as go

    layers = [int(layer) for layer in data["layer"].to_numpy()]
    for code in data["language"].to_numpy():
        here = data.sel(language=code)
        ends = [_shown(here[f"{variable}{end}"].to_numpy(), variable) for end in _ENDS]
        n = int(here["n_positions"])
        figure.add_trace(
            go.Scatter(
                x=layers,
                y=ends[0],
                mode="lines",
                line={"color": rgba(GREY, 0.45), "width": 1},
                text=_texts(plain(code), ends, n),
                hovertemplate="%{text}<extra></extra>",
                name=plain(code),
            ),
            **cell,
        )
    kept = slice(None, -1) if variable == "kl" else slice(None)
    value, low, high = (
        _shown(data[f"{variable}_mean{end}"].to_numpy(), variable)[kept] for end in _ENDS
    )
    add_curve(
        figure,
        layers[kept],
        value,
        name="mean over languages",
        colour=colour,
        interval=(low, high),
        n=int(data.attrs["n_positions"]),
        cell=cell,
    )


_ENDS = ("", "_low", "_high")


def _texts(name: str, ends: list[np.ndarray], n: int) -> list[str]:
    rows = zip(*ends, strict=True)
    return [f"{name}: {value:.3g} [{low:.3g}, {high:.3g}], n = {n}" for value, low, high in rows]


def _floor(figure: go.Figure, data: xr.Dataset, variable: str, *, cell: dict[str, Any]) -> None:
    name = "own_mass_mean_chance" if variable == "own_mass" else f"{variable}_chance"
    layers = [int(layer) for layer in data["layer"].to_numpy()]
    values = _shown(data[name].to_numpy(), variable)
    add_level(figure, layers, values, name="random vectors", cell=cell)


def language_mass(run: Run, *, pivot: str | None = None, region: Sequence[int] = ()) -> go.Figure:
    """On which language's tokens each layer puts its probability, a panel for each language.

    Parameters
    ----------
    run
        A run with the analysis ``lens``.
    pivot
        The language drawn in every panel beside its own; English where the corpus has it, else the
        one with the largest mass in the texts of others.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        The run has no such language.
    """
    from plotly.subplots import make_subplots

    data = run.group("lens")
    codes = [str(code) for code in data["language"].to_numpy()]
    pivot = _pivot(data, codes, pivot)
    columns = min(_COLUMNS, len(codes))
    rows = ceil(len(codes) / columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=plain_labels(data["language_name"].to_numpy()),
        shared_yaxes=True,
        shared_xaxes=True,
        horizontal_spacing=0.02,
        vertical_spacing=0.16 / rows,
    )
    for at, code in enumerate(codes):
        cell = {"row": at // columns + 1, "col": at % columns + 1}
        _mass_panel(figure, data.sel(language=code), pivot=pivot, cell=cell)
    figure.update_xaxes(_small_axis([int(layer) for layer in data["layer"].to_numpy()]))
    figure.update_yaxes(range=[0, 1])
    figure.update_annotations(font_size=12)
    figure = style(
        figure,
        title=f"On which language's tokens a layer's probability lies (pivot: {plain(pivot)})",
        caption=caption(run, data) + _mass_note(data),
        height=190 + 190 * rows,
        region=region,
    )
    figure.update_layout(hovermode="closest", showlegend=True)
    return head_room(figure)


def _small_axis(layers: list[int]) -> dict[str, Any]:
    """The layer axis of a small panel: the embedding and about four blocks."""
    axis = layer_axis(layers)
    blocks = list(range(0, layers[-1] + 1, max(1, round(len(layers) / 4))))
    names = ["emb", *map(str, blocks[1:])]
    return axis | {"title": None, "tickvals": [-1, *blocks[1:]], "ticktext": names, "tickangle": 0}


def _pivot(data: xr.Dataset, codes: list[str], pivot: str | None) -> str:
    if pivot is not None:
        if pivot not in codes:
            msg = f"pivot must be one of {', '.join(codes)}. Got {pivot!r} instead."
            raise InputError(msg)
        return pivot
    if "en" in codes:
        return "en"
    mass = data["mass"].mean("layer").to_numpy()[:, :-1]
    return codes[int((mass.sum(axis=0) - np.diagonal(mass)).argmax())]


def _mass_panel(figure: go.Figure, data: xr.Dataset, *, pivot: str, cell: dict[str, Any]) -> None:
    """Own language, pivot, undetermined, and the chance of the own."""
    own = str(data["language"].item())
    layers = [int(layer) for layer in data["layer"].to_numpy()]
    drawn = [("own language", own, GREEN), (f"pivot ({plain(pivot)})", pivot, BLUE)]
    drawn.append(("undetermined", "undetermined", ORANGE))
    for name, token_language, colour in drawn:
        if name.startswith("pivot") and token_language == own:
            continue
        here = data.sel(token_language=token_language)
        value, low, high = (here[f"mass{end}"].to_numpy() for end in _ENDS)
        add_curve(
            figure,
            layers,
            value,
            name=name,
            colour=colour,
            interval=(low, high),
            n=int(data["n_positions"]),
            cell=cell,
        )
    add_level(figure, layers, data["own_mass_chance"].to_numpy(), name="own, by chance", cell=cell)
    _one_legend(figure)


def _one_legend(figure: go.Figure) -> None:
    """Each name once in the legend, whatever the number of panels."""
    seen: set[str] = set()
    for trace in figure.data:
        if trace.showlegend is False and trace.legendgroup is None:  # a band
            continue
        trace.legendgroup = trace.name
        trace.showlegend = trace.name not in seen
        trace.marker.size = 3
        seen.add(trace.name)


def _mass_note(data: xr.Dataset) -> str:
    counts = data["class_tokens"].to_numpy()
    share = counts[-1] / counts.sum()
    truth = data["own_share_of_truth"].to_numpy()
    return (
        f"<br>undetermined: {share:.0%} of the vocabulary, unseen in the corpus or shared · "
        f"{truth.min():.0%} to {truth.max():.0%} of the true tokens are their language's own"
    )


FIGURES: dict[str, Callable[..., go.Figure]] = {
    "lens": lens_by_layer,
    "language_mass": language_mass,
    "lens_curves": lens_curves,
    "mass_areas": mass_areas,
    "lens_heatmap": lens_heatmap,
}
