"""``run.plot``: the figures of one run, with its selected region marked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError
from probekit.figures.cka import cka_by_layer, cka_heatmap
from probekit.figures.instruments import instrument_figures
from probekit.figures.layers import layers_overview

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from probekit.runs import Run


class RunPlots:
    """Figures of a run.

    Parameters
    ----------
    run
        A finished run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def cka(self, *, variants: bool = True) -> go.Figure:
        """See :func:`probekit.figures.cka_by_layer`; the default rule's region is marked."""
        return cka_by_layer(self._run, region=self._region(), variants=variants)

    def pairs(self, *, layer: int) -> go.Figure:
        """See :func:`probekit.figures.cka_heatmap`."""
        return cka_heatmap(self._run, layer=layer)

    def layers(self) -> go.Figure:
        """See :func:`probekit.figures.layers_overview`; the default rule's region is marked."""
        return layers_overview(self._run, region=self._region())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Figures of instruments: ``run.plot.NAME(…)`` draws ``figures.NAME(run, …)``."""
        found = None if name.startswith("_") else instrument_figures().get(name)
        if found is None:
            msg = f"run.plot has no figure {name!r} (has: {', '.join(self.names())})"
            raise AttributeError(msg)
        return partial(found, self._run)

    def names(self) -> tuple[str, ...]:
        """Figures that can be asked for, whether or not this run holds what they show."""
        return ("cka", "pairs", "layers", *instrument_figures())

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.names()})

    def _region(self) -> tuple[int, ...]:
        try:
            return tuple(self._run.select().region)
        except InputError:  # too few blocks for a rule, or regions were not computed
            return ()
