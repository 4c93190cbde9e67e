"""Do translations sit together: retrieval, cosines, neurons and shapes of every language pair.

Wiring of :func:`probekit.measures.alignment.alignment`, :func:`probekit.measures.anc.anc` and
:func:`probekit.measures.procrustes.procrustes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from probekit.instruments.instrument import Axes, Instrument, InstrumentOptions, Row
from probekit.measures.alignment import NEIGHBOURS, AlignmentResult, alignment
from probekit.measures.anc import ANCResult, anc
from probekit.measures.procrustes import MAX_UNITS, ProcrustesResult, procrustes
from probekit.sites import LANGUAGE, PAIR

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import xarray as xr

    from probekit.instruments.instrument import Evidence

#: Each has a table by pair, a mean over pairs and the ends of its interval.
MEASURES = ("p_at_1", "csls", "mexa", "mutual_knn", "centred_cosine", "anc", "procrustes")
_ENDS = ("mean", "mean_low", "mean_high")


class Alignment(Instrument):
    """Whether the translation of a text is its nearest text."""

    name = "alignment"
    axes: ClassVar[Axes] = {
        "alignment": {
            **dict.fromkeys(MEASURES, PAIR),
            **{f"{name}_{end}": () for name in MEASURES for end in _ENDS},
            "random_cosine": PAIR,
            "anisotropy": (LANGUAGE,),
            "anc_constant": (),
            "procrustes_chance": (),
        }
    }
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "alignment": (
            "p_at_1_mean",
            "p_at_1_mean_low",
            "p_at_1_mean_high",
            "csls_mean",
            "mexa_mean",
            "mutual_knn_mean",
            "centred_cosine_mean",
            "centred_cosine_mean_low",
            "centred_cosine_mean_high",
            "anc_mean",
            "procrustes_mean",
            "procrustes_chance",
        )
    }
    by_language: ClassVar[Mapping[str, str]] = {"alignment": "anisotropy"}

    class Options(InstrumentOptions):
        """Settings of alignment.

        Attributes
        ----------
        neighbours
            Neighbours of CSLS and of mutual-kNN; lowered to a quarter of the other units.
        procrustes_units
            With more units than this, Procrustes reads so many, evenly spaced.
        """

        neighbours: int = Field(default=NEIGHBOURS, ge=1)
        procrustes_units: int = Field(default=MAX_UNITS, ge=3)

    def measure(self, vectors: np.ndarray, *, row: int, evidence: Evidence) -> dict[str, Row]:
        """All pairs, with intervals and chance levels."""
        del row
        weights = evidence.weights
        found = _of_alignment(alignment(vectors, weights=weights, k=self.options.neighbours))
        found |= _of_anc(anc(vectors, weights=weights))
        shape = procrustes(
            vectors,
            weights=weights,
            permutations=evidence.orders,
            max_units=self.options.procrustes_units,
        )
        return {"alignment": found | _of_procrustes(shape)}

    def finish(self, groups: dict[str, xr.Dataset], evidence: Evidence) -> dict[str, xr.Dataset]:
        """Say the chance levels that do not depend on the layer."""
        from probekit.measures.neighbours import neighbourhood

        n = evidence.corpus.n_units
        k = neighbourhood(n, self.options.neighbours)
        groups["alignment"].attrs.update(
            p_at_1_chance=1 / n,
            csls_chance=1 / n,
            mexa_chance=1 / (2 * n - 1),
            mutual_knn_chance=k / (n - 1),
            centred_cosine_chance=0.0,
            anc_chance=0.0,
            neighbours=k,
            n_units=n,
            procrustes_units=min(n, self.options.procrustes_units),
        )
        return groups


def _of_alignment(result: AlignmentResult) -> Row:
    found: Row = {"random_cosine": result.random_cosine, "anisotropy": result.anisotropy}
    for name in ("p_at_1", "csls", "mexa", "mutual_knn", "centred_cosine"):
        found |= _with_interval(
            name,
            getattr(result, name),
            mean=getattr(result, f"{name}_mean"),
            ends=(getattr(result, f"{name}_low"), getattr(result, f"{name}_high")),
        )
    return found


def _of_anc(result: ANCResult) -> Row:
    ends = (result.low, result.high)
    found = _with_interval("anc", result.table, mean=result.mean, ends=ends)
    return found | {"anc_constant": result.n_constant}


def _of_procrustes(result: ProcrustesResult) -> Row:
    ends = (result.low, result.high)
    found = _with_interval("procrustes", result.table, mean=result.mean, ends=ends)
    return found | {"procrustes_chance": result.chance}


def _with_interval(name: str, table: Any, *, mean: float, ends: tuple[float, float]) -> Row:
    values = (table, mean, *ends)
    names = (name, *(f"{name}_{end}" for end in _ENDS))
    return dict(zip(names, values, strict=True))
