"""Page 5, Regions and neurons: language and meaning by layer, and the neurons that carry them."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit_app.cards import FigureCard, GridCard
from probekit_app.controls import Choice
from probekit_app.missing import Missing
from probekit_app.notebook_code import run_path
from probekit_app.page import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from probekit_app.view import View

#: Rows and languages that the table of neurons has at most.
MOST_ROWS = 500
MOST_LANGUAGES = 24

THRESHOLDS = Choice(
    key="neurons.thresholds",
    label="Thresholds",
    values={"model": "Over the model", "layer": "In each layer"},
    help="Whether the bar and the share of LAPE are taken over all neurons or within each block.",
)
CELLS = Choice(
    key="neurons.cells",
    label="Table shows",
    values={"rate": "Firing rates", "z": "z-scores"},
    help="Firing rates, or leave-one-out z of mean activations over languages (key neurons).",
)

NUMBER = {"filter": "agNumberColumnFilter", "type": "numericColumn"}
THREE_DIGITS = {"valueFormatter": {"function": "d3.format('.3f')(params.value)"}}


def by_layer(view: View) -> bool:
    """Whether thresholds are those of each layer."""
    return view.option(THRESHOLDS.key) == "layer"


def block(view: View) -> dict[str, Any]:
    """The chosen layer, which the embedding is not."""
    return {"layer": view.state.layer}


def chosen(view: View) -> dict[str, Any]:
    """The chosen neuron; without one, the block's most telling one."""
    shown = {"languages": view.state.languages}
    if view.state.neuron is not None:
        layer, neuron = view.state.neuron
        return {"layer": layer, "neuron": neuron, **shown}
    return {"layer": view.state.layer, **shown}


def rows(view: View) -> list[dict[str, Any]]:
    """Selected neurons, the lowest entropy first; one value for each language."""
    data = view.run.group("neurons")
    end = "_by_layer" if by_layer(view) else ""
    places = np.argwhere(data[f"selected{end}"].to_numpy())
    entropy, error = data["entropy"].to_numpy(), data["entropy_error"].to_numpy()
    first = np.argsort(entropy[tuple(places.T)], kind="stable")[:MOST_ROWS]
    belongs, cells = data[f"belongs{end}"].to_numpy(), _cells(view, data)
    codes, blocks = view.run.languages, data["layer"].to_numpy()
    found = []
    for at in map(tuple, places[first]):
        layer, neuron = int(blocks[at[0]]), int(at[1])
        row = {
            "layer": layer,
            "neuron": neuron,
            "entropy": _short(entropy[at]),
            "error": _short(error[at]),
            "languages": ", ".join(c for c, own in zip(codes, belongs[at], strict=True) if own),
            "address": f"{layer}.{neuron}",
        }
        row |= {f"in_{code}": _short(cells[at][k]) for k, code in enumerate(_columns_for(view))}
        found.append(row)
    return found


def _cells(view: View, data: xr.Dataset) -> np.ndarray:
    """What the columns of languages show: array (layer, neuron, language)."""
    if view.option(CELLS.key) == "rate":
        rates: np.ndarray = data["rate"].to_numpy()
        return rates
    if not view.has("mlp_regions") or "key_z" not in view.run.group("mlp_regions"):
        msg = (
            "z-scores need the analysis mlp_regions of a run with at least three languages. Choose "
            "firing rates, or run the study again with --analyses neurons,mlp_regions."
        )
        raise InputError(msg)
    z: np.ndarray = view.run.group("mlp_regions")["key_z"].to_numpy()
    return z


def _columns_for(view: View) -> Sequence[str]:
    return view.run.languages[:MOST_LANGUAGES]


def _short(value: float) -> float:
    """Six digits, as many as float32 is sure of."""
    return float(f"{float(value):.6g}")


def language_columns(view: View) -> list[dict[str, Any]]:
    """A column for every language, up to the most that a table has."""
    names = view.names
    return [
        {"field": f"in_{code}", "headerName": code, "headerTooltip": names[code], "minWidth": 60}
        | {"filter": False, "type": "numericColumn"}
        | THREE_DIGITS
        for code in _columns_for(view)
    ]


def rows_code(view: View) -> str:
    """The selected neurons in a notebook."""
    end = "_by_layer" if by_layer(view) else ""
    return (
        "import probekit\n\n"
        f"neurons = probekit.open_run({run_path(view)!r}).group('neurons')\n"
        f"chosen = neurons.stack(one=('layer', 'neuron')).where(lambda d: d['selected{end}'], "
        "drop=True)\n"
        "print(chosen[['entropy', 'entropy_error']].to_dataframe().sort_values('entropy'))\n"
    )


def no_ablation(view: View) -> Missing | None:
    """What to do where no ablation lies in the run's folder."""
    from probekit.ablation import saved_ablation

    if saved_ablation(view.run) is not None:
        return None
    return Missing(("ablation",), "", f"probekit ablate {quote(run_path(view))} --save")


def per_language(view: View) -> int:
    """Height of a table with a row a language."""
    return 150 + 24 * len(view.run.languages)


