"""Figures of instruments: every file of this folder named like an instrument, and registered ones.

Such a file holds ``FIGURES``: name → function from a run to a figure.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from probekit.instruments import instruments

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from probekit.runs import Run

    Figures = dict[str, Callable[..., go.Figure]]

_registered: dict[str, Figures] = {}


def register_figure(analysis: str, name: str, draw: Callable[[Run], go.Figure]) -> None:
    """Add a figure of an instrument: ``run.plot.NAME()``, and a place on the page."""
    _registered.setdefault(analysis, {})[name] = draw


def figures_by_instrument() -> dict[str, Figures]:
    """Instrument → its figures by name, in the order of the instruments."""
    return {
        name: found
        for name in instruments()
        if (found := {**_of_file(name), **_registered.get(name, {})})
    }


def instrument_figures() -> Figures:
    """All figures of instruments by name."""
    return {
        name: draw for found in figures_by_instrument().values() for name, draw in found.items()
    }


def _of_file(name: str) -> Figures:
    module = f"probekit.figures.{name}"
    if importlib.util.find_spec(module) is None:
        return {}
    found: Figures = getattr(importlib.import_module(module), "FIGURES", {})
    return found
