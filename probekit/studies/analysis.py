"""From the shards of a pass to the groups of a run, one layer in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.capture.shards import iterate_states
from probekit.capture.token_statistics import TokenStatistics, merge_moments
from probekit.errors import NumericalError
from probekit.measures import (
    alignment,
    bootstrap_weights,
    cka,
    lrds_left_out,
    permutations,
    region_scores,
    rogue_dimensions,
)
from probekit.sites import FEATURE, LANGUAGE, LANGUAGE_B, LAYER, UNIT, depth
from probekit.studies.corpus_group import corpus_group, language_coordinates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import xarray as xr

    from probekit.capture import TokenizedCorpus
    from probekit.capture.engine import Captured, Progress
    from probekit.corpora import ParallelCorpus
    from probekit.studies.study import Study

N_ROGUE_LISTED = 5
RESAMPLE, PERMUTATION, RANK = "resample", "permutation", "rank"
PAIR = (LANGUAGE, LANGUAGE_B)

#: Group → variable → axes after ``layer``.
AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "cka": {
        "debiased": PAIR,
        "biased": PAIR,
        "standardised": PAIR,
        "without_rogue": PAIR,
        "pair_low": PAIR,
        "pair_high": PAIR,
        "mean": (),
        "mean_low": (),
        "mean_high": (),
        "mean_null95": (),
        "mean_biased": (),
        "mean_standardised": (),
        "mean_without_rogue": (),
        "p_value": (),
        "mean_samples": (RESAMPLE,),
        "mean_samples_left_out": (RESAMPLE,),
        "mean_without": (LANGUAGE,),
        "null_samples": (PERMUTATION,),
    },
    "regions": {
        **{
            f"{name}{end}": ()
            for name in ("lrds", "sads", "lrds_centred", "sads_centred", "ratio")
            for end in ("", "_low", "_high")
        },
        "within": (),
        "across": (),
        "paired": (),
        **{
            f"{name}_{kind}": axes
            for name in ("lrds", "lrds_centred")
            for kind, axes in (
                ("samples", (RESAMPLE,)),
                ("samples_left_out", (RESAMPLE,)),
                ("without", (LANGUAGE,)),
            )
        },
    },
    "alignment": {
        "p_at_1": PAIR,
        "p_at_1_mean": (),
        "p_at_1_mean_low": (),
        "p_at_1_mean_high": (),
        "centred_cosine": PAIR,
        "centred_cosine_mean": (),
        "centred_cosine_mean_low": (),
        "centred_cosine_mean_high": (),
        "random_cosine": PAIR,
        "anisotropy": (LANGUAGE,),
    },
    "norms": {
        "rogue_dimension": (RANK,),
        "rogue_share": (RANK,),
        "participation_ratio": (),
    },
}

Row = dict[str, Any]
ByLayer = dict[str, tuple["xr.Dataset", str, "Callable[[int], np.ndarray]"]]


def analyse(
    study: Study,
    corpus: ParallelCorpus,
    tokens: TokenizedCorpus,
    *,
    captured: Captured,
    progress: Progress,
) -> tuple[dict[str, xr.Dataset], ByLayer]:
    """Groups of a run, and the pooled vectors as a group that is written layer by layer."""
    n_units = corpus.n_units
    weights = bootstrap_weights(n_units, n_resamples=study.bootstrap, seed=study.seed)
    orders = permutations(n_units, n=study.permutations, seed=study.seed)
    moments = merge_moments(iterate_states(captured.store, captured.plan, TokenStatistics.name))
    n_layers = len(moments.mean)

    def vectors(row: int) -> np.ndarray:
        return captured.layer("pooled/vectors", row)

    rows: dict[str, list[Row]] = {}
    for layer_row in _told(progress, range(n_layers), total=n_layers):
        pooled = vectors(layer_row)
        try:
            measured = _measure(study, pooled, weights, orders)
        except NumericalError as error:
            codes = ", ".join(f"{at} {code}" for at, code in enumerate(corpus.languages))
            msg = f"layer {layer_row - 1}: {error} Languages by number: {codes}."
            raise NumericalError(msg) from error
        for group, values in measured.items():
            rows.setdefault(group, []).append(values)
    coordinates = _coordinates(corpus, n_layers)
    groups = {name: _dataset(name, values, coordinates) for name, values in rows.items()}
    if "alignment" in groups:
        groups["alignment"].attrs["p_at_1_chance"] = 1.0 / n_units
    _add_norms(groups["norms"], moments)
    groups["corpus"] = corpus_group(corpus, tokens)
    by_layer: ByLayer = {}
    if study.keep_pooled:
        by_layer["pooled"] = (_pooled_shell(corpus, coordinates), "vectors", vectors)
    return groups, by_layer


def _told(progress: Progress, rows: Iterable[int], *, total: int) -> Iterator[int]:
    """Rows, under a progress bar where the progress has one for layers."""
    bar = getattr(progress, "layers", None)
    return iter(rows) if bar is None else bar(rows, total=total)


def _measure(
    study: Study, pooled: np.ndarray, weights: np.ndarray, orders: np.ndarray
) -> dict[str, Row]:
    found = {"cka": _cka(study, pooled, weights, orders)}
    if "regions" in study.analyses:
        found["regions"] = _regions(pooled, weights)
    if "alignment" in study.analyses:
        found["alignment"] = _alignment(pooled, weights)
    rogue = rogue_dimensions(pooled, N_ROGUE_LISTED)
    found["norms"] = {
        "rogue_dimension": rogue.indices,
        "rogue_share": rogue.shares,
        "participation_ratio": rogue.participation_ratio,
    }
    return found


def _cka(study: Study, pooled: np.ndarray, weights: np.ndarray, orders: np.ndarray) -> Row:
    result = cka(pooled, weights=weights, permutations=orders, n_rogue=study.rogue_dimensions)
    pairs = np.triu_indices(len(pooled), 1)
    row = {name: getattr(result, name) for name in AXES["cka"] if hasattr(result, name)}
    for name in ("biased", "standardised", "without_rogue"):
        row[f"mean_{name}"] = float(getattr(result, name)[pairs].mean())
    return _without_empty(row)


def _regions(pooled: np.ndarray, weights: np.ndarray) -> Row:
    result = region_scores(pooled, weights=weights)
    row = {name: getattr(result, name) for name in AXES["regions"] if hasattr(result, name)}
    for name, centred in (("lrds", False), ("lrds_centred", True)):
        left_out = lrds_left_out(pooled, weights=weights, centred=centred)
        for kind in ("samples", "samples_left_out", "without"):
            row[f"{name}_{kind}"] = getattr(left_out, kind)
    return _without_empty(row)


def _alignment(pooled: np.ndarray, weights: np.ndarray) -> Row:
    result = alignment(pooled, weights=weights)
    row = {name: getattr(result, name) for name in AXES["alignment"] if hasattr(result, name)}
    for name in ("p_at_1", "centred_cosine"):
        row[f"{name}_mean_low"] = getattr(result, f"{name}_low")
        row[f"{name}_mean_high"] = getattr(result, f"{name}_high")
    return row


def _without_empty(row: Row) -> Row:
    """Leave out what does not exist with two languages, rather than invent it."""
    return {name: value for name, value in row.items() if np.size(value)}


def _coordinates(corpus: ParallelCorpus, n_layers: int) -> dict[str, Any]:
    layers = np.arange(-1, n_layers - 1)
    return {
        LAYER: (LAYER, layers, {"long_name": "block; -1 is the embedding"}),
        "depth": (LAYER, np.array([depth(int(layer), n_layers - 1) for layer in layers])),
        **language_coordinates(corpus),
    }


def _dataset(group: str, rows: list[Row], coordinates: dict[str, Any]) -> xr.Dataset:
    """Stack the layers of one group under named axes."""
    import xarray as xr

    variables = {
        name: ((LAYER, *AXES[group][name]), np.stack([np.asarray(row[name]) for row in rows]))
        for name in rows[0]
    }
    used = {LAYER}.union(*(set(axes) for axes, _ in variables.values()))
    kept = {name: value for name, value in coordinates.items() if value[0] in used}
    return xr.Dataset(variables, coords=kept)


def _add_norms(norms: xr.Dataset, moments: Any) -> None:
    """Token-level sizes beside the rogue dimensions."""
    norms["norm_median"] = ((LAYER, LANGUAGE), np.median(moments.norms, axis=2))
    norms["norm_median_all"] = (LAYER, np.median(moments.norms, axis=(1, 2)))
    for name in ("max_abs", "max_abs_first"):
        values = getattr(moments, name)
        norms[name] = (LAYER, values.max(axis=1))
        norms[f"{name}_dimension"] = (LAYER, values.argmax(axis=1))
    norms["token_variance"] = (LAYER, moments.variance.sum(axis=1))
    norms["token_variance_top_share"] = (
        LAYER,
        moments.variance.max(axis=1) / moments.variance.sum(axis=1),
    )
    norms.attrs["n_tokens"] = moments.n


def _pooled_shell(corpus: ParallelCorpus, coordinates: dict[str, Any]) -> xr.Dataset:
    import xarray as xr

    kept = {name: value for name, value in coordinates.items() if value[0] in {LAYER, LANGUAGE}}
    kept[UNIT] = (UNIT, np.array(corpus.units, dtype=object))
    shell = xr.Dataset(coords=kept)
    shell.attrs["axes"] = " ".join((LANGUAGE, UNIT, FEATURE))
    return shell
