"""Names of places in a model and of axes in a result; shared by every room, imports nothing.

A *layer* is a 0-based transformer block; the embedding output (the input of block 0) is layer -1,
so ``depth = (layer + 1) / n_blocks`` runs from 0 to 1. Layers are never counted from the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from probekit.errors import InputError

SiteKind = Literal["embed", "resid_post", "mlp_pre", "mlp_act", "attn_out", "mlp_out"]

SITE_KINDS: tuple[SiteKind, ...] = (
    "embed",
    "resid_post",
    "mlp_pre",
    "mlp_act",
    "attn_out",
    "mlp_out",
)

LAYER = "layer"
LAYER_B = "layer_b"
LANGUAGE = "language"
LANGUAGE_B = "language_b"
UNIT = "unit"
FEATURE = "feature"
NEURON = "neuron"
RESAMPLE = "resample"
PERMUTATION = "permutation"
RANK = "rank"
TASK = "task"
ABLATED = "ablated"
DRAW = "draw"
COMPONENT = "component"
TOKEN_LANGUAGE = "token_language"
PAIR = (LANGUAGE, LANGUAGE_B)

EMBEDDING_LAYER = -1


@dataclass(frozen=True, order=True)
class Site:
    """A named place in a subject, such as ``resid_post.7``.

    ``embed`` is the input of block 0 (position embeddings, embedding norm and scale included),
    ``resid_post.l`` the output of block ``l`` before the final norm, ``mlp_pre.l`` the gate (GLU)
    or fc-in output whose sign says "the neuron fires", ``mlp_act.l`` the input of the down
    projection, ``attn_out.l`` and ``mlp_out.l`` the outputs of the two sublayers.
    """

    layer: int
    kind: SiteKind

    def __str__(self) -> str:
        return self.kind if self.kind == "embed" else f"{self.kind}.{self.layer}"

    @classmethod
    def parse(cls, name: str) -> Site:
        """Read ``embed`` or ``kind.layer``.

        Raises
        ------
        InputError
            The name is not of that form.
        """
        kind, _, layer = name.partition(".")
        if kind == "embed" and not layer:
            return cls(EMBEDDING_LAYER, "embed")
        if kind in SITE_KINDS and kind != "embed" and layer.isdecimal():
            return cls(int(layer), kind)
        msg = (
            f"site must be 'embed' or one of {SITE_KINDS[1:]} with a block, as in "
            f"'resid_post.7'. Got {name!r} instead."
        )
        raise InputError(msg)


EMBED = Site(EMBEDDING_LAYER, "embed")


def residual_sites(n_blocks: int) -> tuple[Site, ...]:
    """Layers -1 … n_blocks - 1 as sites: the embedding, then each block's output."""
    return (EMBED, *(Site(layer, "resid_post") for layer in range(n_blocks)))


def depth(layer: int, n_blocks: int) -> float:
    """Relative depth of a layer, 0 for the embedding and 1 for the last block."""
    return (layer + 1) / n_blocks
