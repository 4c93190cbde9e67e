"""Token-level size of the residual stream: norms, massive activations, variance by dimension.

Sums are float64 around a pilot mean (the first batch's), because float32 raw moments are useless
when a dimension has mean 200 and standard deviation 1. Nothing is rounded before it is added, so a
corpus cut into other shards gives the same moments. Costs about three passes over the content
tokens of a batch, a few percent of the forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.sites import residual_sites

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Float
    from torch import Tensor

    from probekit.capture.observers import Batch, State
    from probekit.capture.tokens import ShardPlan
    from probekit.models import Anatomy
    from probekit.sites import Site


@dataclass(frozen=True)
class TokenMoments:
    """Moments of content tokens by layer.

    Attributes
    ----------
    n
        Content tokens seen.
    mean, variance
        Arrays (layer, d_model), float64; variance is the population variance.
    max_abs, max_abs_first
        Arrays (layer, d_model): largest absolute value over content tokens, over first tokens.
    norms
        Array (layer, language, unit): mean L2 norm of a text's content tokens.
    """

    n: int
    mean: np.ndarray
    variance: np.ndarray
    max_abs: np.ndarray
    max_abs_first: np.ndarray
    norms: np.ndarray


class TokenStatistics:
    """Observer of norms, extremes and per-dimension moments at every layer."""

    name = "tokens"

    def sites(self, anatomy: Anatomy) -> tuple[Site, ...]:
        """The residual stream at every layer."""
        return residual_sites(anatomy.n_blocks)

    def settings(self) -> dict[str, Any]:
        """Nothing to set."""
        return {}

    def start(self, shard: ShardPlan, *, n_languages: int, anatomy: Anatomy) -> None:
        """Begin a shard."""
        self._layers = anatomy.n_blocks + 1
        self._shape = (self._layers, n_languages, shard.n_units)
        self._first_unit = shard.start
        self._n = np.zeros(self._layers, dtype=np.int64)
        self._pilot: dict[int, Tensor] = {}
        self._sums: dict[int, Tensor] = {}
        self._norms: Tensor | None = None
        self._extremes: dict[int, Tensor] = {}

    def observe(
        self, site: Site, content: Float[Tensor, "content width"], *, hidden: Tensor, batch: Batch
    ) -> None:
        """Add one batch to the sums of one layer."""
        import torch

        row = site.layer + 1
        if row not in self._pilot:
            self._pilot[row] = content.mean(0).double()
            self._sums[row] = torch.zeros(
                2, content.shape[1], dtype=torch.float64, device=content.device
            )
            self._extremes[row] = torch.zeros(2, content.shape[1], device=content.device)
        centred = content.double().sub_(self._pilot[row])
        self._sums[row][0] += centred.sum(0)
        self._sums[row][1] += centred.square_().sum(0)
        self._n[row] += len(content)
        first = hidden.reshape(-1, hidden.shape[-1]).index_select(0, batch.first_index)
        peaks = torch.stack([content.abs().amax(0), first.float().abs().amax(0)])
        torch.maximum(self._extremes[row], peaks, out=self._extremes[row])
        self._add_norms(row, content, batch)

    def _add_norms(self, row: int, content: Tensor, batch: Batch) -> None:
        import torch

        if self._norms is None:
            self._norms = torch.full(self._shape, torch.nan, device=content.device)
        # a product, not a scattered sum, which a GPU adds up in another order every time
        means = batch.pooling_matrix("mean") @ torch.linalg.vector_norm(content, dim=1)
        self._norms[row, batch.languages, batch.units - self._first_unit] = means

    def state(self) -> State:
        """Counts, pilot, float64 sums around it, extremes, norms."""
        assert self._norms is not None
        rows = range(self._layers)
        return {
            "n": self._n,
            "pilot": np.stack([self._pilot[row].cpu().numpy() for row in rows]),
            "sums": np.stack([self._sums[row].cpu().numpy() for row in rows]),
            "extremes": np.stack([self._extremes[row].cpu().numpy() for row in rows]),
            "norms": self._norms.cpu().numpy(),
        }


def merge_moments(states: Iterable[State]) -> TokenMoments:
    """Join shards' states in order; exact in float64 (Chan, Golub & LeVeque 1983)."""
    n = 0
    mean = m2 = extremes = np.zeros(0)
    norms = []
    for state in states:
        k = int(state["n"][0])
        shift, square = state["sums"][:, 0], state["sums"][:, 1]
        here_mean, here_m2 = state["pilot"] + shift / k, square - shift**2 / k
        if n == 0:
            mean, m2, extremes = here_mean, here_m2, state["extremes"]
        else:
            delta = here_mean - mean
            m2 = m2 + here_m2 + delta**2 * (n * k / (n + k))
            mean = mean + delta * (k / (n + k))
            extremes = np.maximum(extremes, state["extremes"])
        n += k
        norms.append(state["norms"])
    return TokenMoments(
        n=n,
        mean=mean,
        variance=np.maximum(m2, 0.0) / n,
        max_abs=extremes[:, 0],
        max_abs_first=extremes[:, 1],
        norms=np.concatenate(norms, axis=-1),
    )
