"""Cross-lingual CKA by layer and language pair, and between layers.

Wiring of :func:`probekit.measures.cka` and :func:`probekit.measures.layer_cka.layer_cka`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from probekit.instruments.instrument import Axes, Instrument, InstrumentOptions, Row
from probekit.measures import cka
from probekit.measures.biased_cka import biased_chance
from probekit.measures.layer_cka import MAX_UNITS, LayerCKA, layer_cka
from probekit.sites import LANGUAGE, LAYER, LAYER_B, PAIR, PERMUTATION, RESAMPLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from probekit.instruments.instrument import Evidence, Setting


#: Variables of the group ``cka_layers``; those by pair come last.
LAYER_TABLES = tuple(
    f"{name}{end}"
    for name, ends in (
        ("across", ("", "_low", "_high", "_null95")),
        ("within", ("", "_low", "_high")),
        ("pairs", ("", "_low", "_high")),
    )
    for end in ends
)


class CKA(Instrument):
    """Whether the languages of a layer arrange the same units alike."""

    name = "cka"
    always = True
    axes: ClassVar[Axes] = {
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
            "mean_biased_chance": (),
            "mean_standardised": (),
            "mean_without_rogue": (),
            "p_value": (),
            "mean_samples": (RESAMPLE,),
            "mean_samples_left_out": (RESAMPLE,),
            "mean_without": (LANGUAGE,),
            "null_samples": (PERMUTATION,),
        }
    }
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "cka": (
            "mean",
            "mean_low",
            "mean_high",
            "mean_null95",
            "mean_biased",
            "mean_standardised",
            "mean_without_rogue",
            "p_value",
        ),
        "cka_layers": (),
    }

    class Options(InstrumentOptions):
        """Settings of CKA.

        Attributes
        ----------
        rogue_dimensions
            Dimensions dropped for ``without_rogue``; None: 1 % of the width, at least one.
        layer_units
            With more units than this, layer × layer reads so many, evenly spaced.
        """

        rogue_dimensions: int | None = Field(default=None, ge=1)
        layer_units: int = Field(default=MAX_UNITS, ge=4)

    def refusal(self, setting: Setting) -> str:
        """Dimensions must be left when the rogue ones are dropped."""
        n, width = self.options.rogue_dimensions, setting.subject.anatomy.d_model
        if n is None or n < width:
            return ""
        return (
            f"option rogue_dimensions must be below {width}, the width of "
            f"{setting.subject.source!r}. Got {n} instead."
        )

    def measure(self, vectors: np.ndarray, *, row: int, evidence: Evidence) -> dict[str, Row]:
        """All pairs at once, with intervals and nulls."""
        del row
        result = cka(
            vectors,
            weights=evidence.weights,
            permutations=evidence.orders,
            n_rogue=self.options.rogue_dimensions,
        )
        pairs = np.triu_indices(len(vectors), 1)
        found = {name: getattr(result, name) for name in self.axes["cka"] if hasattr(result, name)}
        for name in ("biased", "standardised", "without_rogue"):
            found[f"mean_{name}"] = float(getattr(result, name)[pairs].mean())
        found["mean_biased_chance"] = biased_chance(vectors)
        return {"cka": without_empty(found)}

    def finish(self, groups: dict[str, xr.Dataset], evidence: Evidence) -> dict[str, xr.Dataset]:
        """Add which layers of a language look like which of another."""
        result = layer_cka(
            (evidence.vectors(row) for row in range(evidence.n_layers)),
            n_layers=evidence.n_layers,
            weights=evidence.weights,
            permutations=evidence.orders,
            max_units=self.options.layer_units,
        )
        between = _between_layers(result, evidence)
        between.attrs["n_units"] = result.n_units
        return groups | {"cka_layers": between}


def _between_layers(result: LayerCKA, evidence: Evidence) -> xr.Dataset:
    """Tables of layers by layers; those by pair in float32, and only where they are kept."""
    axes: tuple[str, ...] = (LAYER, LAYER_B)
    tables: dict[str, tuple[tuple[str, ...], Any]] = {}
    for name in LAYER_TABLES:
        table = getattr(result, name)
        if name.startswith("pairs"):
            table, axes = table.astype(np.float32), (LAYER, LAYER_B, *PAIR)
        if table.size:
            tables[name] = (axes, table)
    return evidence.dataset(tables).assign_coords(
        {LAYER_B: (LAYER_B, np.arange(-1, evidence.n_blocks))}
    )


def without_empty(row: Row) -> Row:
    """Leave out what does not exist with two languages, rather than invent it."""
    return {name: value for name, value in row.items() if np.size(value)}
