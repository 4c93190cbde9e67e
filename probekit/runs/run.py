"""A run in the hand: tables as xarray, provenance, and doors to figures and selection."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.errors import RunError
from probekit.runs.manifest import Manifest, read_manifest, verify_files
from probekit.runs.writer import RESULTS
from probekit.sites import LAYER, depth

if TYPE_CHECKING:
    import os

    import xarray as xr

    from probekit.runs.comparison import RunComparison

#: Rooms above this one that a run can be asked for; opened by name so that imports only go up.
DOORS = {"plot": "probekit.figures:RunPlots", "select": "probekit.selection:select_run"}

#: Arrays of at most so many bytes are read whole when their group is touched: a figure reads a
#: dozen of them, at a millisecond each.
SMALL = 2**22

#: Columns of the per-layer table: name → (group, variable).
COLUMNS: dict[str, tuple[str, str]] = {
    "cka": ("cka", "mean"),
    "cka_low": ("cka", "mean_low"),
    "cka_high": ("cka", "mean_high"),
    "cka_null95": ("cka", "mean_null95"),
    "cka_biased": ("cka", "mean_biased"),
    "lrds": ("regions", "lrds"),
    "sads": ("regions", "sads"),
    "lrds_ratio": ("regions", "ratio"),
    "p_at_1": ("alignment", "p_at_1_mean"),
}


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    folder
        Where it lies.
    manifest
        Where it came from.
    """

    folder: Path
    manifest: Manifest

    @cached_property
    def results(self) -> xr.DataTree:
        """All groups, read when touched."""
        import xarray as xr

        return xr.open_datatree(self.folder / RESULTS, engine="zarr", chunks=None)

    def group(self, name: str) -> xr.Dataset:
        """One group of results; its small arrays are in memory, large ones are read when touched.

        Raises
        ------
        RunError
            The run has no such group.
        """
        found = sorted(child for child in self.results.children)
        if name not in found:
            msg = (
                f"run {self.folder.name!r} has no results {name!r} (has: "
                f"{', '.join(found)}). Add the analysis to the study and run it again."
            )
            raise RunError(msg)
        data = self.results[name].to_dataset()
        for array in data.variables.values():
            if array.nbytes <= SMALL:
                array.load()
        return data

    @property
    def cka(self) -> xr.Dataset:
        """Cross-lingual CKA by layer and language pair."""
        return self.group("cka")

    @property
    def regions(self) -> xr.Dataset:
        """LRDS and SADS by layer."""
        return self.group("regions")

    @property
    def alignment(self) -> xr.Dataset:
        """Retrieval and cosines by layer and language pair."""
        return self.group("alignment")

    @property
    def norms(self) -> xr.Dataset:
        """Norms, massive activations and rogue dimensions by layer."""
        return self.group("norms")

    @property
    def pooled(self) -> xr.Dataset:
        """Pooled vectors (layer, language, unit, feature)."""
        return self.group("pooled")

    @property
    def corpus(self) -> xr.Dataset:
        """Texts, labels and token counts by language and unit."""
        return self.group("corpus")

    @property
    def languages(self) -> tuple[str, ...]:
        """Language codes, in corpus order."""
        return tuple(self.manifest.corpus["languages"])

    @property
    def n_blocks(self) -> int:
        """Blocks of the model that was read."""
        return int(self.manifest.model["n_blocks"])

    @property
    def analyses(self) -> dict[str, tuple[str, ...]]:
        """Instruments that were run, each with the groups it wrote."""
        found: dict[str, tuple[str, ...]] = {}
        for name in self.results.children:
            analysis = self.results[name].attrs.get("analysis")
            if analysis is not None:
                found[analysis] = (*found.get(analysis, ()), name)
        return found

    def table(self, analysis: str | None = None) -> list[dict[str, float | int]]:
        """One row a layer: ``layer, depth``, then columns.

        Parameters
        ----------
        analysis
            An instrument, such as ``lens``: its own summary, with the group before each name
            where it has several. None: the columns of ``COLUMNS``.

        Raises
        ------
        RunError
            The run does not have that analysis.
        """
        return self._overview() if analysis is None else self._summary(analysis)

    def by_language(self, analysis: str) -> dict[str, xr.DataArray]:
        """The main quantity of an instrument by layer and language, by name."""
        groups = [self.group(name) for name in self._groups_of(analysis)]
        return {
            group.attrs["by_language"]: group[group.attrs["by_language"]]
            for group in groups
            if "by_language" in group.attrs
        }

    def _groups_of(self, analysis: str) -> tuple[str, ...]:
        there = self.analyses
        if analysis not in there:
            left_out = self.manifest.estimators.get("left_out", {}).get(analysis)
            why = f"it was left out: {left_out}" if left_out else f"has: {', '.join(there)}"
            msg = (
                f"run {self.folder.name!r} has no analysis {analysis!r} ({why}). Run its study "
                f"again with --analyses {analysis}."
            )
            raise RunError(msg)
        return there[analysis]

    def _summary(self, analysis: str) -> list[dict[str, float | int]]:
        rows: dict[int, dict[str, float | int]] = {}
        groups = {name: self.group(name) for name in self._groups_of(analysis)}
        several = sum(bool(group.attrs.get("summary")) for group in groups.values()) > 1
        for name, group in groups.items():
            for variable in group.attrs.get("summary", ()):
                for layer, value in zip(
                    group[LAYER].to_numpy(), group[variable].to_numpy(), strict=True
                ):
                    row = rows.setdefault(int(layer), {"layer": int(layer)})
                    row["depth"] = depth(int(layer), self.n_blocks)
                    row[f"{name}.{variable}" if several else variable] = value.item()
        return [rows[layer] for layer in sorted(rows)]

    def _overview(self) -> list[dict[str, float | int]]:
        layers = self.cka[LAYER].to_numpy()
        depth = self.cka["depth"].to_numpy()
        columns = {
            name: self.group(group)[variable].to_numpy()
            for name, (group, variable) in COLUMNS.items()
            if group in self.results.children
        }
        return [
            {"layer": int(layers[i]), "depth": float(depth[i])}
            | {name: float(values[i]) for name, values in columns.items()}
            for i in range(len(layers))
        ]

    @property
    def plot(self) -> Any:
        """Figures of this run: ``run.plot.cka()``, ``run.plot.layers()``."""
        return _open_door("plot")(self)

    def select(self, rule: str = "plateau", **options: Any) -> Any:
        """Layers that a rule accepts; see :func:`probekit.selection.select_run`."""
        return _open_door("select")(self, rule=rule, **options)

    def diff(self, other: Run, *, analysis: str | None = None) -> RunComparison:
        """How another run differs from this one; see :func:`probekit.runs.compare.compare_runs`."""
        from probekit.runs.compare import compare_runs

        return compare_runs(self, other, analysis=analysis)

    def __repr__(self) -> str:
        model, corpus = self.manifest.model, self.manifest.corpus
        return (
            f"Run({self.folder.name!r}: {model['id']}, {model['n_blocks']} blocks, "
            f"{corpus['n_units']} units × {len(corpus['languages'])} languages)"
        )

    def _repr_html_(self) -> str:
        from probekit.runs.display import run_html

        return run_html(self)


def open_run(path: str | os.PathLike[str], *, verify: bool = True) -> Run:
    """Open a finished run.

    Parameters
    ----------
    path
        Folder of the run.
    verify
        Compare every file with the checksum in the manifest (one read of the folder).

    Raises
    ------
    RunError
        Missing, unfinished, altered, or of another format.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    if verify:
        verify_files(folder, manifest)
    return Run(folder, manifest)


def _open_door(name: str) -> Any:
    module, _, attribute = DOORS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