REGIONS = FigureCard(
    name="regions",
    title="Language and meaning by layer",
    reading=(
        "LRDS says how much closer texts of one language lie than texts of different ones, SADS "
        "the same for translations: languages meet where LRDS is low and SADS stays above zero."
    ),
    plot="regions",
    needs=("regions",),
    height=lambda view: 330 + 250 * view.has("mlp_regions"),
    layer_axis=True,
)

TYPES = FigureCard(
    name="types",
    title="Specific, shared and partly shared neurons",
    reading=(
        "A neuron is shared where it is active in all languages of a unit, specific in one, "
        "partial in some, silent in none; dotted is what units paired at random would give."
    ),
    plot="neuron_types",
    needs=("neurons",),
    height=380,
    layer_axis=True,
)

COUNTS = FigureCard(
    name="counts",
    title="Language neurons by layer",
    reading=(
        "How many neurons of each block LAPE gives to each language; the interval and what "
        "exchanged labels would give stand in the hover."
    ),
    plot="neurons",
    arguments=lambda view: {"by_layer": by_layer(view), "languages": view.state.languages},
    needs=("neurons",),
    follows=(THRESHOLDS.key, "langs"),
    height=per_language,
    layer_axis=True,
)

LAPE = FigureCard(
    name="lape",
    title="Entropies at the layer",
    reading=(
        "The lower its entropy, the fewer languages fire a neuron; those left of the cut-off are "
        "selected, and a null cut-off further right says that chance selects no such neurons."
    ),
    plot="lape",
    arguments=lambda view: block(view) | {"by_layer": by_layer(view)},
    needs=("neurons",),
    follows=("layer", THRESHOLDS.key),
    wide=False,
)

RATES = FigureCard(
    name="rates",
    title="The chosen neuron",
    reading=(
        "The share of tokens of each language on which it fires; dashes are the mean of its block."
    ),
    hints={"neuron": "Choose another in the table."},
    plot="neuron_rates",
    arguments=chosen,
    needs=("neurons",),
    follows=("layer", "neuron", "langs"),
    wide=False,
)

TABLE = GridCard(
    name="table",
    title="Selected neurons",
    reading=(
        f"The neurons that LAPE selects, at most {MOST_ROWS}, lowest entropy first (± a jackknife "
        f"standard error), with a column for each of the first {MOST_LANGUAGES} languages."
    ),
    hints={
        "neuron": "Enter on a heading sorts, the space bar on a row chooses its layer and neuron."
    },
    rows=rows,
    columns=(
        {"field": "layer", "headerName": "Layer", "minWidth": 94} | NUMBER,
        {"field": "neuron", "headerName": "Neuron", "minWidth": 104} | NUMBER,
        {"field": "entropy", "headerName": "Entropy", "minWidth": 110} | NUMBER | THREE_DIGITS,
        {"field": "error", "headerName": "±", "minWidth": 76} | NUMBER | THREE_DIGITS,
        {"field": "languages", "headerName": "Languages", "minWidth": 130},
    ),
    more_columns=language_columns,
    sets={"layer": "layer", "neuron": "address"},
    code=rows_code,
    needs=("neurons",),
    follows=(THRESHOLDS.key, CELLS.key),
    height=460,
)

OVERLAP = FigureCard(
    name="overlap",
    title="Overlap by layer",
    reading=(
        "How many of their often firing neurons two languages share on average, between chance "
        "and what samples of mixed languages share."
    ),
    plot="neuron_overlap",
    needs=("neurons",),
    height=340,
    layer_axis=True,
)

PAIRS = FigureCard(
    name="pairs",
    title="Overlap between languages at the layer",
    reading="The share of often firing neurons that two languages have in common; pale is chance.",
    plot="neuron_pairs",
    arguments=lambda view: block(view) | {"languages": view.state.languages},
    needs=("neurons",),
    follows=("layer", "langs"),
    height=460,
    wide=False,
)

STABILITY = FigureCard(
    name="stability",
    title="Found again in the other half",
    reading=(
        "Each language's neurons, selected from both halves of the units: how many are the same, "
        "beside chance."
    ),
    plot="neuron_stability",
    needs=("neurons",),
    height=460,
    wide=False,
)

KEYS = FigureCard(
    name="keys",
    title="Key neurons by layer",
    reading=(
        "Neurons whose mean activation stands out in one language (leave-one-out z), by block; the "
        "caption says how many pass when labels are exchanged."
    ),
    plot="key_neurons",
    arguments=lambda view: {"languages": view.state.languages},
    needs=("mlp_regions",),
    follows=("langs",),
    height=per_language,
    layer_axis=True,
)

ABLATION = FigureCard(
    name="ablation",
    title="What zeroing them costs",
    reading=(
        "Loss of every language (column) when the neurons of one (row) are zeroed, beyond that of "
        "as many random neurons: a strong diagonal says that they are that language's own."
    ),
    plot="ablation",
    needs=("neurons",),
    lacks=no_ablation,
    height=per_language,
)

PAGE = Page(
    path="/neurons",
    title="Regions and neurons",
    order=5,
    lead="Which layers and neurons belong to one language, and which do languages share?",
    controls=(THRESHOLDS, CELLS),
    cards=(
        REGIONS, TYPES, COUNTS, LAPE, RATES, TABLE, OVERLAP, PAIRS, STABILITY, KEYS, ABLATION,
    ),
)  # fmt: skip
