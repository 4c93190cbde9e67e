"""Figure of the concept lens: probability by layer on the target word, its English, its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.corpora.languages import no_such_language
from probekit.figures.lines import add_curve, add_level
from probekit.figures.text import plain, sentence
from probekit.figures.theme import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    layer_axis,
    rgba,
    style,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import xarray as xr

_MASSES = (
    ("target", "target language", BLUE),
    ("english", "English", VERMILION),
    ("source", "source language", ORANGE),
)
_BELOW = (("entropy", "entropy, bits", PURPLE), ("energy", "energy", GREEN))


def concept_curves(results: xr.Dataset, *, language: str | None = None) -> go.Figure:
    """Masses by layer with their intervals; below, entropy and energy.

    Dashed: the same beginnings asked of the other words of the language, which knows the language
    and not the concept. Dotted: what random vectors of the same length get. Thin, where the mean is
    shown: every language's target mass.

    Parameters
    ----------
    results
        ``ConceptLens.results``.
    language
        One language; None: the mean over all.

    Raises
    ------
    LanguageError
        The results have no such language.
    """
    from plotly.subplots import make_subplots

    known = [str(code) for code in results["language"].to_numpy()]
    if language is not None and language not in known:
        raise no_such_language(language, known)
    titles = ["probability on the beginnings of the word", *(title for _, title, _ in _BELOW)]
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"colspan": 2}, None], [{}, {}]],
        row_heights=[0.64, 0.36],
        vertical_spacing=0.12,
        horizontal_spacing=0.09,
        subplot_titles=titles,
    )
    _mass_panel(figure, results, language)
    _lower_panels(figure, results, language)
    figure.update_xaxes(layer_axis([int(layer) for layer in results["layer"].to_numpy()]))
    figure.update_xaxes(title="", row=1, col=1)
    figure.update_yaxes(rangemode="tozero")
    figure.update_annotations(font_size=13)
    figure = style(
        figure, title=_title(results, language), caption=_caption(results, language), height=760
    )
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.18, "yanchor": "top"}
    figure.update_layout(legend=legend, hovermode="closest", margin={"b": 160, "t": 70})
    for _, title, _ in _BELOW:  # a panel of its own, with its name above
        figure.update_traces(showlegend=False, selector={"name": title})
    return figure


def _curve(results: xr.Dataset, name: str, language: str | None) -> np.ndarray:
    """A variable over layers, of one language or the mean."""
    if language is None:
        mean, _, end = name.partition("|")
        return results[f"{mean}_mean{end}"].to_numpy()
    return results[name.replace("|", "")].sel(language=language).to_numpy()


def _with_interval(
    figure: go.Figure,
    results: xr.Dataset,
    variable: str,
    language: str | None,
    **look: Any,
) -> None:
    low, high = (_curve(results, f"{variable}|{end}", language) for end in ("_low", "_high"))
    n = results["n_prompts"] if language is None else results["n_prompts"].sel(language=language)
    add_curve(
        figure,
        [int(layer) for layer in results["layer"].to_numpy()],
        _curve(results, variable, language),
        interval=(low, high),
        n=int(n.sum()),
        **look,
    )


def _mass_panel(figure: go.Figure, results: xr.Dataset, language: str | None) -> None:
    cell = {"row": 1, "col": 1}
    layers = [int(layer) for layer in results["layer"].to_numpy()]
    if language is None:
        _languages(figure, results, layers, cell=cell)
    floors = []
    for name, title, colour in _MASSES:
        if name not in results:
            continue
        _with_interval(figure, results, name, language, name=title, colour=colour, cell=cell)
        other = f"{name}_other"
        if other in results:
            label = f"{title}, other words"
            values = _curve(results, other, language)
            add_curve(figure, layers, values, name=label, colour=colour, dash="dash", cell=cell)
        floors.append(_curve(results, f"{name}_chance", language))
    floor = np.max(floors, axis=0)
    add_level(figure, layers, floor, name="random vectors (largest of the sets)", cell=cell)


def _languages(
    figure: go.Figure, results: xr.Dataset, layers: list[int], *, cell: dict[str, Any]
) -> None:
    import plotly.graph_objects as go

    for code in results["language"].to_numpy():
        here = results.sel(language=code)
        ends = [here[f"target{end}"].to_numpy() for end in ("", "_low", "_high")]
        n = int(here["n_prompts"])
        figure.add_trace(
            go.Scatter(
                x=layers,
                y=ends[0],
                mode="lines",
                line={"color": rgba(GREY, 0.4), "width": 1},
                text=[
                    f"{plain(code)} {value:.3f} [{low:.3f}, {high:.3f}], n = {n}"
                    for value, low, high in zip(*ends, strict=True)
                ],
                hovertemplate="%{text}<extra></extra>",
                name="target, every language",
                legendgroup="languages",
                showlegend=bool(code == results["language"].to_numpy()[0]),
            ),
            **cell,
        )


def _lower_panels(figure: go.Figure, results: xr.Dataset, language: str | None) -> None:
    layers = [int(layer) for layer in results["layer"].to_numpy()]
    for at, (name, title, colour) in enumerate(_BELOW):
        cell = {"row": 2, "col": at + 1}
        _with_interval(figure, results, name, language, name=title, colour=colour, cell=cell)
        if name == "energy":
            chance = np.full(len(layers), float(results.attrs["energy_chance"]))
            add_level(figure, layers, chance, name="energy of random directions", cell=cell)


def _title(results: xr.Dataset, language: str | None) -> str:
    codes = f"{results.sizes['language']} languages" if language is None else plain(language)
    task = plain(str(results.attrs["task"]).capitalize())
    return f"In which language is the word? {task}, {codes}"


def _caption(results: xr.Dataset, language: str | None) -> str:
    kept = results if language is None else results.sel(language=[language])
    dropped = kept["n_meets_english"] + kept["n_meets_source"]
    lines = [
        f"{int(kept['n_prompts'].sum())} prompts · source: "
        f"{plain(results.attrs['source'])} · {plain(results.attrs['lens'])} lens · "
        f"{sentence(results.attrs['interval'])}",
        f"{int(dropped.sum())} of {int(kept['n_candidates'].sum())} candidate prompts dropped: "
        "their words begin alike",
    ]
    return "<br>".join(lines)
