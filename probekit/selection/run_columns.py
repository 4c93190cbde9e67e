"""Per-layer columns of a run as :class:`Column`, for all its languages or for some of them.

A column is read when it is asked for: one or two small arrays of the run each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import RuleError
from probekit.selection.columns import Column, FloatArray, column_from_interval
from probekit.selection.lens import KL_UNIFORM
from probekit.sites import LANGUAGE, LANGUAGE_B, LAYER, RESAMPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from probekit.runs import Run

_ENTROPY = "lens.entropy_mean"
_MOST = "entropy_most"
_ENDS = ("_low", "_high")


class RunColumns(Mapping[str, Column]):
    """Columns ``group.variable`` that have one number a block.

    A mean over languages (``lens.agreement_mean``) is measured without each language, and over
    some languages only, from the variable by language behind it (``lens.agreement``) when the mean
    of that variable is the stored column. Intervals of a mean over some languages are the mean of
    their intervals: what they would be if the languages erred together, hence too wide.

    Parameters
    ----------
    run
        A finished run.
    languages
        Which languages of the run; None for all.
    n_resamples, seed
        For columns whose resamples must be drawn.
    """

    def __init__(
        self, run: Run, *, languages: Sequence[str] | None, n_resamples: int, seed: int
    ) -> None:
        self._run = run
        self._languages = tuple(run.languages if languages is None else languages)
        self._n_resamples, self._seed = n_resamples, seed
        self._names = _names(run)
        self._made: dict[str, Column] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> Column:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._uniform() if name == KL_UNIFORM else self._make(name)
        return self._made[name]

    @property
    def _all(self) -> bool:
        return set(self._languages) == set(self._run.languages)

    def _make(self, name: str) -> Column:
        group_name, _, variable = name.partition(".")
        group = _blocks(self._run.group(group_name))
        value = group[variable].to_numpy().astype(np.float64)
        parts = self._by_language(group, variable, value)
        if not self._all:
            if parts is None:
                msg = (
                    f"column {name!r} must be known by language when languages are held out. Got "
                    "one number over all of them instead; drop --source and --held-out, or use "
                    "another column."
                )
                raise RuleError(msg)
            value = _mean(group, parts, self._languages)
        without = None
        if parts is not None and len(self._languages) > 2:
            kept = [[other for other in self._languages if other != a] for a in self._languages]
            without = np.stack([_mean(group, parts, each) for each in kept], axis=1)
        samples = f"{variable}_samples"
        if self._all and samples in group and group[samples].dims == (LAYER, RESAMPLE):
            return self._stored(name, value, group, without)
        return column_from_interval(
            name,
            value,
            self._interval(group, variable, parts),
            n_resamples=self._n_resamples,
            seed=self._seed,
            without=without,
        )

    def _stored(
        self, name: str, value: FloatArray, group: xr.Dataset, without: FloatArray | None
    ) -> Column:
        """Column whose resamples are in the run; the left-out ones where they are there too."""
        variable = name.partition(".")[2]
        found = {
            end: group[f"{variable}{end}"].to_numpy().astype(np.float64)
            for end in (*_ENDS, "_samples", "_samples_left_out")
            if f"{variable}{end}" in group
        }
        return Column(
            name,
            value,
            found.get("_low"),
            found.get("_high"),
            found["_samples"],
            found.get("_samples_left_out"),
            without,
            "stored",
        )

    def _by_language(self, group: xr.Dataset, variable: str, value: FloatArray) -> str | None:
        """Variable by language whose mean is the column."""
        for word in ("_mean", "_all"):
            base = variable.replace(word, "", 1)
            for candidate in (base, f"{base}_by_language"):
                if candidate == variable or candidate not in group:
                    continue
                if LANGUAGE not in group[candidate].dims:
                    continue
                if np.allclose(_mean(group, candidate, self._run.languages), value, atol=1e-7):
                    return candidate
        return None

    def _interval(
        self, group: xr.Dataset, variable: str, parts: str | None
    ) -> tuple[FloatArray, FloatArray] | None:
        """Ends of the column's interval, the narrowest that the run supports."""
        low, high = (f"{variable}{end}" for end in _ENDS)
        if self._all and low in group and high in group:
            return _numbers(group[low]), _numbers(group[high])
        if parts is None:
            return None
        task = [f"{parts}_mean{end}" for end in _ENDS]
        if self._all and all(name in group and LAYER in group[name].dims for name in task):
            one, other = (_mean_by_first(_numbers(group[name])) for name in task)
            return one, other
        ends = [f"{parts}{end}" for end in _ENDS]
        if not all(name in group for name in ends):
            return None
        one, other = (_mean(group, name, self._languages) for name in ends)
        return one, other

    def _uniform(self) -> Column:
        """KL of a uniform guess to the model's output: log2 of the vocabulary less its entropy."""
        entropy = self[_ENTROPY]
        most = float(self._run.group("lens").attrs[_MOST])
        n_blocks = len(entropy.value)

        def guess(values: FloatArray | None) -> FloatArray | None:
            return None if values is None else np.repeat(most - values[-1:], n_blocks, axis=0)

        value = guess(entropy.value)
        assert value is not None
        return Column(
            KL_UNIFORM,
            value,
            guess(entropy.high),
            guess(entropy.low),
            guess(entropy.samples),
            guess(entropy.samples_left_out),
            guess(entropy.without),
            entropy.origin,
        )


def _names(run: Run) -> dict[str, None]:
    """Columns of a run, in the order of its groups."""
    found: dict[str, None] = {}
    for groups in run.analyses.values():
        for name in groups:
            group = run.group(name)
            if LAYER not in group.dims:
                continue
            layers = [int(layer) for layer in group[LAYER] if layer >= 0]
            if layers != list(range(run.n_blocks)):
                continue
            for variable, array in group.data_vars.items():
                if array.dims == (LAYER,) and array.dtype.kind in "fiu":
                    found[f"{name}.{variable}"] = None
    if _ENTROPY in found and _MOST in run.group("lens").attrs:
        found[KL_UNIFORM] = None
    return found


def _mean(group: xr.Dataset, variable: str, languages: Sequence[str]) -> FloatArray:
    """Mean by block of a variable over some languages, other axes and, for pairs, a ≠ b."""
    array = group[variable]
    codes = [str(code) for code in array[LANGUAGE].to_numpy()]
    chosen = [codes.index(code) for code in languages]
    ends = [axis for axis in (LANGUAGE, LANGUAGE_B) if axis in array.dims]
    first = [axis for axis in array.dims if axis not in ends]
    values = array.transpose(*first, *ends).to_numpy().astype(np.float64)
    for at in range(1, len(ends) + 1):
        values = values.take(chosen, axis=-at)
    if len(ends) == 2:
        values = np.where(np.eye(len(chosen), dtype=bool), np.nan, values)
    if LAYER in first:
        return _mean_by_first(np.moveaxis(values, first.index(LAYER), 0))
    return np.repeat(_mean_by_first(values[None]), group.sizes[LAYER])


def _mean_by_first(values: FloatArray) -> FloatArray:
    """Mean over every axis but the first, undefined entries left out; NaN where all are."""
    flat = values.reshape(len(values), -1)
    known = np.isfinite(flat)
    count = known.sum(axis=1)
    total = np.where(known, flat, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _numbers(array: xr.DataArray) -> FloatArray:
    return np.asarray(array.to_numpy(), dtype=np.float64)


def _blocks(group: xr.Dataset) -> xr.Dataset:
    return group.sel({LAYER: group[LAYER] >= 0})
