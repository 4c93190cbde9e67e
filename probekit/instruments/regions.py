"""Language regions of the residual stream: wiring of :func:`probekit.measures.region_scores`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from probekit.instruments.cka import without_empty
from probekit.instruments.instrument import Axes, Instrument, Row
from probekit.measures import lrds_left_out, region_scores
from probekit.sites import LANGUAGE, RESAMPLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from probekit.instruments.instrument import Evidence


class Regions(Instrument):
    """How much language (LRDS) and meaning (SADS) organise a layer."""

    name = "regions"
    axes: ClassVar[Axes] = {
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
        }
    }
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "regions": (
            "lrds",
            "lrds_low",
            "lrds_high",
            "sads",
            "sads_low",
            "sads_high",
            "lrds_centred",
            "sads_centred",
            "ratio",
        )
    }

    def measure(self, vectors: np.ndarray, *, row: int, evidence: Evidence) -> dict[str, Row]:
        """LRDS and SADS, raw and centred, with every language left out once."""
        del row
        result = region_scores(vectors, weights=evidence.weights)
        names = self.axes["regions"]
        found = {name: getattr(result, name) for name in names if hasattr(result, name)}
        for name, centred in (("lrds", False), ("lrds_centred", True)):
            left_out = lrds_left_out(vectors, weights=evidence.weights, centred=centred)
            for kind in ("samples", "samples_left_out", "without"):
                found[f"{name}_{kind}"] = getattr(left_out, kind)
        return {"regions": without_empty(found)}
