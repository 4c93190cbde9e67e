"""The parts of a ``layer-selection/1`` document, one function per part; plain JSON values only.

Infinite ratios become ``None``: JSON has no infinity. No part computes anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from probekit.selection.agreement import Agreement
from probekit.selection.columns import Column, FloatArray
from probekit.selection.controls import Control
from probekit.selection.evidence import Evidence, ModelCard
from probekit.selection.parameters import ParameterSet
from probekit.selection.ranking import RankedBlock
from probekit.selection.stability import Redrawn, Stability
from probekit.sites import depth

# name in the document, attribute of Evidence, which way is better
_INTERVAL_METRICS = (
    ("lrds", "lrds", "low"),
    ("lrds_centred", "lrds_centred", "low"),
    ("sads", "sads", "high"),
    ("lrds_over_sads", "ratio", "low"),
)


def tool(run_id: str | None, seed: int) -> dict[str, Any]:
    """Who wrote the document."""
    part: dict[str, Any] = {"name": "probekit", "seed": int(seed)}
    try:
        part["version"] = version("probekit")
    except PackageNotFoundError:  # a source tree that was never installed
        part["version"] = "unknown"
    return part if run_id is None else {**part, "run_id": run_id}


def model(card: ModelCard | None, n_blocks: int) -> dict[str, Any]:
    """Who the model is; "unknown" without a card."""
    if card is None:
        unknown = "unknown"
        return {
            "id": unknown,
            "revision": None,
            "model_type": unknown,
            "n_layers": n_blocks,
            "layers_path": unknown,
            "roles": {},
        }
    optional = {
        "hidden_size": card.hidden_size,
        "final_norm": card.final_norm,
        "lm_head": card.lm_head,
        "dtype": card.dtype,
        "state_sha256": card.state_sha256,
    }
    return {
        "id": card.id,
        "revision": card.revision,
        "model_type": card.model_type,
        "n_layers": card.n_layers,
        "layers_path": card.layers_path,
        "roles": dict(card.roles),
        **{key: value for key, value in optional.items() if value is not None},
    }


def convention() -> dict[str, Any]:
    """How blocks are counted."""
    return {
        "layer_index": "block0",
        "hidden_states_offset": 1,
        "last_hidden_state_post_norm": True,
        "depth": "(layer+1)/n_layers",
    }


def inputs(evidence: Evidence, pooling: str) -> dict[str, Any]:
    """Languages and units behind the evidence."""
    languages = [
        {"code": code, "role": role, "n": int(evidence.n_units)}
        for role, codes in (("source", evidence.languages), ("held_out", evidence.held_out))
        for code in codes
    ]
    return {
        "languages": languages,
        "n_items": int(evidence.n_units),
        "parallel": True,
        "pooling": pooling,
    }


def metrics(evidence: Evidence, columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    """Per-layer numbers with intervals; Align also with its null; then what else the rule read."""
    align = _metric(evidence, "align", name="cka_mean", better="high")
    align["null"] = {"kind": "permutation", "q95": _numbers(evidence.align_null95)}
    align["params"] = {"estimator": "debiased", "kernel": "linear", "p": _numbers(evidence.align_p)}
    norms: dict[str, Any] = {
        "name": "act_norm_median",
        "better": "none",
        "evidence": "descriptive",
        "per_layer": [
            {"layer": layer, "value": float(evidence.activation_norm_median[layer])}
            for layer in evidence.layers
        ],
    }
    others = [
        _metric(evidence, attribute, name=name, better=better)
        for name, attribute, better in _INTERVAL_METRICS
    ]
    core = {"cka.mean", "regions.lrds", "regions.lrds_centred", "regions.sads", "regions.ratio"}
    read = [_column(each) for name, each in columns.items() if name not in core]
    return [align, *others, norms, *read]


def _column(column: Column) -> dict[str, Any]:
    """A column that a rule read, under its name in the run."""
    rows: list[dict[str, Any]] = [
        {"layer": layer, "value": float(value)} for layer, value in enumerate(column.value)
    ]
    if column.low is not None and column.high is not None:
        for row, low, high in zip(rows, column.low, column.high, strict=True):
            row["ci95"] = [float(low), float(high)]
    return {
        "name": column.name,
        "better": "none",
        "evidence": "descriptive",
        "params": {"resamples": column.origin},
        "per_layer": rows,
    }


def _metric(evidence: Evidence, attribute: str, *, name: str, better: str) -> dict[str, Any]:
    value: FloatArray = getattr(evidence, attribute)
    low: FloatArray = getattr(evidence, f"{attribute}_low")
    high: FloatArray = getattr(evidence, f"{attribute}_high")
    per_layer = [
        {
            "layer": layer,
            "value": _number(value[layer]),
            "ci95": [_number(low[layer]), _number(high[layer])],
            "n": int(evidence.n_units),
        }
        for layer in evidence.layers
    ]
    return {"name": name, "better": better, "evidence": "descriptive", "per_layer": per_layer}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _numbers(values: FloatArray) -> list[float]:
    return [float(value) for value in values]


def ranked(block: RankedBlock, n_blocks: int) -> dict[str, Any]:
    """One block's standing, with its relative depth."""
    return {
        "layer": block.layer,
        "depth": depth(block.layer, n_blocks),
        "score": block.score,
        "rank_ci95": [block.rank_low, block.rank_high],
        "selected_in": block.selected_in,
    }


