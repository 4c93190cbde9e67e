"""Cross-lingual CKA by layer and language pair: wiring of :func:`probekit.measures.cka`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from probekit.instruments.instrument import Axes, Instrument, InstrumentOptions, Row
from probekit.measures import cka
from probekit.sites import LANGUAGE, PAIR, PERMUTATION, RESAMPLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probekit.instruments.instrument import Evidence, Setting


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
        )
    }

    class Options(InstrumentOptions):
        """Settings of CKA.

        Attributes
        ----------
        rogue_dimensions
            Dimensions dropped for ``without_rogue``; None: 1 % of the width, at least one.
        """

        rogue_dimensions: int | None = Field(default=None, ge=1)

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
        return {"cka": without_empty(found)}


def without_empty(row: Row) -> Row:
    """Leave out what does not exist with two languages, rather than invent it."""
    return {name: value for name, value in row.items() if np.size(value)}
