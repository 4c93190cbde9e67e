"""Language regions and key neurons in MLP space: wiring of region scores over ``mlp_act``.

Costs one small product a batch and block in the pass; its shards hold ``blocks × languages × units
× width`` float32. After it one block is in memory at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from probekit.capture.mlp_space import MLPMeans, mlp_means_name
from probekit.errors import ModelError, NumericalError
from probekit.instruments.instrument import Instrument, InstrumentOptions
from probekit.measures import region_scores
from probekit.measures.key_neurons import MIN_LANGUAGES, key_neurons
from probekit.measures.unit_groups import exchanged_labels, unit_groups
from probekit.sites import LANGUAGE, LAYER, NEURON

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from probekit.capture import Observer
    from probekit.instruments.instrument import Evidence, Row, Setting

SCORES = (
    *(
        f"{name}{end}"
        for name in ("lrds", "sads", "lrds_centred", "sads_centred", "ratio")
        for end in ("", "_low", "_high")
    ),
    "within",
    "across",
    "paired",
)

#: Variable of the group → axes after ``layer``.
AXES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(SCORES, ()),
    "key_z": (NEURON, LANGUAGE),
    "n_key": (LANGUAGE,),
    "n_key_low": (LANGUAGE,),
    "n_key_high": (LANGUAGE,),
    "n_key_null": (),
    "n_key_null95": (),
}


class MLPRegions(Instrument):
    """How much language and meaning organise the MLP neurons of a block."""

    name = "mlp_regions"
    summary: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mlp_regions": (
            "lrds",
            "lrds_low",
            "lrds_high",
            "sads",
            "sads_low",
            "sads_high",
            "lrds_centred",
            "sads_centred",
            "ratio",
            "n_key_null",
        )
    }
    by_language: ClassVar[Mapping[str, str]] = {"mlp_regions": "n_key"}

    class Options(InstrumentOptions):
        """Settings of the MLP-space analysis.

        Attributes
        ----------
        key_threshold
            Leave-one-out z above which a neuron is a key neuron of a language.
        groups
            Groups of units behind the intervals of key neurons.
        exchanges
            Exchanges of language labels behind their null.
        """

        key_threshold: float = Field(default=2.0, gt=0)
        groups: int = Field(default=8, ge=2, le=64)
        exchanges: int = Field(default=4, ge=1, le=100)

    def refusal(self, setting: Setting) -> str:
        """Mixtures of experts and other unreadable neurons; fewer units than groups."""
        try:
            setting.subject.anatomy.require_neurons()
        except ModelError as error:
            return str(error)
        n_units = setting.corpus.n_units
        if n_units < max(self.options.groups, 3):
            return (
                f"mlp_regions needs as many units as groups ({self.options.groups}). The corpus "
                f"has {n_units}: add units or lower groups."
            )
        return ""

    def observers(self, setting: Setting) -> tuple[Observer, ...]:
        """Token-mean MLP activations, one observer a block."""
        return tuple(MLPMeans(layer) for layer in range(setting.subject.anatomy.n_blocks))

    def finish(self, groups: dict[str, xr.Dataset], evidence: Evidence) -> dict[str, xr.Dataset]:
        """One group, ``mlp_regions``, whose layers are blocks."""
        rows = [self._block(layer, evidence) for layer in range(evidence.n_blocks)]
        dataset = evidence.dataset(
            {
                name: ((LAYER, *AXES[name]), np.stack([np.asarray(row[name]) for row in rows]))
                for name in rows[0]
            }
        )
        dataset.attrs |= {
            "n_units": evidence.corpus.n_units,
            "space": "token-mean mlp_act, the input of the down projection",
            "key_threshold": self.options.key_threshold,
            "key_score": "leave-one-out z over languages",
            "key_interval": f"delete-a-group jackknife over {self.options.groups} groups, t",
            "key_null": f"{self.options.exchanges} exchanges of language labels within units",
        }
        if "n_key" not in dataset:
            dataset.attrs["left_out"] = f"key neurons need {MIN_LANGUAGES} languages"
        return {**groups, "mlp_regions": dataset}

    def _block(self, layer: int, evidence: Evidence) -> Row:
        states = evidence.states(mlp_means_name(layer))
        means = np.concatenate([state["means"] for state in states], axis=1)
        try:
            scores = region_scores(means, weights=evidence.weights)
            row: dict[str, Any] = {name: getattr(scores, name) for name in SCORES}
            return row | self._key_neurons(means, evidence.seed)
        except NumericalError as error:
            msg = f"mlp_act of block {layer}: {error}"
            raise NumericalError(msg) from error

    def _key_neurons(self, means: np.ndarray, seed: int) -> Row:
        n_languages, n_units, _ = means.shape
        if n_languages < MIN_LANGUAGES:
            return {}
        found = key_neurons(
            means,
            groups=unit_groups(n_units, self.options.groups, seed=seed),
            labels=exchanged_labels(n_units, n_languages, n=self.options.exchanges, seed=seed),
            threshold=self.options.key_threshold,
        )
        return {
            "key_z": found.z.astype(np.float32),
            "n_key": found.n_key,
            "n_key_low": found.low,
            "n_key_high": found.high,
            "n_key_null": found.n_null,
            "n_key_null95": found.n_null95,
        }
