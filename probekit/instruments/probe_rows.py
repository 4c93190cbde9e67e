"""From probe results to the variables of a run: names, axes, baselines, attributes.

Costs copies of small arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.measures.probing import (
    Items,
    Resampler,
    estimate,
    frequency_code,
    language_identity,
    majority_accuracy,
    remove_language,
)
from probekit.sites import LANGUAGE, LANGUAGE_B, LAYER, PAIR, TASK, UNIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from probekit.instruments.instrument import Evidence, Row
    from probekit.measures.probing import Estimate, OnlineCode, ProbeScores
    from probekit.probing.plan import Plan, Sheet

BY, PAIRS = (TASK, LANGUAGE), (TASK, *PAIR)
ENDS = ("", "_low", "_high")
#: Class of an item, and class that it is told to be of; tasks with fewer classes are padded with 0.
CONFUSED = ("class_true", "class_told")

#: Variables with an interval: name → axes after ``layer``.
WITH_INTERVAL: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("accuracy", "macro_f1", "shuffled", "control", "selectivity", "mdl", "compression"), BY
    ),
    **dict.fromkeys(("transfer", "transfer_centred"), PAIRS),
    **dict.fromkeys(
        (
            f"{name}_mean"
            for name in (
                *("accuracy", "macro_f1", "shuffled", "control", "selectivity", "mdl"),
                *("compression", "transfer", "transfer_centred", "transfer_groups"),
                "transfer_centred_groups",
            )
        ),
        (TASK,),
    ),
    "accuracy_all": (),
    "accuracy_by_language": (LANGUAGE,),
}
AXES: dict[str, tuple[str, ...]] = {
    **{f"{name}{end}": axes for name, axes in WITH_INTERVAL.items() for end in ENDS},
    "transfer_normalised": PAIRS,
    "normalisable": (TASK, LANGUAGE_B),
    "hits": (TASK, LANGUAGE, UNIT),
    "confusion": (TASK, LANGUAGE, *CONFUSED),
    "penalty": BY,
    "mdl_penalty": BY,
    "control_all": (),
    "transfer_all": (),
    "transfer_centred_all": (),
    "compression_all": (),
}
LANGUAGE_AXES: dict[str, tuple[str, ...]] = {
    **{
        f"{name}{end}": ()
        for name in (
            *("accuracy", "macro_f1", "mdl", "compression", "leace_accuracy", "inlp_accuracy"),
        )
        for end in ENDS
    },
    **{f"recall{end}": (LANGUAGE,) for end in ENDS},
    "confusion": PAIR,
    "mdl_penalty": (),
    "leace_rank": (),
    "inlp_directions": (),
    "inlp_at_chance": (),
}


def stack(
    scores: Sequence[tuple[ProbeScores, np.ndarray]],
    codes: Sequence[OnlineCode],
    weights: np.ndarray,
) -> Row:
    """Variables of one layer of the group ``probes``: tasks first, then languages."""
    tasks = [score for score, _ in scores]
    row: Row = {}
    for name in ("accuracy", "macro_f1", "selectivity", "transfer", "transfer_centred"):
        _put(row, name, [getattr(task, name) for task in tasks])
    for name in ("shuffled", "control"):
        _put(row, name, [task.baselines[name] for task in tasks])
    for name in tasks[0].mean:
        _put(row, f"{name}_mean", [task.mean[name] for task in tasks])
    row["transfer_normalised"] = np.stack([task.transfer_normalised for task in tasks])
    row["normalisable"] = np.stack([task.normalisable for task in tasks])
    row["hits"] = np.stack([task.hits for task in tasks])
    row["confusion"] = _padded([task.confusion for task in tasks])
    row["penalty"] = np.stack([np.exp(np.log(chosen).mean(1)) for _, chosen in scores])
    if codes:
        _put(row, "mdl", [code.bits for code in codes])
        _put(row, "compression", [code.compression for code in codes])
        _put(row, "mdl_mean", [code.mean_bits for code in codes])
        _put(row, "compression_mean", [code.mean_compression for code in codes])
        row["mdl_penalty"] = np.stack([code.penalty for code in codes])
        row["compression_all"] = float(row["compression_mean"].mean())
    counts = np.stack([task.counts for task in tasks])
    value, drawn = Resampler(weights).ratio(row["hits"], counts)
    _put_one(row, "accuracy_all", estimate(value.mean(), drawn.mean((1, 2))))
    _put_one(row, "accuracy_by_language", estimate(value.mean(0), drawn.mean(1)))
    row["control_all"] = float(row["control_mean"].mean())
    for name in ("transfer", "transfer_centred"):
        if f"{name}_mean" in row:
            row[f"{name}_all"] = float(row[f"{name}_mean"].mean())
    return row


def _padded(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Tables (language, class, class) of several sizes as one array (task, …), zeros around."""
    most = max(table.shape[-1] for table in tables)
    return np.stack(
        [np.pad(table, ((0, 0), *2 * ((0, most - table.shape[-1]),))) for table in tables]
    )


def _put(row: Row, name: str, estimates: Sequence[Estimate]) -> None:
    """A variable by task, with its interval."""
    for end, part in zip(ENDS, ("value", "low", "high"), strict=True):
        row[f"{name}{end}"] = np.stack([np.asarray(getattr(each, part)) for each in estimates])


def _put_one(row: Row, name: str, found: Estimate) -> None:
    for end, part in zip(ENDS, ("value", "low", "high"), strict=True):
        row[f"{name}{end}"] = np.asarray(getattr(found, part))


