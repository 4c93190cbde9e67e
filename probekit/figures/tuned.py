"""Figure of a tuned lens: divergence from the model's own output, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.figures.lines import add_curve, add_level
from probekit.figures.text import sentence
from probekit.figures.theme import BLUE, ORANGE, layer_axis, style

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import xarray as xr


def tuned_by_layer(report: xr.Dataset) -> go.Figure:
    """``KL(model ‖ lens)`` by layer, plain and tuned, on units that were not fitted on.

    Dotted: one fixed guess, the mean of the last layer. The axis is logarithmic, because plain
    lenses of early layers can be hundreds of nats off.

    Parameters
    ----------
    report
        ``TunedLens.report``.
    """
    import plotly.graph_objects as go

    layers = [int(layer) for layer in report["layer"].to_numpy()]
    figure = go.Figure()
    for name, title, colour in (("plain", "plain lens", ORANGE), ("tuned", "tuned lens", BLUE)):
        ends = [report[f"{name}_mean_{end}"].to_numpy() for end in ("low", "high")]
        add_curve(
            figure,
            layers,
            report[f"{name}_mean"].to_numpy(),
            name=title,
            colour=colour,
            interval=(ends[0], ends[1]),
            n=int(report.attrs["n_positions"]),
        )
    floor = np.full(len(layers), float(report.attrs["constant_mean"]))
    add_level(figure, layers, floor, name="fixed guess")
    figure.update_xaxes(layer_axis(layers))
    figure.update_yaxes(title="KL(model ‖ lens), nats, mean over languages", type="log")
    caption = (
        f"{report.attrs['n_positions']} positions of {report.attrs['n_units']} units in "
        f"{report.sizes['language']} languages, none fitted on · "
        f"{sentence(report.attrs['interval'])}"
    )
    return style(figure, title="What the tuned lens gains", caption=caption, height=480)
