"""Align and regions of a run measured again on some of its languages, from its pooled vectors.

The others are held out: no number of the result has seen them. Costs what the two instruments cost:
about half a second a block for 168 units, eleven languages and 200 resamples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import RunError
from probekit.measures import bootstrap_weights, cka, lrds_left_out, permutations, region_scores
from probekit.measures.transforms import apply
from probekit.sites import LANGUAGE, LAYER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.runs import Run
    from probekit.selection.columns import FloatArray

_ALIGN = {
    "align": "mean",
    "align_low": "mean_low",
    "align_high": "mean_high",
    "align_null95": "mean_null95",
    "align_p": "p_value",
    "align_samples": "mean_samples",
    "align_samples_left_out": "mean_samples_left_out",
    "align_without": "mean_without",
}
_REGIONS = tuple(
    f"{name}{end}"
    for name in ("lrds", "lrds_centred", "sads", "ratio")
    for end in ("", "_low", "_high")
)


def measure_again(run: Run, languages: Sequence[str]) -> dict[str, FloatArray | None]:
    """Arrays of :class:`~probekit.selection.evidence.Evidence` for some languages of a run.

    The same estimators, resamples and permutations as the run's own: for all languages the numbers
    are the run's.

    Raises
    ------
    RunError
        The run kept no pooled vectors.
    """
    if "pooled" not in run.results.children:
        msg = (
            f"run {run.folder.name!r} has no pooled vectors, which are needed to hold languages "
            "out. Run the study again with keep_pooled: true, or drop --source and --held-out."
        )
        raise RunError(msg)
    made = run.manifest.estimators
    n_units, seed = int(run.manifest.corpus["n_units"]), int(made["seed"])
    weights = bootstrap_weights(n_units, n_resamples=int(made["bootstrap"]), seed=seed)
    orders = permutations(n_units, n=int(made["permutations"]), seed=seed)
    vectors = run.pooled["vectors"].sel({LANGUAGE: list(languages)})
    rows = [
        _measure(
            apply(made["after"], vectors.sel({LAYER: block}).to_numpy()),
            weights=weights,
            orders=orders,
        )
        for block in range(run.n_blocks)
    ]
    return {name: _stack([row[name] for row in rows]) for name in rows[0]}


def _measure(vectors: Any, *, weights: Any, orders: Any) -> dict[str, Any]:
    found = cka(vectors, weights=weights, permutations=orders)
    scores = region_scores(vectors, weights=weights)
    row = {name: getattr(found, attribute) for name, attribute in _ALIGN.items()}
    row |= {name: getattr(scores, name) for name in _REGIONS}
    for name, centred in (("lrds", False), ("lrds_centred", True)):
        left_out = lrds_left_out(vectors, weights=weights, centred=centred)
        for kind in ("samples", "samples_left_out", "without"):
            row[f"{name}_{kind}"] = getattr(left_out, kind)
    return row


def _stack(values: list[Any]) -> FloatArray | None:
    """By block; ``None`` for what does not exist with two languages."""
    stacked = np.stack([np.asarray(value, dtype=np.float64) for value in values])
    return stacked if stacked.size else None
