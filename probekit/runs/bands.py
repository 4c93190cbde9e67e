"""By-layer measures of a run with their intervals, over a given set of languages.

What :mod:`probekit.runs.compare` puts side by side. Reads the arrays it needs, nothing per neuron.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from probekit.sites import LANGUAGE, LANGUAGE_B, LAYER, PAIR, RESAMPLE, depth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from probekit.runs.run import Run

    FloatArray = NDArray[np.float64]

#: Tables by language (or pair) whose ends and mean have names of their own:
#: (group, variable) → low, high, the mean over languages.
IRREGULAR: dict[tuple[str, str], tuple[str, str, str]] = {
    ("cka", "debiased"): ("pair_low", "pair_high", "mean"),
    ("geometry", "participation_ratio"): (
        "participation_low",
        "participation_high",
        "participation_mean",
    ),
    ("probes", "accuracy_by_language"): (
        "accuracy_by_language_low",
        "accuracy_by_language_high",
        "accuracy_all",
    ),
}
#: Levels to compare with, not measures of the subject.
_LEVELS = ("chance", "null")
_ENDS = ("_low", "_high")


class Band(NamedTuple):
    """A value with the ends of its 95 % interval, arrays of one shape."""

    value: FloatArray
    low: FloatArray
    high: FloatArray

    def mean(self, axis: int) -> Band:
        """Mean over an axis; the interval is the widest that the mean can have.

        The standard error of a mean is at most the mean of the standard errors, whatever their
        correlation, so the mean of the half-widths covers.
        """
        return Band(*(part.mean(axis=axis) for part in self))

    def is_finite(self) -> bool:
        """Whether every number is a number."""
        return all(bool(np.isfinite(part).all()) for part in self)


@dataclass(frozen=True, eq=False)
class Measured:
    """One measure of a run.

    Attributes
    ----------
    group, analysis
        Where it is saved; the instrument that wrote it.
    layers
        Its layers, −1 the embedding.
    depths
        Array (n_layers,): relative depth.
    overall
        Over languages, arrays (n_layers,).
    by_language
        Arrays (n_layers, n_languages); None where it has none.
    averaged
        Whether ``overall`` is the mean of ``by_language`` made here, with its widest interval.
    samples
        Array (n_layers, n_resamples): bootstrap of ``overall``; None where none is saved.
    """

    group: str
    analysis: str
    layers: tuple[int, ...]
    depths: FloatArray
    overall: Band
    by_language: Band | None = None
    averaged: bool = False
    samples: FloatArray | None = None


@dataclass
class Found:
    """Measures of a run by key (``cka/mean``), and why others are not among them."""

    measures: dict[str, Measured] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def measures_of(run: Run, languages: Sequence[str], *, groups: Sequence[str]) -> Found:
    """Every by-layer measure with an interval, over these languages of the run.

    Where they are not all languages of the run, means over languages are made again from the
    tables by language, and measures without such a table are left out.
    """
    every = set(languages) == set(run.languages)
    found = Found()
    for name in groups:
        group = run.group(name)
        if LAYER not in group.sizes:
            continue
        tables = dict(_tables(name, group, languages=list(languages)))
        for key, value in _of_group(run, name, group=group, tables=tables, every=every).items():
            if isinstance(value, str):
                found.left_out[key] = value
            else:
                found.measures[key] = value
    return found


def comparable(run: Run) -> tuple[str, ...]:
    """Keys of every by-layer measure with an interval; reads names, no array."""
    keys: list[str] = []
    for name in in_order(str(child) for child in run.results.children):
        group = run.group(name)
        if LAYER in group.sizes:
            keys += [f"{name}/{each}" for each in _overall_names(group)]
            keys += [f"{name}/{each[0]}" for each in _table_names(name, group)]
    return tuple(dict.fromkeys(keys))


def in_order(names: Iterable[str]) -> list[str]:
    """The measures that rules read first; then as in the file."""
    order = ("cka", "regions", "alignment")
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def _of_group(
    run: Run, name: str, *, group: xr.Dataset, tables: dict[str, Band], every: bool
) -> dict[str, Measured | str]:
    layers = tuple(int(layer) for layer in group[LAYER].to_numpy())
    found: dict[str, Measured | str] = {}
    for variable in dict.fromkeys((*_overall_names(group), *tables)):
        key = f"{name}/{variable}"
        own = every and variable in _overall_names(group)
        table = tables.get(variable)
        if not own and table is None:
            found[key] = "an average over languages that only one of the runs has"
            continue
        overall = _band(group, variable) if own or table is None else table.mean(axis=1)
        if not overall.is_finite():
            found[key] = "not finite at every layer"
            continue
        found[key] = Measured(
            group=name,
            analysis=str(group.attrs.get("analysis", name)),
            layers=layers,
            depths=np.array([depth(layer, run.n_blocks) for layer in layers]),
            overall=overall,
            by_language=table if table is not None and table.is_finite() else None,
            averaged=not own,
            samples=_samples(group, variable) if own else None,
        )
    bare = [v for v in group.attrs.get("summary", ()) if not v.endswith(_ENDS) and not _is_level(v)]
    found |= {f"{name}/{v}": "no interval in the runs" for v in bare if f"{name}/{v}" not in found}
    return found


def _overall_names(group: xr.Dataset) -> list[str]:
    return [
        str(name)
        for name, values in group.data_vars.items()
        if values.dims == (LAYER,) and _has_ends(group, str(name)) and not _is_level(str(name))
    ]


def _table_names(name: str, group: xr.Dataset) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Measures by language: key (the mean over languages, where there is one), value and ends."""
    for variable, values in group.data_vars.items():
        low, high, mean = IRREGULAR.get(
            (name, str(variable)), (*(f"{variable}{end}" for end in _ENDS), f"{variable}_mean")
        )
        by_language = values.dims in {(LAYER, LANGUAGE), (LAYER, *PAIR)}
        if by_language and {low, high} <= set(group.data_vars) and not _is_level(str(variable)):
            yield mean if mean in group else str(variable), (str(variable), low, high)


