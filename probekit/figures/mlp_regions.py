"""Figures of MLP space: LRDS and SADS by block, and key neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.figures.lines import add_curve
from probekit.figures.neuron_parts import block_axis, count_heatmap, shown_languages, who
from probekit.figures.text import plain_labels, sentence
from probekit.figures.theme import GREEN, ORANGE, PURPLE, VERMILION, style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go

    from probekit.runs import Run


def mlp_regions(run: Run, *, region: Sequence[int] = ()) -> go.Figure:
    """LRDS and SADS of MLP activations by block, centred and raw.

    Parameters
    ----------
    run
        A run with the analysis ``mlp_regions``.
    region
        Blocks to mark.
    """
    import plotly.graph_objects as go

    data = run.group("mlp_regions")
    layers = [int(layer) for layer in data["layer"].to_numpy()]
    figure = go.Figure()
    for name, label, colour, dash in (
        ("lrds_centred", "LRDS: language", VERMILION, "solid"),
        ("sads_centred", "SADS: meaning", GREEN, "solid"),
        ("lrds", "LRDS, raw", ORANGE, "dash"),
        ("sads", "SADS, raw", PURPLE, "dash"),
    ):
        band = (data[f"{name}_low"].to_numpy(), data[f"{name}_high"].to_numpy())
        add_curve(
            figure,
            layers,
            data[name].to_numpy(),
            name=label,
            colour=colour,
            dash=dash,
            interval=band,
            n=int(data.attrs["n_units"]),
        )
    figure.update_xaxes(block_axis(layers))
    figure.update_yaxes(title="difference of mean cosines")
    caption = (
        f"{who(run)} · {sentence(data.attrs['space'])}<br>solid: centred on the mean of all "
        f"texts · interval: "
        f"{run.manifest.estimators['bootstrap']} bootstrap resamples of units · 0: none"
    )
    title = "What organises the MLP neurons of a block"
    return style(figure, title=title, caption=caption, height=500, region=region)


def key_neurons(
    run: Run, *, languages: Sequence[str] | None = None, region: Sequence[int] = ()
) -> go.Figure:
    """Key neurons of every language by block; hover says interval and null.

    With two languages there are none, and the figure says so.

    Parameters
    ----------
    run
        A run with the analysis ``mlp_regions``.
    languages
        Those shown; by default all.
    region
        Blocks to mark.

    Raises
    ------
    LanguageError
        The run has no such language.
    """
    import plotly.graph_objects as go

    data, title = run.group("mlp_regions"), "Key neurons (Lingua Franca)"
    if "n_key" not in data:
        caption = f"{who(run)} · left out: {sentence(data.attrs['left_out'])}"
        return style(go.Figure(), title=title, caption=caption, height=240)
    codes = list(shown_languages(run, languages))
    data = data.sel(language=codes)
    figure = count_heatmap(data, "n_key", labels=plain_labels(codes))
    low, high = float(data["n_key_null"].min()), float(data["n_key_null"].max())
    caption = (
        f"{who(run)} · leave-one-out z > {data.attrs['key_threshold']:g} · with labels exchanged "
        f"within units {low:.0f} to {high:.0f} neurons a block and language pass too"
    )
    height = 240 + 24 * data.sizes["language"]
    figure = style(figure, title=title, caption=caption, height=height, region=region)
    figure.update_layout(hovermode="closest")
    return figure


FIGURES: dict[str, Callable[..., go.Figure]] = {
    "mlp_regions": mlp_regions,
    "key_neurons": key_neurons,
}
