"""What an observer is: it names sites, sees their activations batch by batch, and keeps sums.

A new instrument is one class with these methods. An observer never keeps activations: it reduces
on the device where they are, and its state is a handful of arrays that merge in shard order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from jaxtyping import Float, Int
    from torch import Tensor

    from probekit.capture.tokens import ShardPlan, TokenizedText
    from probekit.models import Anatomy
    from probekit.models.inputs import PaddingSide
    from probekit.sites import Site

Pooling = Literal["mean", "last", "weighted"]


@dataclass(frozen=True)
class Batch:
    """The texts of one forward, and where their content tokens lie in it.

    Attributes
    ----------
    texts
        One per row.
    width
        Padded length.
    side
        Side of the padding.
    device
        Where index tensors are made.
    """

    texts: Sequence[TokenizedText]
    width: int
    side: PaddingSide
    device: torch.device

    def _offset(self, text: TokenizedText) -> int:
        return 0 if self.side == "right" else self.width - len(text.ids)

    @cached_property
    def content_index(self) -> Int[Tensor, content]:  # noqa: F821
        """Content tokens as positions in the flattened ``(batch · width)`` axis."""
        import torch

        flat = [
            row * self.width + self._offset(text) + position
            for row, text in enumerate(self.texts)
            for position in text.content
        ]
        return torch.tensor(flat, dtype=torch.long, device=self.device)

    @cached_property
    def first_index(self) -> Int[Tensor, batch]:  # noqa: F821
        """The first attended token of each row in the flattened axis."""
        import torch

        flat = [row * self.width + self._offset(text) for row, text in enumerate(self.texts)]
        return torch.tensor(flat, dtype=torch.long, device=self.device)

    @cached_property
    def languages(self) -> Int[Tensor, batch]:  # noqa: F821
        """Language column of each row."""
        import torch

        return torch.tensor([text.language for text in self.texts], device=self.device)

    @cached_property
    def units(self) -> Int[Tensor, batch]:  # noqa: F821
        """Unit row, in the corpus, of each row."""
        import torch

        return torch.tensor([text.unit for text in self.texts], device=self.device)

    @cached_property
    def _matrices(self) -> dict[Pooling, Tensor]:
        return {}

    def pooling_matrix(self, pooling: Pooling) -> Float[Tensor, "batch content"]:
        """Matrix whose product with the content tokens gives one pooled vector a text.

        Made once a batch.
        ``mean``: 1/m. ``last``: the last content token. ``weighted``: position i of m weighs
        ``i / (1 + … + m)`` (Muennighoff 2022, arXiv 2202.08904).
        """
        import torch

        if pooling not in self._matrices:
            matrix = torch.zeros(len(self.texts), len(self.content_index))
            at = 0
            for row, text in enumerate(self.texts):
                m = len(text.content)
                matrix[row, at : at + m] = _weights(m, pooling)
                at += m
            self._matrices[pooling] = matrix.to(self.device)
        return self._matrices[pooling]


def _weights(m: int, pooling: Pooling) -> Tensor:
    import torch

    if pooling == "mean":
        return torch.full((m,), 1.0 / m)
    if pooling == "last":
        return torch.cat([torch.zeros(m - 1), torch.ones(1)])
    ranks = torch.arange(1, m + 1, dtype=torch.float32)
    return ranks / ranks.sum()


State = dict[str, "np.ndarray"]


class Observer(Protocol):
    """Reduces activations to mergeable arrays.

    The pass makes a fresh reduction for every shard: ``start``, then ``observe`` for every batch
    and site, then ``state``. ``merge`` joins the states of all shards, in shard order.
    """

    name: str

    def sites(self, anatomy: Anatomy) -> tuple[Site, ...]:
        """Sites this observer wants to see."""

    def settings(self) -> dict[str, Any]:
        """What changes its numbers; part of the identity of a run."""

    def start(self, shard: ShardPlan, *, n_languages: int, anatomy: Anatomy) -> None:
        """Forget everything and begin a shard."""

    def observe(
        self, site: Site, content: Float[Tensor, "content width"], *, hidden: Tensor, batch: Batch
    ) -> None:
        """See one site of one batch: the content tokens, and the whole padded activation."""

    def state(self) -> State:
        """Arrays of this shard."""


def shard_bytes(observer: Observer, anatomy: Anatomy, *, n_languages: int, n_units: int) -> int:
    """What the shards of a corpus hold for an observer, in bytes.

    An observer whose state grows with the corpus says so in a method ``shard_bytes(anatomy, *,
    n_languages, n_units)``; the others keep sums that are small.
    """
    said = getattr(observer, "shard_bytes", None)
    return 0 if said is None else int(said(anatomy, n_languages=n_languages, n_units=n_units))