def _tables(name: str, group: xr.Dataset, *, languages: list[str]) -> Iterator[tuple[str, Band]]:
    """Measures by language, under the name of their mean over languages where the group has it."""
    for key, names in _table_names(name, group):
        parts = [group[each] for each in names]
        if parts[0].dims == (LAYER, LANGUAGE):
            yield key, Band(*(_numbers(part.sel(language=languages)) for part in parts))
        elif len(languages) > 1:
            yield key, Band(*(_with_others(part, languages) for part in parts))


def _with_others(table: xr.DataArray, languages: list[str]) -> FloatArray:
    """Mean of each language's pairs with the others, array (n_layers, n_languages)."""
    pairs = _numbers(table.sel({LANGUAGE: languages, LANGUAGE_B: languages}))
    others = ~np.eye(len(languages), dtype=bool)
    return np.stack([pairs[:, at, others[at]].mean(axis=1) for at in range(len(languages))], axis=1)


def _band(group: xr.Dataset, variable: str) -> Band:
    return Band(*(_numbers(group[f"{variable}{end}"]) for end in ("", *_ENDS)))


def _samples(group: xr.Dataset, variable: str) -> FloatArray | None:
    name = f"{variable}_samples"
    if name not in group or group[name].dims != (LAYER, RESAMPLE):
        return None
    return _numbers(group[name])


def _numbers(values: xr.DataArray) -> FloatArray:
    return np.asarray(values.to_numpy(), dtype=np.float64)


def _has_ends(group: xr.Dataset, variable: str) -> bool:
    return {f"{variable}{end}" for end in _ENDS} <= set(group.data_vars)


def _is_level(variable: str) -> bool:
    return any(word in variable for word in _LEVELS)