def language_row(vectors: np.ndarray, plan: Plan, options: Any, *, evidence: Evidence) -> Row:
    """Variables of one layer of the group ``language_id``."""
    units = language_units(plan, options, n_languages=len(vectors))
    found = language_identity(
        vectors,
        units,
        folds=plan.folds,
        order=plan.order,
        weights=evidence.weights,
        penalty=options.language_penalty,
        penalties=options.penalties,
        device=options.device,
    )
    row: Row = {}
    for name in ("accuracy", "macro_f1", "recall"):
        _put_one(row, name, getattr(found, name))
    row["confusion"] = found.confusion
    if options.mdl:
        _put_one(row, "mdl", found.code.mean_bits)
        _put_one(row, "compression", found.code.mean_compression)
        row["mdl_penalty"] = float(found.code.penalty[0])
    return row


def removal_row(vectors: np.ndarray, plan: Plan, options: Any) -> Row:
    """Variables of one layer of ``language_id`` that say what erasing language takes."""
    found = remove_language(
        vectors,
        language_units(plan, options, n_languages=len(vectors)),
        held_out=plan.folds == 0,
        penalty=options.language_penalty,
        max_steps=options.removal_steps,
        device=options.device,
    )
    row: Row = {
        "leace_rank": found.leace_rank,
        "inlp_directions": found.directions,
        "inlp_at_chance": found.at_chance,
    }
    _put_one(row, "leace_accuracy", found.leace_accuracy)
    _put_one(row, "inlp_accuracy", found.accuracy[-1])
    return row


def language_units(plan: Plan, options: Any, *, n_languages: int) -> np.ndarray:
    """Units on which language identity is probed: all, or as many as the limit of texts allows."""
    most = max(4 * options.folds, options.language_texts // n_languages)
    found: np.ndarray = np.sort(plan.order[:most])
    return found


def finish(
    groups: dict[str, xr.Dataset], plan: Plan, options: Any, *, evidence: Evidence
) -> dict[str, xr.Dataset]:
    """Add what does not depend on the layer, the gain over the embedding, and attributes."""
    said = {
        "folds": options.folds,
        "n_units": evidence.corpus.n_units,
        "seed": evidence.seed,
        "interval": "95 % percentiles over resamples of units, probes as fitted",
        "left_out": [f"{name}: {why}" for name, why in plan.problems.items()],
    }
    if "probes" in groups:
        groups["probes"] = _with_levels(groups["probes"], plan, evidence)
        groups["probes"].attrs |= {
            **said,
            "penalties": list(options.penalties),
            "classes": [list(task.classes) for task in plan.tasks],
            "probe": "L2 logistic regression, standardised on the training folds of units",
            "sources": list(options.sources),
            "targets": list(options.targets),
        }
    if "language_id" in groups:
        n = len(evidence.corpus.languages)
        units = language_units(plan, options, n_languages=n)
        groups["language_id"].attrs |= {
            **said,
            "n_units": len(units),
            "n_texts": n * len(units),
            "chance": 1 / n,
            "penalty": options.language_penalty,
            "mdl_uniform": float(n * len(units) * np.log2(n)),
            "removal_steps": options.removal_steps,
        }
    return groups


def _with_levels(group: xr.Dataset, plan: Plan, evidence: Evidence) -> xr.Dataset:
    """Majority, items and codes without vectors; accuracy beyond the embedding's."""
    levels = [_levels(sheet, at, plan) for sheet in plan.sheets for at in range(len(sheet.tasks))]
    for name in ("majority", "n_items", "mdl_uniform", "mdl_frequency"):
        group[name] = (BY, np.stack([level[name] for level in levels]))
    group["majority_mean"] = (TASK, group["majority"].to_numpy().mean(1))
    group["majority_all"] = (LAYER, np.full(group.sizes[LAYER], group["majority"].mean()))
    group["n_classes"] = (TASK, np.array([task.n_classes for task in plan.tasks]))
    ratio = group["mdl_uniform"].to_numpy() / group["mdl_frequency"].to_numpy()
    group["compression_frequency"] = (BY, ratio)
    _add_gain(group, plan, evidence)
    names = np.array([task.name for task in plan.tasks], dtype=object)
    units = np.array(evidence.corpus.units, dtype=object)
    return group.assign_coords({TASK: (TASK, names), UNIT: (UNIT, units)})


def _levels(sheet: Sheet, at: int, plan: Plan) -> dict[str, np.ndarray]:
    """What one task gives away without any vectors, by language."""
    items = Items(np.zeros((*sheet.units.shape, 1)), sheet.units, len(plan.folds))
    task = sheet.labels[at]
    counts = (sheet.units >= 0).sum(1)
    return {
        "majority": majority_accuracy(items, task),
        "n_items": counts,
        "mdl_uniform": counts * np.log2(task.n_classes),
        "mdl_frequency": frequency_code(items, task, plan.order),
    }


def _add_gain(group: xr.Dataset, plan: Plan, evidence: Evidence) -> None:
    """``above_embedding``: accuracy minus that of layer -1, paired over units."""
    counts = []
    for sheet in plan.sheets:
        items = Items(np.zeros((*sheet.units.shape, 1)), sheet.units, len(plan.folds))
        counts += [items.sums((sheet.units >= 0) * 1.0)] * len(sheet.tasks)
    value, drawn = Resampler(evidence.weights).ratio(group["hits"].to_numpy(), np.stack(counts))
    gain, gains = value - value[:1], drawn - drawn[:, :1]
    parts = {
        "above_embedding": ((LAYER, *BY), estimate(gain, gains)),
        "above_embedding_mean": ((LAYER, TASK), estimate(gain.mean(-1), gains.mean(-1))),
    }
    for name, (axes, found) in parts.items():
        for end, part in zip(ENDS, ("value", "low", "high"), strict=True):
            group[f"{name}{end}"] = (axes, getattr(found, part))
