"""An experiment as one page that opens from disk: what was done, tables, figures, all values.

Plotly's script is inside (4 MB); nothing is fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.figures.erasure_document import read_experiment
from probekit.figures.erasure_page import listed_html, page_html, table_html
from probekit.figures.experiment import contrasts_by_place, shares_by_place
from probekit.figures.experiment_matrix import answered_by_source
from probekit.figures.experiment_table import COLUMNS, CONTRASTS, contrast_rows, place_rows

if TYPE_CHECKING:
    from probekit.experiment import Outcome
    from probekit.figures.experiment_document import ExperimentDocument

__all__ = ["about_experiment", "experiment_page"]

NOTES = (
    "Shares of facts that the taught model answers and the erased one still answers, over seeds, "
    "with 95 % intervals over facts.",
    "Carried over: of what was forgotten in the source, the part forgotten in held-out languages.",
    "Accuracy is teacher-forced: what an attack brings back stands under verdicts, for the arms "
    "that were verified.",
)


def experiment_page(outcome: Outcome) -> str:
    """The page of an experiment: shares by place, the matrix of languages, the contrasts.

    Raises
    ------
    InputError
        Its record is not whole.
    """
    found = read_experiment(outcome)
    places = [tuple(row.values()) for row in place_rows(found)]
    contrasts = [tuple(row.values()) for row in contrast_rows(found)]
    tables = (
        ("By place", tuple(COLUMNS.values()), places),
        ("The selection against each other place", tuple(CONTRASTS.values()), contrasts),
    )
    return page_html(
        f"Experiment: {found.plan.model}",
        about=listed_html(about_experiment(found)),
        table="".join(table_html(*each) for each in tables if each[2]),
        figures=[shares_by_place(found), answered_by_source(found), contrasts_by_place(found)],
        notes=(*NOTES, *found.notes),
        record={"rows": found.rows, "contrasts": found.contrasts},
    )


def about_experiment(found: ExperimentDocument) -> dict[str, str]:
    """What was taught, selected and erased, in words."""
    known = (f"{code} {each.accuracy:.2f}" for code, each in found.teaching.after.items())
    region, moved = found.selection.region, found.selection.update_layers
    kept = f"kept in every arm ({len(found.arms)})"
    return {
        "Model": found.plan.model,
        "Facts": found.facts.name,
        "Taught": f"{', '.join(known)} after {found.teaching.steps} steps",
        "Region": (
            f"blocks {region[0]}–{region[-1]} ({found.selection.status}); "
            f"{', '.join(map(str, moved))} move"
        ),
        "Algorithms": ", ".join(found.algorithms),
        "Erased in": ", ".join(found.sources),
        "Places": ", ".join(found.places),
        "Seeds": ", ".join(map(str, found.plan.seeds)),
        "Contract": f"BROKEN in {', '.join(found.broken)}" if found.broken else kept,
    }
