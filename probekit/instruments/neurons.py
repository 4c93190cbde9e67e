"""Language neurons (LAPE), neuron types and their overlap: wiring of the counts of firing neurons.

Costs one small product a batch and block in the pass, and after it one selection for every group of
units, exchange of labels and pair of halves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from probekit.capture.firing import FiringNeurons, content_tokens, merge_firing
from probekit.errors import ModelError
from probekit.instruments.instrument import Instrument, InstrumentOptions
from probekit.measures.neuron_report import FiringEvidence, measure_neurons
from probekit.measures.unit_groups import exchanged_labels, unit_groups
from probekit.sites import LANGUAGE, LAYER, NEURON, PAIR

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from probekit.capture import Observer
    from probekit.instruments.instrument import Evidence, Setting

BY_NEURON = (LAYER, NEURON, LANGUAGE)
BY_LAYER = (LAYER, LANGUAGE)

#: Variable of the group → its axes.
AXES: dict[str, tuple[str, ...]] = {
    "count": BY_NEURON,
    "rate": BY_NEURON,
    "rate_error": BY_NEURON,
    "entropy": (LAYER, NEURON),
    "entropy_error": (LAYER, NEURON),
    "n_tokens": (LANGUAGE,),
    "tokens_per_unit": (LANGUAGE,),
    **{
        f"{name}{end}": axes
        for end in ("", "_by_layer")
        for name, axes in {
            "selected": (LAYER, NEURON),
            "belongs": BY_NEURON,
            "bar": (LAYER,),
            "cutoff": (LAYER,),
            "cutoff_null": (LAYER,),
            "n_selected": (LAYER,),
            "n_selected_low": (LAYER,),
            "n_selected_high": (LAYER,),
            "n_selected_null": (LAYER,),
            "n_neurons": BY_LAYER,
            "n_neurons_low": BY_LAYER,
            "n_neurons_high": BY_LAYER,
            "n_neurons_null": (LAYER,),
            "n_neurons_null95": (LAYER,),
            "n_total": (LANGUAGE,),
            "n_total_low": (LANGUAGE,),
            "n_total_high": (LANGUAGE,),
            "stability": (LANGUAGE,),
            "stability_low": (LANGUAGE,),
            "stability_high": (LANGUAGE,),
            "stability_chance": (LANGUAGE,),
        }.items()
    },
    **{
        f"{name}{end}": BY_LAYER if name == "mean_rate" else (LAYER,)
        for name in ("mean_rate", "silent", "specific", "partial", "shared")
        for end in ("", "_low", "_high")
    },
    **{f"{name}_chance": (LAYER,) for name in ("silent", "specific", "partial", "shared")},
    "jaccard": (LAYER, *PAIR),
    "jaccard_low": (LAYER, *PAIR),
    "jaccard_high": (LAYER, *PAIR),
    "jaccard_mean": (LAYER,),
    "jaccard_mean_low": (LAYER,),
    "jaccard_mean_high": (LAYER,),
    "jaccard_mean_chance": (LAYER,),
    "jaccard_mean_exchanged": (LAYER,),
}


class Neurons(Instrument):
    """Which neurons fire for which language, and how many are shared."""

    name = "neurons"
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "neurons": (
            "n_selected",
            "n_selected_low",
            "n_selected_high",
            "n_selected_null",
            "specific",
            "specific_chance",
            "shared",
            "shared_low",
            "shared_high",
            "shared_chance",
            "jaccard_mean",
            "jaccard_mean_low",
            "jaccard_mean_high",
            "jaccard_mean_chance",
        )
    }
    by_language: ClassVar[Mapping[str, str]] = {"neurons": "n_neurons"}

    class Options(InstrumentOptions):
        """Settings of the neuron analysis.

        Attributes
        ----------
        share
            Part of all neurons that LAPE selects.
        quantile
            Of all rates: the bar that a rate must pass to count for a language.
        groups
            Groups of units behind intervals and halves; even.
        exchanges
            Exchanges of language labels behind the null.
        active_share
            A text (for the types) or a language (for Jaccard) activates a neuron that fires on at
            least this share of its content tokens.
        """

        share: float = Field(default=0.01, gt=0, lt=1)
        quantile: float = Field(default=0.95, gt=0, lt=1)
        groups: int = Field(default=8, ge=4, le=16, multiple_of=2)
        exchanges: int = Field(default=4, ge=1, le=100)
        active_share: float = Field(default=0.5, gt=0, le=1)

    def refusal(self, setting: Setting) -> str:
        """Mixtures of experts and other unreadable neurons; fewer units than groups."""
        try:
            setting.subject.anatomy.require_neurons()
        except ModelError as error:
            return str(error)
        n_units = setting.corpus.n_units
        if n_units < self.options.groups:
            return (
                f"neurons needs as many units as groups ({self.options.groups}). The corpus has "
                f"{n_units}: add units or lower groups."
            )
        return ""

    def observers(self, setting: Setting) -> tuple[Observer, ...]:
        """Counts of firing neurons, by group of units and exchange of labels."""
        n_units, n_languages = setting.tokens.n_units, setting.tokens.n_languages
        drawn = self._drawn(n_units, n_languages, seed=setting.seed)
        return (FiringNeurons(*drawn, active_share=self.options.active_share),)

    def _drawn(self, n_units: int, n_languages: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
        return (
            unit_groups(n_units, self.options.groups, seed=seed),
            exchanged_labels(n_units, n_languages, n=self.options.exchanges, seed=seed),
        )

    def finish(self, groups: dict[str, xr.Dataset], evidence: Evidence) -> dict[str, xr.Dataset]:
        """One group, ``neurons``, whose layers are blocks."""
        lengths = content_tokens(evidence.tokens)
        n_languages, n_units = lengths.shape
        by_unit, labels = self._drawn(n_units, n_languages, seed=evidence.seed)
        counts = merge_firing(evidence.states(FiringNeurons.name))
        found = measure_neurons(
            FiringEvidence.of(counts, lengths, groups=by_unit, labels=labels),
            weights=evidence.weights,
            share=self.options.share,
            quantile=self.options.quantile,
            active_share=self.options.active_share,
        )
        dataset = evidence.dataset({name: (AXES[name], value) for name, value in found.items()})
        dataset.attrs |= self._said(lengths, found)
        return {**groups, "neurons": dataset}

    def _said(self, lengths: np.ndarray, found: Mapping[str, Any]) -> dict[str, Any]:
        n_neurons = int(found["selected"].size)
        return {
            "n_units": int(lengths.shape[1]),
            "n_tokens_total": int(lengths.sum()),
            "n_neurons_total": n_neurons,
            "event": "mlp_pre > 0 on content tokens",
            "selection": (
                f"LAPE: the {self.options.share:g} of {n_neurons} neurons with the lowest entropy "
                f"among those with a rate above quantile {self.options.quantile:g} of all rates"
            ),
            "interval": (
                f"delete-a-group jackknife over {self.options.groups} groups of units, t; types: "
                "bootstrap over units"
            ),
            "null": f"{self.options.exchanges} exchanges of language labels within units",
            "stability": "Jaccard between selections from all halves of the groups; range: 95 %",
            "types": f"a text activates a neuron that fires on {self.options.active_share:g} or "
            "more of its content tokens; chance: units paired at random",
            "jaccard": f"of neurons with a rate of {self.options.active_share:g} or more",
            "false_share": _false_share(found),
            "false_share_by_layer": _false_share(found, "_by_layer"),
        }


def _false_share(found: Mapping[str, Any], end: str = "") -> float:
    """Neurons that the thresholds select when labels are exchanged, per neuron selected."""
    selected = float(found[f"n_selected{end}"].sum())
    return float(found[f"n_selected_null{end}"].sum()) / max(selected, 1.0)
