"""Token-mean MLP activations (``mlp_act``) of every text: the observers behind MLP-space regions.

One observer a block, so that results are made with one block in memory. Costs one small product a
batch and block. A shard keeps ``blocks × languages × units × width`` float32, about four times its
pooled residual vectors: 4 bytes × 18 × 12 × 16 × 2048 = 28 MB for sixteen units of the built-in
model; nothing grows with the corpus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.sites import Site

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from probekit.capture.observers import Batch, State
    from probekit.capture.tokens import ShardPlan
    from probekit.models import Anatomy


class MLPMeans:
    """Mean over content tokens of the input of the down projection, at one block.

    Parameters
    ----------
    layer
        The block.
    """

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self.name = mlp_means_name(layer)

    def sites(self, anatomy: Anatomy) -> tuple[Site, ...]:
        """``mlp_act`` of the block.

        Raises
        ------
        ModelError
            The model's neurons cannot be read.
        """
        anatomy.require_neurons()
        return (Site(self.layer, "mlp_act"),)

    def settings(self) -> dict[str, Any]:
        """Nothing to set."""
        return {}

    def shard_bytes(self, anatomy: Anatomy, *, n_languages: int, n_units: int) -> int:
        """Bytes of the means of one block over a corpus."""
        return 4 * n_languages * n_units * anatomy.require_neurons().width

    def start(self, shard: ShardPlan, *, n_languages: int, anatomy: Anatomy) -> None:
        """Begin a shard."""
        self._shape = (n_languages, shard.n_units, anatomy.require_neurons().width)
        self._first_unit = shard.start
        self._means: Tensor | None = None

    def observe(
        self, site: Site, content: Float[Tensor, "content width"], *, hidden: Tensor, batch: Batch
    ) -> None:
        """Pool the content tokens of each text."""
        import torch

        if self._means is None:
            self._means = torch.full(self._shape, torch.nan, device=content.device)
        pooled = batch.pooling_matrix("mean") @ content
        self._means[batch.languages, batch.units - self._first_unit] = pooled

    def state(self) -> State:
        """``means``: array (language, unit, neuron), float32."""
        assert self._means is not None
        return {"means": self._means.cpu().numpy()}


def mlp_means_name(layer: int) -> str:
    """Name of the observer of one block."""
    return f"mlp_means_{layer}"
