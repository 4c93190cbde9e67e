"""Sizes by layer: norms, massive activations, rogue dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from probekit.capture.token_statistics import TokenStatistics, merge_moments
from probekit.instruments.instrument import Axes, Instrument, Row
from probekit.measures import rogue_dimensions
from probekit.sites import LANGUAGE, LAYER, RANK

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from probekit.instruments.instrument import Evidence

N_ROGUE_LISTED = 5


class Norms(Instrument):
    """How large a layer is, and whether few dimensions carry it."""

    name = "norms"
    always = True
    axes: ClassVar[Axes] = {
        "norms": {"rogue_dimension": (RANK,), "rogue_share": (RANK,), "participation_ratio": ()}
    }
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "norms": (
            "norm_median_all",
            "max_abs",
            "max_abs_dimension",
            "max_abs_first",
            "token_variance_top_share",
            "participation_ratio",
        )
    }

    by_language: ClassVar[Mapping[str, str]] = {"norms": "norm_median"}

    def measure(self, vectors: np.ndarray, *, row: int, evidence: Evidence) -> dict[str, Row]:
        """Dimensions with the largest variance of pooled vectors."""
        del row, evidence
        rogue = rogue_dimensions(vectors, N_ROGUE_LISTED)
        return {
            "norms": {
                "rogue_dimension": rogue.indices,
                "rogue_share": rogue.shares,
                "participation_ratio": rogue.participation_ratio,
            }
        }

    def finish(self, groups: dict[str, xr.Dataset], evidence: Evidence) -> dict[str, xr.Dataset]:
        """Add token-level sizes."""
        moments = merge_moments(evidence.states(TokenStatistics.name))
        norms = groups["norms"]
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
        return groups
