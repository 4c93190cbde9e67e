"""Page 6, Probes: what a linear probe reads, what of it is its own doing, where it transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit_app.cards import FigureCard
from probekit_app.controls import Choice, RunChoice
from probekit_app.missing import Missing, command
from probekit_app.page import Page

if TYPE_CHECKING:
    from probekit_app.runs_folder import OpenedRun
    from probekit_app.view import View


def tasks(opened: OpenedRun) -> dict[str, str]:
    """Tasks of a run by name."""
    if "probes" not in opened.groups:
        return {}
    names = opened.run.group("probes")["task"].to_numpy()
    return {str(name): str(name).replace("_", " ") for name in names}


TASK = RunChoice(key="probes.task", label="Task", values=tasks, help="What the probes read.")
QUANTITY = Choice(
    key="probes.quantity",
    label="By language",
    values={
        "accuracy": "Accuracy",
        "selectivity": "Selectivity",
        "above_embedding": "Beyond embedding",
        "compression": "Compression",
    },
    help="What the curves of single languages show.",
)
VECTORS = Choice(
    key="probes.vectors",
    label="Transfer of",
    values={"raw": "Raw", "centred": "Centred"},
    help="Whether each language's training mean is removed before a probe is tried on another.",
)


def task(view: View) -> dict[str, Any]:
    """The chosen task, the run's first one by default."""
    assert view.opened is not None  # a card is drawn for a run
    return {"task": view.option(TASK.key) or next(iter(tasks(view.opened)))}


def at_layer(view: View) -> dict[str, Any]:
    """The chosen task at the chosen layer, in the chosen languages."""
    return task(view) | {"layer": view.state.layer, "languages": view.state.languages}


def no_confusion(group: str) -> Any:
    """Says what to run where a run's probes kept no confusions."""

    def lacks(view: View) -> Missing | None:
        if "confusion" in view.run.group(group):
            return None
        reason = "This run was made before probes kept what they take for what."
        return Missing(("probes",), reason, command(view, ("probes",)))

    return lacks


def no_codes(view: View) -> Missing | None:
    """Says what to change where a run's probes computed no codes."""
    if "compression_mean" in view.run.group("probes"):
        return None
    reason = "The option probes.mdl is false: set it to true in the run's study.yaml."
    return Missing(("probes.mdl",), reason, command(view, ("probes",)))


ACCURACY = FigureCard(
    name="accuracy",
    title="What a probe can read",
    reading=(
        "Held-out accuracy, mean over languages. What counts is its distance from the control "
        "task, which random labels give, and from the commonest class."
    ),
    plot="probe_accuracy",
    arguments=task,
    needs=("probes",),
    follows=(TASK.key,),
    height=380,
    layer_axis=True,
)

SELECTIVITY = FigureCard(
    name="selectivity",
    title="What of it the vectors give",
    reading=(
        "Selectivity is accuracy beyond that of the control task: near 0 the probe has merely "
        "learnt its labels by heart; beyond the embedding says what the blocks have added."
    ),
    plot="probe_selectivity",
    arguments=task,
    needs=("probes",),
    follows=(TASK.key,),
    height=320,
    layer_axis=True,
)

LANGUAGES = FigureCard(
    name="languages",
    title="Language by language",
    reading=(
        "The same for every chosen language, probes trained and tested in it; with three languages "
        "or fewer their intervals are drawn, else they stand in the hover."
    ),
    plot="probe_languages",
    arguments=lambda view: (
        task(view) | {"quantity": view.option(QUANTITY.key), "languages": view.state.languages}
    ),
    needs=("probes",),
    follows=(TASK.key, QUANTITY.key, "langs"),
    height=400,
    layer_axis=True,
)

TRANSFER = FigureCard(
    name="transfer",
    title="Does it work in another language?",
    reading=(
        "Where languages share a space, a probe trained in one works in the others; where "
        "centring helps, languages differ by an offset."
    ),
    plot="probe_transfer",
    arguments=task,
    needs=("probes",),
    follows=(TASK.key,),
    height=380,
    layer_axis=True,
)

MATRIX = FigureCard(
    name="matrix",
    title="Transfer at the layer",
    reading=(
        "Trained in the row's language, tested in the column's; pale is the commonest class, red "
        "is worse than that. The hover says interval and n."
    ),
    plot="transfer_pairs",
    arguments=lambda view: at_layer(view) | {"centred": view.option(VECTORS.key) == "centred"},
    needs=("probes",),
    follows=(TASK.key, VECTORS.key, "layer", "langs"),
    height=480,
    wide=False,
)

CONFUSION = FigureCard(
    name="confusion",
    title="What is taken for what at the layer",
    reading=(
        "Of the items of a row's class, the share that is told to be of the column's, the chosen "
        "languages together; the hover says how many."
    ),
    plot="probe_confusion",
    arguments=at_layer,
    needs=("probes",),
    lacks=no_confusion("probes"),
    follows=(TASK.key, "layer", "langs"),
    height=480,
    wide=False,
)

CODES = FigureCard(
    name="codes",
    title="How cheaply labels are told",
    reading=(
        "Compression: how many times shorter the labels become for somebody who holds the vectors "
        "(minimum description length); 1 is no help at all."
    ),
    plot="probe_codes",
    arguments=task,
    needs=("probes",),
    lacks=no_codes,
    follows=(TASK.key,),
    height=340,
    layer_axis=True,
)

IDENTITY = FigureCard(
    name="identity",
    title="How strongly language is written",
    reading=(
        "Accuracy of telling the language is high nearly everywhere, so look at its price in bits "
        "and at how many directions must go until a fresh probe fails (INLP, LEACE)."
    ),
    plot="language_identity",
    needs=("language_id",),
    height=720,
    layer_axis=True,
)

RECALL = FigureCard(
    name="recall",
    title="Which languages are recognised",
    reading=(
        "The share of each language's texts that is told to be in it, by layer; pale is chance."
    ),
    plot="language_recall",
    arguments=lambda view: {"languages": view.state.languages},
    needs=("language_id",),
    follows=("langs",),
    height=lambda view: 150 + 24 * len(view.run.languages),
    layer_axis=True,
)

MISTAKEN = FigureCard(
    name="mistaken",
    title="Which languages are taken for which at the layer",
    reading="Of the texts in a row's language, the share that is told to be in the column's.",
    plot="language_confusion",
    arguments=lambda view: {"layer": view.state.layer},
    needs=("language_id",),
    lacks=no_confusion("language_id"),
    follows=("layer",),
    height=480,
    wide=False,
)

PAGE = Page(
    path="/probes",
    title="Probes",
    order=6,
    lead="What can be read from a layer, in one language and from one language in another?",
    controls=(TASK, QUANTITY, VECTORS),
    cards=(
        ACCURACY, SELECTIVITY, LANGUAGES, TRANSFER, MATRIX, CONFUSION, CODES, IDENTITY, RECALL,
        MISTAKEN,
    ),
)  # fmt: skip
