"""What an estimate shows of languages that have nothing in common, by number of units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.figures.lines import add_curve, add_level
from probekit.figures.text import plain
from probekit.figures.theme import BLUE, ORANGE, PURPLE, VERMILION, style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

_COLOURS = (ORANGE, BLUE, PURPLE, VERMILION)


def noise_by_units(
    units: Sequence[int], estimates: Mapping[str, Sequence[float]], *, width: int
) -> go.Figure:
    """CKA of pure noise by number of units, a curve for every estimate; the truth is 0.

    Parameters
    ----------
    units
        How many units each value was measured on.
    estimates
        Name of an estimate → its values, one for every entry of ``units``.
    width
        Dimensions of the vectors.

    Raises
    ------
    InputError
        An estimate without a value for every entry, or more estimates than there are colours.
    """
    import plotly.graph_objects as go

    _check(units, estimates)
    figure = go.Figure()
    for (name, values), colour in zip(estimates.items(), _COLOURS, strict=False):
        before = len(figure.data)
        add_curve(figure, units, np.asarray(values, dtype=float), name=plain(name), colour=colour)
        figure.data[before].text = [
            f"{value:.3f}, n = {n}" for value, n in zip(values, units, strict=True)
        ]
    add_level(figure, units, np.zeros(len(units)), name="nothing in common (0)")
    figure.update_xaxes(title="units", type="log", tickvals=list(units))
    figure.update_yaxes(title="CKA", range=[-0.1, 1.05])
    said = f"two languages of independent normal vectors · width {width} · one draw, so no interval"
    return style(figure, title="CKA of pure noise", caption=said, height=380)


def _check(units: Sequence[int], estimates: Mapping[str, Sequence[float]]) -> None:
    from probekit.errors import InputError

    short = [name for name, values in estimates.items() if len(values) != len(units)]
    if short or not 0 < len(estimates) <= len(_COLOURS):
        got = f"{short[0]!r} with another number" if short else f"{len(estimates)} estimates"
        msg = (
            f"estimates must be 1 to {len(_COLOURS)}, each with {len(units)} values. Got {got} "
            "instead."
        )
        raise InputError(msg)
