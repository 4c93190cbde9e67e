"""From the shards of a pass to the groups of a run, one layer in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.capture.shards import iterate_states
from probekit.errors import NumericalError
from probekit.instruments import Evidence
from probekit.instruments.coordinates import run_coordinates
from probekit.measures import bootstrap_weights, permutations
from probekit.measures.transforms import apply
from probekit.sites import FEATURE, LANGUAGE, LAYER, UNIT
from probekit.studies.corpus_group import corpus_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import xarray as xr

    from probekit.capture import TokenizedCorpus
    from probekit.capture.engine import Captured, Progress
    from probekit.corpora import ParallelCorpus
    from probekit.instruments import Instrument, Row
    from probekit.studies.study import Study

Rows = dict[str, list["Row"]]
ByLayer = dict[str, tuple["xr.Dataset", str, "Callable[[int], np.ndarray]"]]


def analyse(
    study: Study,
    corpus: ParallelCorpus,
    tokens: TokenizedCorpus,
    *,
    instruments: Sequence[Instrument],
    captured: Captured,
    progress: Progress,
) -> tuple[dict[str, xr.Dataset], ByLayer]:
    """Groups of a run, and the pooled vectors as a group that is written layer by layer.

    Raises
    ------
    NumericalError
        A measure that does not exist for these vectors; names the layer.
    """
    evidence = gather(study, corpus, tokens, captured=captured, progress=progress)
    rows: Rows = {}
    for row in _told(progress, range(evidence.n_layers), total=evidence.n_layers):
        _measure_layer(row, evidence, instruments=instruments, rows=rows)
    groups: dict[str, xr.Dataset] = {}
    for done, instrument in enumerate(instruments):
        _step(progress, instrument.name, done=done, total=len(instruments))
        found = instrument.finish(_stacked(instrument, rows, evidence), evidence)
        _describe(instrument, found)
        groups |= {name: evidence.label(group) for name, group in found.items()}
    _check_finite(groups)
    groups["corpus"] = corpus_group(corpus, tokens)
    by_layer: ByLayer = {}
    if study.keep_pooled:
        shell = _pooled_shell(corpus, evidence.coordinates)
        by_layer["pooled"] = (shell, "vectors", _reader(captured))
    return groups, by_layer


def gather(
    study: Study,
    corpus: ParallelCorpus,
    tokens: TokenizedCorpus,
    *,
    captured: Captured,
    progress: Progress,
) -> Evidence:
    """What a pass left, with the resamples and permutations that every instrument shares."""
    read = _reader(captured)
    n_layers, *_, d_model = captured.shape("pooled/vectors")
    return Evidence(
        corpus=corpus,
        tokens=tokens,
        seed=study.seed,
        n_blocks=n_layers - 1,
        d_model=d_model,
        weights=bootstrap_weights(corpus.n_units, n_resamples=study.bootstrap, seed=study.seed),
        orders=permutations(corpus.n_units, n=study.permutations, seed=study.seed),
        vectors=lambda row: apply(study.after, read(row)),
        states=lambda name: iterate_states(captured.store, captured.plan, name),
        coordinates=run_coordinates(corpus, n_blocks=n_layers - 1),
        progress=progress,
    )


def _reader(captured: Captured) -> Callable[[int], np.ndarray]:
    return lambda row: captured.layer("pooled/vectors", row)


def _told(progress: Progress, rows: Iterable[int], *, total: int) -> Iterator[int]:
    """Rows, under a progress bar where the progress has one for layers."""
    bar = getattr(progress, "layers", None)
    return iter(rows) if bar is None else bar(rows, total=total)


def _step(progress: Progress, name: str, *, done: int, total: int) -> None:
    """Tell which analysis is put together, where the progress wants to know."""
    step = getattr(progress, "step", None)
    if step is not None:
        step(name, done=done, total=total)


def _measure_layer(
    row: int, evidence: Evidence, *, instruments: Sequence[Instrument], rows: Rows
) -> None:
    vectors = evidence.vectors(row)
    try:
        for instrument in instruments:
            for group, values in instrument.measure(vectors, row=row, evidence=evidence).items():
                rows.setdefault(group, []).append(values)
    except NumericalError as error:
        codes = ", ".join(f"{at} {code}" for at, code in enumerate(evidence.corpus.languages))
        msg = f"layer {row - 1}: {error} Languages by number: {codes}."
        raise NumericalError(msg) from error


def _stacked(instrument: Instrument, rows: Rows, evidence: Evidence) -> dict[str, xr.Dataset]:
    """Stack the layers of an instrument's groups under named axes."""
    return {
        group: evidence.dataset(
            {
                name: ((LAYER, *axes[name]), np.stack([np.asarray(row[name]) for row in found]))
                for name in found[0]
            }
        )
        for group, axes in instrument.axes.items()
        if (found := rows.get(group))
    }


def _describe(instrument: Instrument, groups: dict[str, xr.Dataset]) -> None:
    """Write into each group whose it is and what of it a table shows."""
    for name, group in groups.items():
        group.attrs["analysis"] = instrument.name
        shown = [variable for variable in instrument.summary.get(name, ()) if variable in group]
        group.attrs["summary"] = shown
        if instrument.by_language.get(name) in group:
            group.attrs["by_language"] = instrument.by_language[name]


def _check_finite(groups: dict[str, xr.Dataset]) -> None:
    """No result is NaN: what does not exist is left out or refused where it is measured."""
    for group, dataset in groups.items():
        for name, variable in dataset.data_vars.items():
            if variable.dtype.kind == "f" and np.isnan(variable.to_numpy()).any():
                where = np.argwhere(np.isnan(variable.to_numpy()))[0]
                at = ", ".join(
                    f"{axis} {place}" for axis, place in zip(variable.dims, where, strict=True)
                )
                msg = (
                    f"result {group}/{name} is not a number at {at}. Leave the analysis out "
                    "with analyses, and report this with the study file."
                )
                raise NumericalError(msg)


def _pooled_shell(corpus: ParallelCorpus, coordinates: dict[str, Any]) -> xr.Dataset:
    import xarray as xr

    kept = {name: value for name, value in coordinates.items() if value[0] in {LAYER, LANGUAGE}}
    kept[UNIT] = (UNIT, np.array(corpus.units, dtype=object))
    shell = xr.Dataset(coords=kept)
    shell.attrs["axes"] = " ".join((LANGUAGE, UNIT, FEATURE))
    return shell
