"""One vector per text and layer: the observer behind CKA, regions, alignment and probes.

Costs one small matrix product per layer and batch. A shard keeps ``layers × languages × units ×
width`` float32 on the device until it is written; nothing grows with the corpus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.sites import residual_sites

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from probekit.capture.observers import Batch, Pooling, State
    from probekit.capture.tokens import ShardPlan
    from probekit.models import Anatomy
    from probekit.sites import Site


class PooledVectors:
    """Pooled residual-stream vectors of every text at every layer (-1 … n_blocks - 1).

    Parameters
    ----------
    pooling
        ``mean`` over content tokens (default), ``last`` content token, or position-``weighted``.
    """

    name = "pooled"

    def __init__(self, pooling: Pooling = "mean") -> None:
        self.pooling: Pooling = pooling

    def sites(self, anatomy: Anatomy) -> tuple[Site, ...]:
        """The residual stream at every layer."""
        return residual_sites(anatomy.n_blocks)

    def settings(self) -> dict[str, Any]:
        """Pooling."""
        return {"pooling": self.pooling}

    def shard_bytes(self, anatomy: Anatomy, *, n_languages: int, n_units: int) -> int:
        """Bytes of all vectors of a corpus."""
        return 4 * (anatomy.n_blocks + 1) * n_languages * n_units * anatomy.d_model

    def start(self, shard: ShardPlan, *, n_languages: int, anatomy: Anatomy) -> None:
        """Begin a shard."""
        self._shape = (anatomy.n_blocks + 1, n_languages, shard.n_units, anatomy.d_model)
        self._first_unit = shard.start
        self._vectors: Tensor | None = None

    def observe(
        self, site: Site, content: Float[Tensor, "content width"], *, hidden: Tensor, batch: Batch
    ) -> None:
        """Pool the content tokens of each text."""
        import torch

        if self._vectors is None:
            self._vectors = torch.full(self._shape, torch.nan, device=content.device)
        pooled = batch.pooling_matrix(self.pooling) @ content
        self._vectors[site.layer + 1, batch.languages, batch.units - self._first_unit] = pooled

    def state(self) -> State:
        """``vectors``: array (layer, language, unit, d_model), float32."""
        assert self._vectors is not None
        return {"vectors": self._vectors.cpu().numpy()}
