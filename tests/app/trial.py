"""A page that has one of everything, so that the shell is tried where real pages are few."""

from __future__ import annotations

from dash import html

from probekit_app.cards import FigureCard, GridCard, PanelCard
from probekit_app.controls import Choice, Number, Text
from probekit_app.page import Page
from probekit_app.text import sentence, token

NASTY = '<script>window.hacked = 1</script>"&'


def rows(view):
    """A row a block; a token that would like to be a script."""
    return [
        {"block": block, "token": NASTY, "value": -0.5 * block}
        for block in range(view.run.n_blocks)
    ]


def show(view):
    """What is selected, as text; a sentence from right to left; a token that is markup."""
    return html.Div(
        [
            html.P(f"layer {view.state.layer} kind {view.option('trial.kind')}", className="said"),
            html.P(
                f"share {view.option('trial.share')} {view.option('trial.word')}", className="more"
            ),
            sentence("שלום עולם", "he"),
            token(NASTY, 7),
        ]
    )


def broken(view):
    """Something nobody thought of."""
    msg = f"no such thing in {view.state.run}"
    raise LookupError(msg)


TRIAL = Page(
    path="/trial",
    title="Trial",
    order=99,
    lead="Does the shell do what it says?",
    controls=(
        Choice(key="trial.kind", label="Kind", values={"plain": "Plain", "odd": "Odd"}),
        Number(key="trial.share", label="Share", low=0, high=1, step=0.05, start=0.5),
        Text(key="trial.word", label="Word"),
    ),
    cards=(
        FigureCard(
            name="pairs",
            title="Pairs",
            reading="CKA of every pair at the layer.",
            plot="pairs",
            arguments=lambda view: {"layer": view.state.layer},
            needs=("cka",),
            follows=("layer",),
            wide=False,
        ),
        PanelCard(
            name="said",
            title="Said",
            reading="What is selected.",
            show=show,
            rows=rows,
            follows=("layer", "trial.kind", "trial.share", "trial.word"),
            wide=False,
        ),
        GridCard(
            name="grid",
            title="Grid",
            reading="Choosing a row sets the layer.",
            rows=rows,
            columns=({"field": "block"}, {"field": "token"}, {"field": "value"}),
            sets={"layer": "block"},
            height=240,
        ),
        FigureCard(
            name="lacking",
            title="Lacking",
            reading="Nothing yet.",
            plot="neuron_types",
            needs=("neurons",),
        ),
        PanelCard(name="broken", title="Broken", reading="It fails.", show=broken),
    ),
    exported=False,
)
