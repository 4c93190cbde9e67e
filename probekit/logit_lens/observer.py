"""The lens over a corpus: what every layer's vectors would predict, by language, in the pass.

The vectors of the sampled positions are held until a block of them is full (a few MB), then swept
over the vocabulary once. Costs the unembedding product of ``positions × layers`` rows.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from probekit.logit_lens.sampling import random_direction
from probekit.logit_lens.sweep import block_positions
from probekit.logit_lens.vocabulary import Readout, lens_rows, read_vocabulary
from probekit.models.head import unembedding
from probekit.sites import residual_sites

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from probekit.capture.observers import Batch, State
    from probekit.capture.tokens import ShardPlan, TokenizedText
    from probekit.logit_lens.sampling import Sample
    from probekit.logit_lens.token_languages import TokenLanguages
    from probekit.models import Anatomy, Subject
    from probekit.sites import Site

#: Statistics that are summed over positions: bits, shares, ``log2 rank`` and ``1 / rank``.
STATISTICS = ("entropy", "kl", "agreement", "surprisal", "log_rank", "reciprocal_rank")
#: Those that a random vector has too; the others compare with the model's own last layer.
WITH_FLOOR = ("entropy", "surprisal", "log_rank", "reciprocal_rank")


class _Waiting(NamedTuple):
    """One position whose vectors wait for a full block."""

    unit: int
    language: int
    truth: int
    vectors: Tensor
    is_floor: bool = False


class LensStatistics:
    """Observer of entropy, divergence, ranks and language masses at sampled positions.

    Parameters
    ----------
    subject
        The model that will be read. It is not kept: the observer finds it again at every shard,
        and holds its unembedding only while a shard is read.
    sample
        Positions, from :func:`probekit.logit_lens.sampling.sample_positions`.
    token_languages
        Class of every token.
    seed
        Of the random vectors of the chance level.
    settings
        What else decides the numbers, for the identity of a run.
    """

    name = "lens"

    def __init__(
        self,
        subject: Subject,
        *,
        sample: Sample,
        token_languages: TokenLanguages,
        seed: int,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self._subject = weakref.ref(subject)
        self._sample, self._seed = sample, seed
        self._token_languages = token_languages
        self._settings = {"seed": seed, **(settings or {})}

    def sites(self, anatomy: Anatomy) -> tuple[Site, ...]:
        """The residual stream at every layer."""
        return residual_sites(anatomy.n_blocks)

    def settings(self) -> dict[str, Any]:
        """What the sample and the classes were made with."""
        return dict(self._settings)

    def start(self, shard: ShardPlan, *, n_languages: int, anatomy: Anatomy) -> None:
        """Begin a shard."""
        import torch

        subject = self._subject()
        assert subject is not None, "the subject is held by whoever runs the pass"
        self._reader, self._head = subject, unembedding(subject)
        device = self._head.weight.device
        self._classes = torch.as_tensor(self._token_languages.classes, device=device)
        self._layers, self._width = anatomy.n_blocks + 1, anatomy.d_model
        self._first_unit = shard.start
        self._batch: Batch | None = None
        self._waiting: list[_Waiting] = []
        self._block = block_positions(self._layers, device)
        self._begin_sums(n_languages, shard.n_units)

    def _begin_sums(self, n_languages: int, n_units: int) -> None:
        n_classes = self._token_languages.n_classes
        by_text = (self._layers, n_languages, n_units)
        by_unit = (self._layers, n_units)
        self._sums: dict[str, np.ndarray] = {name: np.zeros(by_text) for name in STATISTICS}
        self._sums |= {f"floor_{name}": np.zeros(by_unit) for name in WITH_FLOOR}
        self._sums["mass"] = np.zeros((*by_text, n_classes))
        self._sums["floor_mass"] = np.zeros((*by_unit, n_classes))
        for name in ("n", "n_own"):
            self._sums[name] = np.zeros((n_languages, n_units), dtype=np.int64)
        self._sums["floor_n"] = np.zeros(n_units, dtype=np.int64)

    def observe(
        self, site: Site, content: Float[Tensor, "content width"], *, hidden: Tensor, batch: Batch
    ) -> None:
        """Keep the sampled positions of one layer; sweep when all layers are there."""
        if batch is not self._batch:
            self._begin_batch(batch)
        if not self._places:
            return
        self._vectors[:, site.layer + 1] = content.index_select(0, self._index)
        self._missing.discard(site.layer)
        if not self._missing:
            self._end_batch()

    def _begin_batch(self, batch: Batch) -> None:
        """Find the sampled positions among the content tokens of a batch."""
        import torch

        self._batch, at = batch, 0
        self._places: list[tuple[TokenizedText, int]] = []
        index: list[int] = []
        for text in batch.texts:
            for position in self._sample.positions.get((text.unit, text.language), ()):
                self._places.append((text, position))
                index.append(at + text.content.index(position))
            at += len(text.content)
        self._index = torch.tensor(index, dtype=torch.long, device=batch.device)
        self._vectors = torch.empty(len(index), self._layers, self._width, device=batch.device)
        self._missing = set(range(-1, self._layers - 1))

    def _end_batch(self) -> None:
        import torch

        for (text, position), vectors in zip(self._places, self._vectors, strict=True):
            unit, truth = text.unit - self._first_unit, self._sample.truth(text, position)
            self._waiting.append(_Waiting(unit, text.language, truth, vectors))
            place = (text.unit, text.language, position)
            if place in self._sample.floor:
                drawn = random_direction((self._layers, self._width), place, seed=self._seed)
                norms = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
                random = torch.as_tensor(drawn, device=vectors.device) * norms
                self._waiting.append(_Waiting(unit, text.language, truth, random, is_floor=True))
        while len(self._waiting) >= self._block:
            self._sweep(self._waiting[: self._block])
            self._waiting = self._waiting[self._block :]

    def _sweep(self, waiting: list[_Waiting]) -> None:
        """Read one block over the vocabulary and add it to the sums."""
        import torch

        with torch.inference_mode():
            rows = lens_rows(self._reader, torch.stack([each.vectors for each in waiting]))
        found = read_vocabulary(
            rows,
            self._head,
            targets=np.array([[each.truth] for each in waiting]),
            classes=self._classes,
            n_classes=self._token_languages.n_classes,
        )
        values = statistics_of(found)
        for at, each in enumerate(waiting):
            self._add(each, {name: value[at] for name, value in values.items()})

    def _add(self, each: _Waiting, values: dict[str, np.ndarray]) -> None:
        if each.is_floor:
            for name in (*WITH_FLOOR, "mass"):
                self._sums[f"floor_{name}"][:, each.unit] += values[name]
            self._sums["floor_n"][each.unit] += 1
            return
        for name, value in values.items():
            self._sums[name][:, each.language, each.unit] += value
        self._sums["n"][each.language, each.unit] += 1
        own = self._token_languages.classes[each.truth] == each.language
        self._sums["n_own"][each.language, each.unit] += own

    def state(self) -> State:
        """Sums over positions by layer, language and unit, and how many positions there were.

        ``n`` (language, unit) and ``floor_n`` (unit) count, ``n_own`` those whose true token is of
        the text's language; each of ``STATISTICS`` is (layer, language, unit), ``mass`` (layer,
        language, unit, class), and the same names with ``floor_`` are sums over random vectors,
        without the language axis. ``class_tokens`` (class,) and ``next_token`` are constants.
        """
        if self._waiting:
            self._sweep(self._waiting)
        del self._reader, self._head, self._classes, self._batch
        self._waiting = []
        constants = {
            "class_tokens": self._token_languages.n_tokens,
            "next_token": np.array([self._sample.next_token], dtype=np.int64),
        }
        return self._sums | constants


def statistics_of(found: Readout) -> dict[str, np.ndarray]:
    """What is summed, from a readout with the true token as its only target."""
    rank = found.target_rank[:, :, 0]
    best = found.top_ids[:, :, 0]
    return {
        "entropy": found.entropy,
        "kl": found.kl,
        "agreement": (best == best[:, -1:]).astype(np.float64),
        "surprisal": -found.target_log2[:, :, 0],
        "log_rank": np.log2(rank),
        "reciprocal_rank": 1.0 / rank,
        "mass": found.mass,
    }
