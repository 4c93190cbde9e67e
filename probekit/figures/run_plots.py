"""``run.plot``: the figures of one run, with its selected region marked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError
from probekit.figures.cka import cka_by_layer, cka_heatmap
from probekit.figures.compare import comparison_by_language, comparison_by_layer
from probekit.figures.instruments import instrument_figures
from probekit.figures.layers import layers_overview
from probekit.figures.region import Region
from probekit.figures.selection import selection_by_layer
from probekit.figures.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import plotly.graph_objects as go

    from probekit.runs import Run

#: The rule whose region is marked: the default of ``run.select``.
RULE = "plateau"


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
        return cka_by_layer(self._run, region=self.region(), variants=variants)

    def pairs(self, *, layer: int) -> go.Figure:
        """See :func:`probekit.figures.cka_heatmap`."""
        return cka_heatmap(self._run, layer=layer)

    def layers(self) -> go.Figure:
        """See :func:`probekit.figures.layers_overview`; the default rule's region is marked."""
        return layers_overview(self._run, region=self.region())

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
        region = self.region(named=True)
        return comparison_by_layer(self._run.diff(other), measure=measure, region=region)

    def difference_by_language(
        self, other: Run, *, measure: str = "cka/mean", languages: Sequence[str] = ()
    ) -> go.Figure:
        """See :func:`probekit.figures.compare.comparison_by_language`."""
        found = self._run.diff(other)
        region = self.region(named=True)
        return comparison_by_language(found, measure=measure, languages=languages, region=region)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Figures of instruments: ``run.plot.NAME(…)`` draws ``figures.NAME(run, …)``.

        One over layers, which takes a ``region``, gets the default rule's unless it is given one.
        """
        found = None if name.startswith("_") else instrument_figures().get(name)
        if found is None:
            msg = f"run.plot has no figure {name!r} (has: {', '.join(self.names())})"
            raise AttributeError(msg)
        return partial(self._with_region, found)

    def names(self) -> tuple[str, ...]:
        """Figures that can be asked for, whether or not this run holds what they show."""
        own = ("cka", "pairs", "layers", "selection", "difference", "difference_by_language")
        return (*own, *instrument_figures())

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.names()})

    def _with_region(self, draw: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        if "region" not in options and "region" in signature(draw).parameters:
            options["region"] = self.region()
        return draw(self._run, *args, **options)

    def region(self, *, named: bool = False) -> Region:
        """The default rule's region, which figures over layers mark.

        Empty where the rule refuses or has nothing to read. Read from the run once, as long as it
        is open.

        Parameters
        ----------
        named
            Whether its words say of which run it is.
        """
        blocks = _default_region(_Of(id(self._run), self._run))
        whose = f"the region that the rule {RULE} selects at its defaults"
        where = f" in {plain(self._run.folder.name)}" if named else ""
        return Region.of(blocks, whose + where)


@dataclass(frozen=True)
class _Of:
    """A run by its identity, which it keeps as long as this is kept."""

    place: int
    run: Run = field(compare=False, repr=False)


@lru_cache(maxsize=8)
def _default_region(of: _Of) -> tuple[int, ...]:
    """Blocks of ``run.select()``, without the controls and the other rules that it looks at too."""
    from probekit.selection import RULES, evidence_of
    from probekit.selection.registry import make_rule
    from probekit.selection.verdict import decide

    if not set(RULES[RULE].needs) <= set(of.run.analyses):
        return ()
    rule = make_rule(RULE)
    try:
        return tuple(decide(evidence_of(of.run), rule, rule.prefer).region)
    except InputError:  # too few blocks for a rule, or an older run
        return ()
