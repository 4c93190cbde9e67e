"""The selection bar: runs, unit, metric, languages, layer; the same on every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dash import html

from probekit.sites import depth
from probekit_app.shell import STRIP_STYLE, menu
from probekit_app.state import defaults

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from probekit_app.view import View

MOST_UNITS = 300
SNIPPET = 48


def selection_bar(view: View) -> list[Component]:
    """The bar of a view; without a run only the choice of one."""
    choices = [_runs(view)]
    if view.opened is None:
        return [html.Div(choices, className="row")]
    choices.append(_unit(view))
    row = [*choices, *metric_menu(view), _languages(view), *_region_key(view)]
    return [html.Div(row, className="row"), layer_strip(view)]


def _runs(view: View) -> Component:
    names = view.runs.finished()
    first = {"": "choose a run"} if view.opened is None else {}
    run = menu("run", {**first, **_same(names)}, value=view.state.run, label="Run")
    others = {"": "none", **_same(tuple(name for name in names if name != view.state.run))}
    other = menu("vs", others, value=view.state.run_b, label="Compare with")
    shown = [_labelled("Run", run)]
    return html.Div(
        [*shown, _labelled("vs", other)] if len(names) > 1 else shown, className="group"
    )


def _unit(view: View) -> Component:
    """Units by id and the beginning of their text; of a long corpus those around the chosen one."""
    opened = view.opened
    assert opened is not None
    units = opened.units
    if not units:
        return html.Div()
    at = units.index(view.state.unit)
    start = max(0, min(at - MOST_UNITS // 2, len(units) - MOST_UNITS))
    texts = view.run.corpus["text"].isel(language=0).to_numpy()
    values = {
        units[row]: f"{units[row]}: {str(texts[row])[:SNIPPET]}"
        for row in range(start, min(start + MOST_UNITS, len(units)))
    }
    default = defaults(opened).unit
    chosen = menu("unit", values, value=view.state.unit, label="Unit", default=default)
    return html.Div(
        [_step("unit", -1), _labelled("Unit", chosen), _step("unit", 1)], className="unit"
    )


def metric_menu(view: View) -> list[Component]:
    """How alike languages are is measured by one of these; nothing where there is no choice."""
    opened = view.opened
    if opened is None or len(opened.metrics) < 2:
        return []
    default = defaults(opened).metric
    chosen = menu(
        "metric", opened.metrics, value=view.state.metric, label="Metric", default=default
    )
    return [_labelled("Metric", chosen)]


def _languages(view: View) -> Component:
    names = view.names
    chips = [
        html.Button(
            [html.Span(className="dot", style={"--dot": style.colour}), code],
            type="button",
            className="chip",
            title=f"{names[code]} (Shift: only this one)",
            **{
                "data-language": code,
                "aria-pressed": str(code in view.state.languages).lower(),
                "aria-label": names[code],
            },
        )
        for code, style in view.styles.items()
    ]
    every = html.Button("all", type="button", className="chip every", **{"data-language": "*"})
    return html.Div(
        [*chips, every], className="chips", role="group", **{"aria-label": "Languages shown"}
    )


def _region_key(view: View) -> list[Component]:
    """What the shaded layers of the strip, and of every figure over layers, are."""
    if view.selection is None or not view.region:
        return []
    rule = view.selection.rule["name"]
    said = f"Shaded: the region that the rule {rule} accepts at its defaults"
    swatch = html.Span(className="swatch", **{"aria-hidden": "true"})
    return [html.Span([swatch, f"{rule} region"], className="region-key", title=said)]


def layer_strip(view: View) -> Component:
    """The layers as cells under which every figure over layers has its axis."""
    layers, region, chosen = view.layers, set(view.region), view.state.layer
    every = max(1, round(len(layers) / 20))
    cells = [
        html.Span(
            _cell_name(layer) if layer < 0 or layer % every == 0 else "",
            className=" ".join(
                [
                    "cell",
                    *(["region"] if layer in region else []),
                    *(["on"] if layer == chosen else []),
                ]
            ),
            title=layer_words(layer, view.run.n_blocks)
            + (", in the region" if layer in region else ""),
            **{"data-layer": str(layer)},
        )
        for layer in layers
    ]
    slider = html.Div(
        cells,
        id="layer",
        className="strip",
        role="slider",
        tabIndex=0,
        **{
            "aria-label": "Layer",
            "aria-valuemin": str(layers[0]),
            "aria-valuemax": str(layers[-1]),
            "aria-valuenow": str(chosen),
            "aria-valuetext": layer_words(chosen, view.run.n_blocks),
            "data-default": str(defaults(view.opened).layer),
        },
    )
    label = html.Span("Layer", className="label", **{"aria-hidden": "true"})
    return html.Div([label, slider], className="strip-row", style=STRIP_STYLE)


def layer_words(layer: int, n_blocks: int) -> str:
    """A layer in words, as in ``block 9 of 18, depth 0.56``."""
    if layer < 0:
        return "the embedding, depth 0"
    return f"block {layer} of {n_blocks}, depth {depth(layer, n_blocks):.2f}"


def _cell_name(layer: int) -> str:
    return "emb" if layer < 0 else str(layer)


def _step(key: str, by: int) -> Component:
    words = f"{'Next' if by > 0 else 'Previous'} {key}"
    said = {"data-step-key": key, "data-by": str(by), "aria-label": words}
    arrow = "›" if by > 0 else "‹"
    return html.Button(arrow, type="button", className="step", title=words, **said)


def _labelled(words: str, shown: Component) -> Component:
    return html.Label([html.Span(words, className="label"), shown], className="labelled")


def _same(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name for name in names}
