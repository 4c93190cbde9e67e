"""What figures of neurons share: the axis of blocks, counts as a heatmap, who was read.

Costs nothing to speak of; blocks begin at 0, since the embedding has no neurons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.errors import InputError, LanguageError
from probekit.figures.text import model_of, plain_labels
from probekit.figures.theme import layer_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from probekit.runs import Run


def count_heatmap(data: xr.Dataset, name: str, *, labels: list[str]) -> go.Figure:
    """Counts of neurons by language and block; hover says interval, null and n.

    Parameters
    ----------
    data
        A group with ``name`` (layer, language), its ends and its null; ``name`` may end in
        ``_by_layer``.
    name
        The count.
    labels
        What each language is called, as plotly can show it.
    """
    import plotly.graph_objects as go

    layers = [int(layer) for layer in data["layer"].to_numpy()]
    heatmap = go.Heatmap(
        z=data[name].transpose("language", "layer").to_numpy(),
        x=layers,
        y=labels,
        text=_count_hover(data, name),
        hovertemplate="block %{x}, %{y}<br>%{text}<extra></extra>",
        colorscale="Viridis",
        zmin=0,
        colorbar={"title": "neurons"},
    )
    figure = go.Figure(heatmap)
    figure.update_xaxes(block_axis(layers))
    figure.update_yaxes(autorange="reversed", title="language")
    return figure


def _count_hover(data: xr.Dataset, name: str) -> list[list[str]]:
    """Count, interval, null and n of every language and block."""
    end = "_by_layer" if name.endswith("_by_layer") else ""
    stem = name.removesuffix("_by_layer")
    parts = [data[f"{stem}{side}{end}"] for side in ("", "_low", "_high")]
    count, low, high = (part.transpose("language", "layer").to_numpy() for part in parts)
    null = data[f"{stem}_null95{end}"].to_numpy()
    tail = f"n = {int(data.attrs['n_units'])} units"
    return [
        [
            f"{int(count[at])} [{low[at]:.1f}, {high[at]:.1f}], "
            f"null (95 %) {null[at[1]]:.0f}, {tail}"
            for at in ((row, block) for block in range(count.shape[1]))
        ]
        for row in range(len(count))
    ]


def language_labels(data: xr.Dataset) -> list[str]:
    """Code with tokens per unit: rates depend on how finely a language is cut."""
    codes = plain_labels(data["language"].to_numpy())
    return [
        f"{a} ({t:.0f})" for a, t in zip(codes, data["tokens_per_unit"].to_numpy(), strict=True)
    ]


def block_axis(layers: list[int]) -> dict[str, object]:
    """The axis of blocks, which has no embedding."""
    axis = layer_axis(layers)
    kept = {
        "tickvals": [at for at in axis["tickvals"] if at >= 0],
        "ticktext": [text for text in axis["ticktext"] if text != "emb"],
    }
    return {**axis, **kept, "title": "block"}


def who(run: Run) -> str:
    """Model, units and languages, for a caption."""
    corpus = run.manifest.corpus
    n_languages = len(corpus["languages"])
    return f"{model_of(run)} · {corpus['n_units']} units × {n_languages} languages"


def chosen_block(data: xr.Dataset, layer: int) -> int:
    """A block that a group of neurons has.

    Raises
    ------
    InputError
        It has no such block; the embedding is none.
    """
    last = int(data["layer"][-1])
    if layer in data["layer"]:
        return layer
    msg = (
        "layer must be a block, since the embedding (-1) has no neurons. Choose one from 0 to "
        f"{last}."
        if layer == -1
        else f"layer must be a block from 0 to {last}. Got {layer} instead."
    )
    raise InputError(msg)


def shown_languages(run: Run, languages: Sequence[str] | None) -> tuple[str, ...]:
    """Languages in the run's order.

    Raises
    ------
    LanguageError
        The run has no such language.
    """
    if languages is None:
        return run.languages
    unknown = [code for code in languages if code not in run.languages]
    if unknown or not languages:
        got = repr(unknown[0]) if unknown else "none"
        msg = f"languages must be among {', '.join(run.languages)}. Got {got} instead."
        raise LanguageError(msg)
    return tuple(code for code in run.languages if code in set(languages))
