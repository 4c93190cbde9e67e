"""Counts of firing neurons by language: the observer behind LAPE and neuron types.

A neuron fires on a token when the gate of its GLU, or fc-in of a plain MLP, is positive there:
GELU, SiLU and ReLU keep that sign. One product a batch and layer counts every text, ``texts ×
content × width``; the rest adds integers. A shard keeps ``layers × (groups + exchanges) × languages
× width`` integers and one flag per text and neuron on the device.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.sites import Site

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Float
    from torch import Tensor

    from probekit.capture.observers import Batch, State
    from probekit.capture.tokens import ShardPlan, TokenizedCorpus
    from probekit.models import Anatomy

#: A text can be silent, specific, partial or shared: numbers of languages.
N_TYPES = 4


@dataclass(frozen=True)
class FiringCounts:
    """Integer counts over the content tokens of a corpus.

    Attributes
    ----------
    by_group
        Array (group, layer, language, neuron), int64: tokens on which the neuron fires, by group
        of units. Their sum over groups is the corpus's.
    exchanged
        Array (exchange, layer, language, neuron), int64: the same over the whole corpus, with
        language labels exchanged within units.
    active
        Array (layer, language, neuron), int64: units whose text activates the neuron.
    types
        Array (layer, unit, 4), int64: neurons active in no, one, some, all languages of a unit.
    """

    by_group: np.ndarray
    exchanged: np.ndarray
    active: np.ndarray
    types: np.ndarray


class FiringNeurons:
    """Observer that counts, at every block, the tokens on which each neuron fires.

    Parameters
    ----------
    groups
        Array (n_units,): group of every unit of the corpus, from ``measures.unit_groups``.
    labels
        Array (n_exchanges, n_units, n_languages): exchanged labels, from
        ``measures.exchanged_labels``.
    active_share
        A text activates a neuron that fires on at least this share of its content tokens.
    """

    name = "firing"

    def __init__(
        self, groups: np.ndarray, labels: np.ndarray, *, active_share: float = 0.5
    ) -> None:
        self.groups, self.labels, self.active_share = groups, labels, active_share

    def sites(self, anatomy: Anatomy) -> tuple[Site, ...]:
        """``mlp_pre`` of every block.

        Raises
        ------
        ModelError
            The model's neurons cannot be read.
        """
        anatomy.require_neurons()
        return tuple(Site(layer, "mlp_pre") for layer in range(anatomy.n_blocks))

    def settings(self) -> dict[str, Any]:
        """Groups and exchanges as drawn, and what activates."""
        drawn = hashlib.sha256(np.ascontiguousarray(self.groups, dtype="<i8").tobytes())
        drawn.update(np.ascontiguousarray(self.labels, dtype="<i8").tobytes())
        return {
            "groups": int(self.groups.max()) + 1,
            "exchanges": len(self.labels),
            "drawn": drawn.hexdigest(),
            "active_share": self.active_share,
        }

    def start(self, shard: ShardPlan, *, n_languages: int, anatomy: Anatomy) -> None:
        """Begin a shard."""
        neurons = anatomy.require_neurons()
        self._first_unit = shard.start
        self._n_groups = int(self.groups.max()) + 1
        self._shape = (anatomy.n_blocks, n_languages, shard.n_units, neurons.width)
        self._fired: Tensor | None = None
        self._active: Tensor | None = None
        self._batch: Batch | None = None

    def observe(
        self, site: Site, content: Float[Tensor, "content width"], *, hidden: Tensor, batch: Batch
    ) -> None:
        """Count the firing content tokens of each text, and add them where they belong."""
        import torch

        if self._fired is None or self._active is None:
            n_blocks, n_languages, _, width = self._shape
            rows = (self._n_groups + len(self.labels)) * n_languages
            where = content.device
            self._fired = torch.zeros(n_blocks, rows, width, dtype=torch.int32, device=where)
            self._active = torch.zeros(self._shape, dtype=torch.bool, device=where)
        if batch is not self._batch:
            self._prepare(batch, content)
        # sums of zeros and ones: exact in float32 below 2**24 tokens a text
        counts = self._members @ (content > 0).to(content.dtype)
        copies = 1 + len(self.labels)
        self._fired[site.layer].index_add_(0, self._rows, counts.int().repeat(copies, 1))
        at = batch.units - self._first_unit
        self._active[site.layer, batch.languages, at] = counts >= self._needed

    def _prepare(self, batch: Batch, content: Tensor) -> None:
        """What all layers of a batch share: which token, row and threshold belong to which text."""
        import torch

        means = batch.pooling_matrix("mean")
        self._batch, self._members = batch, (means > 0).to(content.dtype)
        lengths = np.array([[len(text.content)] for text in batch.texts])
        needed = np.maximum(np.ceil(lengths * self.active_share - 1e-9), 1)  # .3 · 10 asks for 3
        self._needed = torch.as_tensor(needed, dtype=torch.float32, device=content.device)
        units = np.array([text.unit for text in batch.texts])
        languages = np.array([text.language for text in batch.texts])
        n_languages = self._shape[1]
        rows = [self.groups[units] * n_languages + languages]
        for number, labels in enumerate(self.labels):
            rows.append((self._n_groups + number) * n_languages + labels[units, languages])
        self._rows = torch.as_tensor(np.concatenate(rows), device=content.device)

    def state(self) -> State:
        """Integer arrays of :class:`FiringCounts`, for the shard's units."""
        assert self._fired is not None
        assert self._active is not None
        n_blocks, n_languages, _, width = self._shape
        fired = self._fired.cpu().numpy().reshape(n_blocks, -1, n_languages, width)
        active = self._active.cpu().numpy()
        languages = active.sum(axis=1, dtype=np.uint16)  # (layer, unit, neuron)
        inner = (languages > 1) & (languages < n_languages)
        types = [languages == 0, languages == 1, inner, languages == n_languages]
        return {
            "by_group": narrow(fired[:, : self._n_groups]),
            "exchanged": narrow(fired[:, self._n_groups :]),
            "active": narrow(active.sum(axis=2, dtype=np.int32)),
            "types": np.stack([each.sum(axis=2, dtype=np.int32) for each in types], axis=-1),
        }


def narrow(counts: np.ndarray) -> np.ndarray:
    """Counts in half the bytes where they fit."""
    fits = counts.size and counts.max() <= np.iinfo(np.uint16).max
    return counts.astype(np.uint16) if fits else counts


def merge_firing(states: Iterable[State]) -> FiringCounts:
    """Add shards' states in order; one state and the sums in memory.

    Raises
    ------
    InputError
        No state.
    """
    sums: dict[str, np.ndarray] = {}
    types = []
    for state in states:
        types.append(state["types"].astype(np.int64))
        for name in ("by_group", "exchanged", "active"):
            if name not in sums:
                sums[name] = np.zeros(state[name].shape, dtype=np.int64)
            sums[name] += state[name]
    if not types:
        msg = "states must hold at least one shard. Got none instead: run the pass first."
        raise InputError(msg)
    return FiringCounts(
        by_group=np.moveaxis(sums["by_group"], 1, 0),
        exchanged=np.moveaxis(sums["exchanged"], 1, 0),
        active=sums["active"],
        types=np.concatenate(types, axis=1),
    )


def content_tokens(tokens: TokenizedCorpus) -> np.ndarray:
    """Content tokens of every text, array (language, unit), int64."""
    found = np.zeros((tokens.n_languages, tokens.n_units), dtype=np.int64)
    for text in tokens.texts:
        found[text.language, text.unit] = len(text.content)
    return found
