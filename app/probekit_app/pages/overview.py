"""Page 2, Overview: the one figure that tells the story, the numbers at a layer, the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from probekit.figures.layers import PANELS
from probekit.figures.meet_measures import pair_measure
from probekit_app import shell
from probekit_app.cards import FigureCard, PanelCard
from probekit_app.page import Page
from probekit_app.selection_bar import layer_words

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from probekit_app.view import View

#: What the table at a layer shows: words, group, variable, level beside it (variable), what it is.
NUMBERS = (
    ("CKA", "cka", "mean", "mean_null95", "null, 95 %"),
    ("LRDS, language", "regions", "lrds_centred", "", ""),
    ("SADS, meaning", "regions", "sads_centred", "", ""),
    ("P@1", "alignment", "p_at_1_mean", "", ""),
    ("lens agreement", "lens", "agreement_mean", "", ""),
    ("probe accuracy", "probes", "accuracy_all", "majority_all", "commonest class"),
)

#: Which metric a row of these would say again.
SAME = {"cka": "debiased", "alignment": "p_at_1"}


def numbers(view: View) -> list[dict[str, Any]]:
    """One row a measure at the chosen layer: value, interval, level to compare with."""
    rows = _metric_row(view)
    for words, name, variable, level, kind in NUMBERS:
        if not view.has(name) or view.state.metric == SAME.get(name):
            continue
        group = view.run.group(name)
        if view.state.layer not in group["layer"].to_numpy():
            continue
        shown = {variable, f"{variable}_low", f"{variable}_high", level} & set(group.data_vars)
        at = group[sorted(shown)].sel(layer=view.state.layer)
        row: dict[str, Any] = {"measure": words, "value": float(at[variable])}
        if f"{variable}_low" in at:
            row |= {end: float(at[f"{variable}_{end}"]) for end in ("low", "high")}
        if level:
            row |= {"level": float(at[level]), "level_is": kind}
        rows.append(row)
    return rows


def _metric_row(view: View) -> list[dict[str, Any]]:
    """The metric of the bar: its mean over pairs of languages."""
    if not view.state.metric:
        return []
    measure = pair_measure(view.run, view.state.metric)
    if view.state.layer not in measure.layers:
        return []
    at = measure.layers.index(view.state.layer)
    row: dict[str, Any] = {"measure": measure.words, "value": float(measure.mean[at])}
    if measure.mean_ends is not None:
        row |= {
            end: float(values[at])
            for end, values in zip(("low", "high"), measure.mean_ends, strict=True)
        }
    if measure.level is not None:
        kind, level = measure.level
        row |= {"level": float(level[at]), "level_is": kind}
    return [row]


def at_layer(view: View) -> Component:
    """The numbers at the chosen layer, as a small table."""
    head = html.Tr(
        [html.Th(words, scope="col") for words in ("", "value", "95 % interval", "level")]
    )
    rows = [_number_row(row) for row in numbers(view)]
    where = layer_words(view.state.layer, view.run.n_blocks)
    table = html.Table([html.Caption(f"At {where}"), html.Thead(head), html.Tbody(rows)])
    return html.Div(table, className="small-table")


def _number_row(row: dict[str, Any]) -> Component:
    interval = f"[{row['low']:.3f}, {row['high']:.3f}]" if "low" in row else ""
    level = f"{row['level']:.3f} ({row['level_is']})" if "level" in row else ""
    cells = (f"{row['value']:.3f}", interval, level)
    return html.Tr(
        [
            html.Th(row["measure"], scope="row"),
            *(html.Td(each, className="number-cell") for each in cells),
        ]
    )


def answer(view: View) -> Component:
    """The default rule's answer with its reasons, or why there is none."""
    chosen = view.selection
    if chosen is None:
        text = "The rules need the analyses cka, regions and norms of at least a few blocks."
        return shell.state("No rule applies", text)
    headline, *rest = str(chosen).splitlines()
    notes = [html.Li(line.strip().removeprefix("- ").removeprefix("! ")) for line in rest]
    mark = html.Span(className=f"mark {chosen.status}")
    return html.Div(
        [html.P([mark, headline]), _to_trainers(view), html.Ul(notes)], className="answer"
    )


def _to_trainers(view: View) -> Component:
    """The way to the page that writes this for PEFT and the others."""
    words = "Use these layers: PEFT and other trainers, other rules"
    path = "selection.html" if view.site else "/selection"
    return html.P(html.A(words, href=path, **{"data-page": path}), className="fine")


def answer_code(view: View) -> str:
    """The same in a notebook."""
    from probekit_app.notebook_code import run_path

    return f"import probekit\n\nprint(probekit.open_run({run_path(view)!r}).select())\n"


def height(view: View) -> int:
    """Of the story: a panel for every analysis that the run has."""
    return 72 + 182 * max(1, sum(view.has(panel.group) for panel in PANELS))


STORY = FigureCard(
    name="story",
    title="Where languages meet",
    reading=(
        "Languages share a space where CKA stands above its null and LRDS is low while SADS stays "
        "above zero; the shaded blocks are those that the default rule accepts. Click a layer to "
        "look at it everywhere."
    ),
    plot="layers",
    height=height,
    layer_axis=True,
)

AT_LAYER = PanelCard(
    name="numbers",
    title="At the chosen layer",
    reading=(
        "How alike languages are, then what the figure shows, at the chosen layer with 95 % "
        "intervals over units."
    ),
    hints={"metric": "The first row is the metric chosen above."},
    show=at_layer,
    rows=numbers,
    follows=("layer", "metric"),
    written=("layer",),
    height=220,
    wide=False,
)

ANSWER = PanelCard(
    name="answer",
    title="Selected layers",
    reading="What the rule plateau answers and why; the page Selection has every rule and control.",
    show=answer,
    code=answer_code,
    height=220,
    wide=False,
)


PAGE = Page(
    path="/overview",
    title="Overview",
    order=2,
    lead="At which layers do languages share a space, and how sure is that?",
    cards=(STORY, ANSWER, AT_LAYER),
)
