"""Figures of the corpus lens language by language: curves by layer, one metric as a heatmap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from probekit.errors import InputError
from probekit.figures.cells import interval
from probekit.figures.languages import language_styles
from probekit.figures.lines import add_level
from probekit.figures.scales import null_scale
from probekit.figures.text import model_of, plain, plain_labels, sentence
from probekit.figures.theme import BAND_OPACITY, layer_axis, rgba, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run

#: Languages whose names fit into a legend; more are shown by their codes.
_NAMED = 5
ENDS = ("", "_low", "_high")


class Metric(NamedTuple):
    """A quantity by layer and language: its title, its chance level, how it is drawn and read."""

    title: str
    chance: str = ""
    log: bool = False
    less_is_more: bool = False


METRICS: dict[str, Metric] = {
    "entropy": Metric("entropy, bits", "entropy_chance", less_is_more=True),
    "kl": Metric("KL(final ‖ lens), bits", log=True),
    "agreement": Metric("agrees with the model's own argmax"),
    "log_rank": Metric(
        "rank of the true token (2 to the mean log2)",
        "log_rank_chance",
        log=True,
        less_is_more=True,
    ),
    "own_mass": Metric("probability on the text's own language", "own_mass_chance"),
}


def lens_curves(
    run: Run, *, languages: Sequence[str] | None = None, region: Sequence[int] = ()
) -> go.Figure:
    """Entropy, KL, agreement, rank of the true token and own-language mass by layer and language.

    Parameters
    ----------
    run
        A run with the analysis ``lens``.
    languages
        Those to draw; by default all.
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
    titles, rows = [metric.title for metric in METRICS.values()], len(METRICS)
    figure = make_subplots(
        rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.21 / rows, subplot_titles=titles
    )
    styles = language_styles(run.languages)
    for row, (variable, metric) in enumerate(METRICS.items(), start=1):
        for code in codes:
            line = {"colour": styles[code].colour, "dash": styles[code].dash}
            _curve(figure, data.sel(language=code), variable, line=line, row=row, n=len(codes))
        _chance(figure, data.sel(language=codes), metric, row=row)
        figure.update_yaxes(
            type="log" if metric.log else "linear",
            rangemode="normal" if metric.log else "tozero",
            dtick=1 if metric.log else None,  # decades: the panels are low
            row=row,
            col=1,
        )
    axis = layer_axis(layers_of(data))
    figure.update_xaxes({name: value for name, value in axis.items() if name != "title"})
    figure.update_xaxes(title=axis["title"], row=rows, col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    note = "<br>the last block's KL is 0 by definition and has no place on a log axis"
    said, height = caption(run, data) + note, 160 * rows + 160
    look = {"title": "What each layer would predict", "hover": "closest"}
    figure = style(figure, caption=said, height=height, region=region, **look)
    return figure.update_layout(showlegend=True)


def _curve(
    figure: go.Figure,
    data: xr.Dataset,
    variable: str,
    *,
    line: dict[str, str],
    row: int,
    n: int,
) -> None:
    """A language's curve with its band, fainter where there are many."""
    import plotly.graph_objects as go

    code, layers = str(data["language"].item()), layers_of(data)
    kept = slice(None, -1) if variable == "kl" else slice(None)
    value, low, high = (_shown(data, f"{variable}{end}")[kept] for end in ENDS)
    words = plain(data["language_name"].item())
    name = plain(code) if n > _NAMED else words
    group = {"legendgroup": code}
    band = go.Scatter(
        x=[*layers[kept], *reversed(layers[kept])],
        y=np.concatenate([high, low[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=rgba(line["colour"], min(BAND_OPACITY, 0.6 / n)),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        **group,
    )
    curve = go.Scatter(
        x=layers[kept],
        y=value,
        name=name,
        mode="lines",
        line={"color": line["colour"], "width": 1.8, "dash": line["dash"]},
        text=hover_texts(words, (value, low, high), n=positions_of(data)),
        hovertemplate="%{text}<extra></extra>",
        showlegend=row == 1,
        **group,
    )
    figure.add_traces([band, curve], rows=row, cols=1)


def _shown(data: xr.Dataset, variable: str) -> np.ndarray:
    """Values as drawn: a mean log2 rank as a rank."""
    values: np.ndarray = data[variable].to_numpy()
    return np.exp2(values) if variable.startswith("log_rank") else values


def _chance(figure: go.Figure, data: xr.Dataset, metric: Metric, *, row: int) -> None:
    """The level of random vectors; of own mass the mean of the languages that are drawn."""
    if not metric.chance:
        return
    values = _shown(data, metric.chance)
    name = "random vectors"
    if values.ndim > 1:
        values = values.mean(axis=1)
    add_level(figure, layers_of(data), values, name=name, cell={"row": row, "col": 1})
    figure.data[-1].update(showlegend=row == 1, legendgroup="chance")


def lens_heatmap(
    run: Run,
    *,
    metric: str = "agreement",
    languages: Sequence[str] | None = None,
    region: Sequence[int] = (),
) -> go.Figure:
    """One quantity of the lens over layers and languages, the lightest colour at chance.

    Parameters
    ----------
    run
        A run with the analysis ``lens``.
    metric
        One of ``METRICS``; a rank is shown as its mean log2.
    languages
        Those to draw; by default all.
    region
        Blocks to mark.

    Raises
    ------
    InputError
        No such metric, or the run has no such language.
    """
    if metric not in METRICS:
        msg = f"metric must be one of {', '.join(METRICS)}. Got {metric!r} instead."
        raise InputError(msg)
    data = run.group("lens")
    codes = chosen_languages(data, languages)
    title = "mean log2 rank of the true token" if metric == "log_rank" else METRICS[metric].title
    figure, told = _cells(data, metric, codes)
    figure.update_xaxes(layer_axis(layers_of(data)), showgrid=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return style(
        figure,
        title=f"Logit lens: {title}",
        caption=caption(run, data) + told,
        height=heatmap_height(len(codes)) + 120,
        hover="closest",
        region=region,
    )


def _cells(data: xr.Dataset, metric: str, codes: list[str]) -> tuple[go.Figure, str]:
    """The cells of a heatmap, and what there is to say of their colours."""
    import plotly.graph_objects as go

    here = [data.sel(language=code) for code in codes]
    cells = np.stack([each[metric].to_numpy() for each in here])
    scale, told = _chance_scale(data.sel(language=codes), metric, cells)
    heat = go.Heatmap(
        z=cells,
        x=layers_of(data),
        y=plain_labels(codes),  # names are too long for the axis
        text=[_cell_texts(each, metric) for each in here],
        meta=interval(*(np.stack([each[f"{metric}{end}"] for each in here]) for end in ENDS[1:])),
        hovertemplate="%{text}<br>layer %{x}<extra></extra>",
        **scale,
    )
    return go.Figure(heat), told


def _chance_scale(data: xr.Dataset, metric: str, cells: np.ndarray) -> tuple[dict[str, Any], str]:
    """Colours around chance, and the words for it; without a chance level a plain scale."""
    held = METRICS[metric].chance
    if not held:
        return {"colorscale": "Viridis"}, ""
    chance = float(data[held].mean())
    low, high = float(cells.min()), float(cells.max())
    scale = null_scale(low, high, null=chance, less_is_more=METRICS[metric].less_is_more)
    return scale, f" · lightest colour: their mean ({chance:.3g}), hover has the cell's own"


def _cell_texts(data: xr.Dataset, metric: str) -> list[str]:
    """What hover says of a language's row."""
    ends = [data[f"{metric}{end}"].to_numpy() for end in ENDS]
    texts = hover_texts(plain(data["language_name"].item()), ends, n=positions_of(data))
    held = METRICS[metric].chance
    if not held:
        return texts
    chance = data[held].to_numpy()
    return [f"{text}, chance {level:.3g}" for text, level in zip(texts, chance, strict=True)]


def heatmap_height(n: int) -> int:
    """Height in pixels of a heatmap of ``n`` languages."""
    return 130 + max(24, min(28, 1400 // max(1, n)) if n < 60 else 14) * n


def chosen_languages(data: xr.Dataset, languages: Sequence[str] | None) -> list[str]:
    """Languages to draw, in the run's order."""
    known = [str(code) for code in data["language"].to_numpy()]
    asked = known if languages is None else list(languages)
    wrong = [code for code in asked if code not in known]
    if wrong or not asked:
        msg = f"languages must be some of {', '.join(known)}. Got {', '.join(wrong) or 'none'!r}."
        raise InputError(msg)
    return [code for code in known if code in asked]


def layers_of(data: xr.Dataset) -> list[int]:
    """−1 (the embedding), then the blocks."""
    return [int(layer) for layer in data["layer"].to_numpy()]


def positions_of(data: xr.Dataset) -> int:
    """Positions that were read in a language."""
    return int(data["n_positions"])


def hover_texts(name: str, ends: Sequence[np.ndarray], *, n: int) -> list[str]:
    """What hover says: value, interval where there is one, positions."""
    rows = zip(*ends, strict=True)
    tail = f", n = {n}"
    return [f"{name}: {value:.3g}{_interval(*interval)}{tail}" for value, *interval in rows]


def _interval(*ends: float) -> str:
    return f" [{ends[0]:.3g}, {ends[1]:.3g}]" if ends else ""


def caption(run: Run, data: xr.Dataset) -> str:
    """What made the numbers: model, positions, intervals, chance."""
    low, high = int(data["n_positions"].min()), int(data["n_positions"].max())
    n = str(low) if low == high else f"{low} to {high}"
    return (
        f"{model_of(run)} · predicts {sentence(data.attrs['predicts'])} · {n} positions a "
        f"language · interval: {run.manifest.estimators['bootstrap']} bootstrap resamples of units"
        f"<br>dotted: {data.attrs['n_random_vectors']} random vectors of the same norms, through "
        "the same norm and unembedding"
    )
