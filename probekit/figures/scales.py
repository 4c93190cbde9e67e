"""Colour scales that say which side of the null a number lies on; told apart by colour-blind eyes.

Above the null from yellow to dark blue, below it from pale to dark red; equal steps of luminance.
"""

from __future__ import annotations

from typing import Any

from probekit.errors import InputError

#: ColorBrewer YlGnBu and Reds, lightest first.
_ABOVE = ("#ffffd9", "#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#081d58")
_BELOW = ("#fff5f0", "#fcbba1", "#fb6a4a", "#cb181d", "#67000d")


def null_scale(
    low: float, high: float, *, null: float, less_is_more: bool = False
) -> dict[str, Any]:
    """``zmin``, ``zmax`` and ``colorscale`` with the lightest colour at the null.

    Parameters
    ----------
    low, high
        Least and largest number that is shown.
    null
        Null or chance level; the scale reaches it.
    less_is_more
        Whether what is sought lies below the null, as with a disparity.

    Raises
    ------
    InputError
        ``low > high``.
    """
    if low > high:
        msg = f"low must not be above high. Got {low} and {high} instead."
        raise InputError(msg)
    low, high = min(low, null), max(high, null)
    span = (high - low) or 1.0
    below, above = (_ABOVE, _BELOW) if less_is_more else (_BELOW, _ABOVE)
    at = (null - low) / span
    stops = [(at * (1 - step / (len(below) - 1)), below[step]) for step in range(len(below))][::-1]
    stops = stops if at > 0 else []
    stops += _upper(above, at) if at < 1 else []
    return {"zmin": low, "zmax": low + span, "colorscale": stops}


def _upper(colours: tuple[str, ...], at: float) -> list[tuple[float, str]]:
    last = len(colours) - 1
    return [
        (1.0 if step == last else at + (1 - at) * step / last, colours[step])
        for step in range(last + 1)
    ]
