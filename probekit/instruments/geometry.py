"""How the languages of a layer lie: separation, dimensionality, and a map of all texts.

Wiring of :func:`probekit.measures.geometry.geometry`, :func:`probekit.measures.isotropy.isotropy`
and :func:`probekit.measures.projection.project`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from probekit.instruments.instrument import Axes, Instrument, Row
from probekit.measures.geometry import geometry
from probekit.measures.isotropy import isotropy
from probekit.measures.projection import project
from probekit.sites import COMPONENT, LANGUAGE, PAIR, UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from probekit.instruments.instrument import Evidence

_SEPARATION = tuple(
    f"{name}{end}"
    for name in ("centroid_distance_mean", "fisher", "anisotropy")
    for end in ("", "_low", "_high")
)
_DIMENSIONS = tuple(
    f"{name}_mean{end}" for name in ("participation", "isoscore") for end in ("", "_low", "_high")
)
_BY_LANGUAGE = tuple(
    f"{name}{end}"
    for name, ends in (
        ("participation", ("_ratio", "_low", "_high")),
        ("isoscore", ("", "_low", "_high")),
    )
    for end in ends
)
_SCALARS = (*_SEPARATION, "centroid_distance_chance", "fisher_chance", *_DIMENSIONS)
_KINDS = {"raw": False, "centred": True}


class Geometry(Instrument):
    """How far apart the languages lie, and how many directions they fill."""

    name = "geometry"
    axes: ClassVar[Axes] = {
        "geometry": {
            "centroid_distance": PAIR,
            **dict.fromkeys(_BY_LANGUAGE, (LANGUAGE,)),
            **dict.fromkeys(_SCALARS, ()),
        },
        "projection": {
            **dict.fromkeys(_KINDS, (LANGUAGE, UNIT, COMPONENT)),
            **{f"{kind}_explained": (COMPONENT,) for kind in _KINDS},
        },
    }
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "geometry": (
            "centroid_distance_mean",
            "centroid_distance_mean_low",
            "centroid_distance_mean_high",
            "centroid_distance_chance",
            "fisher",
            "fisher_low",
            "fisher_high",
            "fisher_chance",
            "anisotropy",
            "participation_mean",
            "isoscore_mean",
            "isoscore_mean_low",
            "isoscore_mean_high",
        )
    }
    by_language: ClassVar[Mapping[str, str]] = {"geometry": "isoscore"}

    def measure(self, vectors: np.ndarray, *, row: int, evidence: Evidence) -> dict[str, Row]:
        """Separation and dimensionality with their intervals; two components, raw and centred."""
        del row
        apart = geometry(vectors, weights=evidence.weights)
        filled = isotropy(vectors, weights=evidence.weights)
        found: Row = {name: getattr(apart, name) for name in vars(apart)}
        for end in ("low", "high"):
            found[f"centroid_distance_mean_{end}"] = found.pop(f"centroid_distance_{end}")
        found |= {name: getattr(filled, name) for name in (*_BY_LANGUAGE, *_DIMENSIONS)}
        return {"geometry": found, "projection": _maps(vectors)}

    def finish(self, groups: dict[str, xr.Dataset], evidence: Evidence) -> dict[str, xr.Dataset]:
        """Say what the numbers are to be held against, and whose points the maps show."""
        from probekit.measures.isotropy import plug_in_ceiling

        n, d = evidence.corpus.n_units, evidence.d_model
        groups["geometry"].attrs.update(
            n_units=n,
            anisotropy_chance=0.0,
            isoscore_isotropic=1.0,
            participation_isotropic=float(d),
            participation_plug_in_ceiling=plug_in_ceiling(n, d),
        )
        units = np.array(evidence.corpus.units, dtype=object)
        groups["projection"] = groups["projection"].assign_coords({UNIT: (UNIT, units)})
        return groups


def _maps(vectors: np.ndarray) -> Row:
    found: Row = {}
    for kind, centred in _KINDS.items():
        projection = project(vectors, centred=centred)
        found[kind] = projection.coordinates.astype(np.float32)
        found[f"{kind}_explained"] = projection.explained
    return found
