"""``run.plot``: the figures of one run, with its selected region marked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError
from probekit.figures.cka import cka_by_layer, cka_heatmap
from probekit.figures.compare import comparison_by_language, comparison_by_layer
from probekit.figures.instruments import instrument_figures
from probekit.figures.layers import layers_overview
from probekit.figures.selection import selection_by_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

    def selection(self, rule: str = "plateau", **options: Any) -> go.Figure:
        """What a rule read and accepts; see :func:`probekit.figures.selection.selection_by_layer`.

        Parameters
        ----------
        rule, options
            As of ``run.select``.
        """
        return selection_by_layer(self._run.select(rule=rule, **options))

    def difference(self, other: Run, *, measure: str = "cka/mean") -> go.Figure:
        """See :func:`probekit.figures.compare.comparison_by_layer`."""
        return comparison_by_layer(self._run.diff(other), measure=measure)

    def difference_by_language(
        self, other: Run, *, measure: str = "cka/mean", languages: Sequence[str] = ()
    ) -> go.Figure:
        """See :func:`probekit.figures.compare.comparison_by_language`."""
        found = self._run.diff(other)
        return comparison_by_language(found, measure=measure, languages=languages)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Figures of instruments: ``run.plot.NAME(…)`` draws ``figures.NAME(run, …)``."""
        found = None if name.startswith("_") else instrument_figures().get(name)
        if found is None:
            msg = f"run.plot has no figure {name!r} (has: {', '.join(self.names())})"
            raise AttributeError(msg)
        return partial(found, self._run)

    def names(self) -> tuple[str, ...]:
        """Figures that can be asked for, whether or not this run holds what they show."""
        own = ("cka", "pairs", "layers", "selection", "difference", "difference_by_language")
        return (*own, *instrument_figures())

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.names()})

    def _region(self) -> tuple[int, ...]:
        try:
            return tuple(self._run.select().region)
        except InputError:  # too few blocks for a rule, or regions were not computed
            return ()
