"""Figures of an ablation: what zeroing a language's neurons costs every language."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.figures.cells import interval
from probekit.figures.neuron_parts import who
from probekit.figures.text import plain, plain_labels, sentence
from probekit.figures.theme import style

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from probekit.ablation import AblationResult
    from probekit.runs import Run


def ablation(run: Run) -> go.Figure:
    """The ablation that was saved beside the run; without one, a figure that says how to make it.

    Parameters
    ----------
    run
        A run for which ``probekit ablate RUN --save`` was called.

    Raises
    ------
    RunError
        What was saved cannot be read, or is about other weights than the run.
    """
    import plotly.graph_objects as go

    from probekit.ablation import saved_ablation

    found = saved_ablation(run)
    if found is not None:
        return ablation_table(found)
    said = f"{who(run)} · no ablation was saved: probekit ablate {plain(run.folder.name)} --save"
    title = "What zeroing a language's neurons costs"
    figure = style(go.Figure(), title=title, caption=said, height=160)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def ablation_table(result: AblationResult) -> go.Figure:
    """Excess change of log-perplexity, whose neurons × whose texts; hover says all of it."""
    import plotly.graph_objects as go

    data = result.data
    excess = data["excess"].to_numpy()
    most = float(np.abs(excess).max()) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=excess,
            x=plain_labels(result.languages),
            y=[
                f"{code} ({int(n)})"
                for code, n in zip(
                    plain_labels(result.ablated), data["n_neurons"].to_numpy(), strict=True
                )
            ],
            text=_ablation_hover(result),
            meta=interval(data["excess_low"].to_numpy(), data["excess_high"].to_numpy()),
            hovertemplate="neurons of %{y}, texts in %{x}<br>%{text}<extra></extra>",
            colorscale="RdBu",
            reversescale=True,
            zmin=-most,
            zmax=most,
            colorbar={"title": "nats per token"},
        )
    )
    figure.update_xaxes(title="texts in")
    figure.update_yaxes(autorange="reversed", title="neurons zeroed (how many)")
    attrs = data.attrs
    caption = (
        f"{sentence(attrs['model'])} · change of log-perplexity beyond that of as many random "
        f"neurons of the same blocks ({attrs['controls']} draws)<br>{attrs['n_units']} units, "
        f"{attrs['n_scored_total']} tokens · {sentence(attrs['interval'])} (hover)"
    )
    height = 280 + 24 * len(result.ablated)
    figure = style(
        figure, title="What zeroing a language's neurons costs", caption=caption, height=height
    )
    figure.update_layout(hovermode="closest")
    return figure


def _ablation_hover(result: AblationResult) -> list[list[str]]:
    rows, units = iter(result.table()), result.data.attrs["n_units"]
    tokens = [int(n) for n in result.data["n_scored"].to_numpy()]

    def told(row: dict[str, float], n: int) -> str:
        parts = [
            f"{name}: {row[name]:+.3f} [{row[f'{name}_low']:+.3f}, {row[f'{name}_high']:+.3f}]"
            for name in ("excess", "change", "random")
        ]
        return "<br>".join([*parts, f"n = {units} units, {n} tokens"])

    return [[told(next(rows), n) for n in tokens] for _ in result.ablated]