def stability(part: Stability, *, refused: bool = False) -> dict[str, Any]:
    """Region stability: what moves it. A refusal has no region that others could overlap."""
    found: dict[str, Any] = {
        "bootstrap_n": part.bootstrap_n,
        "unit": part.unit,
        "threshold_sensitivity": [
            {
                "parameter": each.parameter,
                "value": each.value,
                **_redrawn(each.redrawn, refused=refused),
            }
            for each in part.threshold_sensitivity
        ],
        "leave_one_language_out": {
            language: _redrawn(each, refused=refused)
            for language, each in part.leave_one_language_out.items()
        },
    }
    if refused:
        return found
    summary: dict[str, Any] = {
        "settings": len(part.threshold_sensitivity),
        "keeps_region": {name: list(ends) for name, ends in part.ranges.items()},
    }
    if part.share_of_settings is not None:
        summary["share_jaccard_half"] = part.share_of_settings
    return {
        **found,
        "region_jaccard_mean": part.region_jaccard_mean,
        "sensitivity_summary": summary,
    }


def _redrawn(part: Redrawn, *, refused: bool) -> dict[str, Any]:
    region = {"region": list(part.region)}
    return region if refused else {**region, "jaccard": part.jaccard}


def agreement(part: Agreement) -> dict[str, Any]:
    """Kendall's tau of two measures or rules."""
    found: dict[str, Any] = {
        "metric_a": part.metric_a,
        "metric_b": part.metric_b,
        "kendall_tau": part.kendall_tau,
    }
    if part.low is not None:
        found["ci95"] = [part.low, part.high]
    if part.region is not None:
        found["region_b"] = list(part.region)
    return found if part.jaccard is None else {**found, "jaccard": part.jaccard}


def control(part: Control) -> dict[str, Any]:
    """Layers of a control, with its seed or source where it has one."""
    document: dict[str, Any] = {"kind": part.kind, "layers": list(part.layers)}
    if part.seed is not None:
        document["seed"] = part.seed
    return document if part.note is None else {**document, "note": part.note}


def parameters(part: ParameterSet) -> dict[str, Any]:
    """Exact tensor names and what derives from them."""
    return {
        "names": list(part.names),
        "count": len(part.names),
        "numel": part.numel,
        "share": part.share,
        "names_sha256": part.names_sha256,
        "regex": {} if part.pattern is None else {"python_fullmatch": part.pattern},
    }
