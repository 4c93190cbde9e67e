"""Cards: what a page is made of. A figure, a panel of HTML, or a grid; each says what it follows.

A card is data: words, a function from a :class:`~probekit_app.view.View`, the parts of the state
that it follows. The shell draws it again when one of those changes, and gives it its exports, its
table, its code, and its states (loading, not computed, failed). Costs nothing until drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import plotly.graph_objects as go
    from dash.development.base_component import Component

    from probekit_app.controls import Choice
    from probekit_app.missing import Missing
    from probekit_app.view import View

    Arguments = Callable[[View], Mapping[str, Any]]
    Rows = Callable[[View], Sequence[Mapping[str, Any]]]
    Words = Callable[[View], str]

#: Parts of the state that a card may follow, besides the keys of controls. It always follows the
#: run, the run to compare with, and the theme.
FOLLOWED = ("layer", "langs", "unit", "neuron", "metric", "pos", "centred")


def _nothing(view: View) -> dict[str, Any]:
    del view
    return {}


@dataclass(frozen=True, kw_only=True)
class FigureCard:
    """A figure of ``probekit.figures``: ``run.plot.NAME(**arguments)``.

    Attributes
    ----------
    name
        Unique on its page; part of addresses.
    title, reading
        Its heading; one sentence on what it shows and how to read it.
    plot
        Name in ``run.plot``. The code shown for a notebook is made from this and ``arguments``.
    arguments
        Arguments of the plot, from the view.
    draw, code
        Instead of ``plot``: a figure from the view, and the code that makes the same one.
    needs
        Groups of results without which there is nothing to draw.
    lacks
        Says what else there is nothing to draw without, with the command that makes it.
    follows
        Parts of the state that change it: see ``FOLLOWED``, and keys of the page's controls.
    written
        Those of them by which the static export writes it; all when empty.
    height
        Of the plot in pixels, or a function from the view to it; kept free while it loads.
    wide
        Whether it takes the whole width.
    layer_axis
        Whether its horizontal axis is the layer axis: then it lines up with the layer strip, a
        click sets the layer, and a line shows the layer without asking anybody.
    layer_axes
        Whether both axes are layers: lines through its row and its column show the layer.
    click
        What a click sets: part of the state → ``x``, ``y`` or ``customdata`` of the point.
    hints
        More sentences of ``reading``, each with the part of the state that one must be able to
        change for it to hold.
    """

    name: str
    title: str
    reading: str
    plot: str = ""
    arguments: Arguments = _nothing
    draw: Callable[[View], go.Figure] | None = None
    code: Words | None = None
    needs: tuple[str, ...] = ()
    lacks: Callable[[View], Missing | None] | None = None
    follows: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    height: int | Callable[[View], int] = 400
    wide: bool = True
    layer_axis: bool = False
    layer_axes: bool = False
    click: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    kind: str = field(default="figure", init=False)

    def pixels(self, view: View) -> int:
        """Its height for a view."""
        return self.height(view) if callable(self.height) else self.height

    @property
    def sets(self) -> dict[str, str]:
        """What a click sets."""
        return dict(self.click) or ({"layer": "x"} if self.layer_axis else {})


@dataclass(frozen=True, kw_only=True)
class PanelCard:
    """Anything that is plain HTML: texts, tokens, a list, a small table; no graph, no grid.

    Attributes
    ----------
    show
        Component from the view. Text of tokens and units goes through ``probekit_app.text``.
    rows
        What is shown as rows, for CSV and JSON; None when there is nothing to export.
    bare
        Whether it is shown without the frame of a card.
    tabs
        A choice of the page's ``card_controls`` that stands above what is shown, as tabs.
    scripted
        Parts of the state that its own script follows in the browser, so that it is not drawn
        again.
    name, title, reading, code, needs, follows, written, hints, height, wide
        As of :class:`FigureCard`; ``height`` is the least height.
    """

    name: str
    title: str
    reading: str
    show: Callable[[View], Component | list[Component]]
    rows: Rows | None = None
    code: Words | None = None
    needs: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    scripted: tuple[str, ...] = ()
    hints: Mapping[str, str] = field(default_factory=dict)
    height: int = 120
    wide: bool = True
    bare: bool = False
    tabs: Choice | None = None
    kind: str = field(default="panel", init=False)

    def pixels(self, view: View) -> int:
        """Its least height."""
        del view
        return self.height


@dataclass(frozen=True, kw_only=True)
class GridCard:
    """A table that can be sorted and filtered (AG Grid).

    Attributes
    ----------
    rows
        Rows from the view; values are numbers or text, never HTML.
    columns
        AG Grid column definitions: ``{"field": "neuron", "headerName": "Neuron"}``.
    more_columns
        Columns after those that only the run knows, such as one a language.
    sets
        What choosing a row sets: part of the state → field of the row.
    name, title, reading, code, needs, follows, hints, height, wide
        As of :class:`FigureCard`.
    """

    name: str
    title: str
    reading: str
    rows: Rows
    columns: tuple[Mapping[str, Any], ...]
    more_columns: Callable[[View], Sequence[Mapping[str, Any]]] | None = None
    sets: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    code: Words | None = None
    needs: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    height: int = 420
    wide: bool = True
    kind: str = field(default="grid", init=False)

    def pixels(self, view: View) -> int:
        """Its height."""
        del view
        return self.height

    def columns_of(self, view: View) -> list[dict[str, Any]]:
        """All columns for a view."""
        more = () if self.more_columns is None else self.more_columns(view)
        return [dict(column) for column in (*self.columns, *more)]


Card = FigureCard | PanelCard | GridCard


def reading_of(card: Card, view: View) -> str:
    """What a card shows and how it is read, with the hints that hold where it is shown."""
    return " ".join(
        [card.reading, *(words for part, words in card.hints.items() if view.offers(part))]
    )
