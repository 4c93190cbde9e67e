"""What each algorithm minimises, step by step, on batches of facts to forget and to retain.

RMU costs the blocks up to its read layer, the others the blocks from the first that moves to the
last, and the unembedding of answer tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np
import torch

from probekit.erasure import losses
from probekit.erasure.answers import answer_logp
from probekit.erasure.loop import shuffled
from probekit.erasure.tail import Tail
from probekit.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from probekit.erasure.loop import Objective
    from probekit.erasure.settings import EraseSettings
    from probekit.erasure.texts import TextBatch
    from probekit.models import Subject

_FORGET, _RETAIN, _DIRECTION = 7, 8, 9  # random streams of their own


@dataclass(frozen=True, eq=False)
class Material:
    """What an objective works with.

    Attributes
    ----------
    tail
        Runs the subject that moves.
    forget, retain
        Batches of either.
    frozen
        The same subject before anything moved.
    """

    tail: Tail
    forget: tuple[TextBatch, ...]
    retain: tuple[TextBatch, ...]
    frozen: Tail

    @property
    def subject(self) -> Subject:
        """The subject that moves."""
        return self.tail.subject


def make_objective(
    material: Material, how: EraseSettings, *, read_layer: int | None
) -> tuple[Objective, dict[str, float]]:
    """Objective of an algorithm, and numbers that it derived from the model, for the record."""
    if how.algorithm == "rmu":
        if read_layer is None:
            msg = "read_layer must be given for RMU. Got None; say which block it reads."
            raise InputError(msg)
        rmu = Rmu(material, how, read_layer)
        return rmu, {"median_norm": rmu.norm, "steering_norm": how.coefficient * rmu.norm}
    bound = how.bound or log(int(material.subject.model.config.get_text_config().vocab_size))
    answers = Answers(material, how, bound)
    return answers, ({"bound": bound} if how.algorithm == "gradient-ascent" else {})


class Answers:
    """SimNPO or bounded gradient ascent on answers to forget, cross-entropy on answers to keep."""

    def __init__(self, material: Material, how: EraseSettings, bound: float) -> None:
        self.material, self.how, self.bound = material, how, bound
        self.pick = _Pick(material, how.seed)

    def __call__(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """``forget + retain_weight · retain`` of a step's two batches."""
        how = self.how
        batch = self.pick.forget(step)
        logp = self._logp(batch)
        if how.algorithm == "simnpo":
            mean = losses.mean_by_text(logp, batch.rows, len(batch.items))
            forget = losses.simnpo(mean, beta=how.beta, gamma=how.gamma)
        else:
            forget = losses.bounded_ascent(logp, bound=self.bound)
        if how.retain_weight == 0:
            return forget, {"forget": float(forget.detach())}
        keep = losses.cross_entropy(self._logp(self.pick.retain(step)))
        return forget + how.retain_weight * keep, _said(forget, keep)

    def _logp(self, batch: TextBatch) -> Tensor:
        hidden = self.material.tail.run(batch)
        return answer_logp(self.material.subject, hidden, batch)[0]


class Rmu:
    """Push activations on facts to forget to one vector, hold those on facts to keep.

    Both distances are divided by the mean square of the read layer's activations, so that losses
    and ``retain_weight`` mean the same in every model; their ratio is the paper's.
    """

    def __init__(self, material: Material, how: EraseSettings, read_layer: int) -> None:
        self.material, self.how, self.read = material, how, read_layer
        self.pick = _Pick(material, how.seed)
        self.norm = self._median_norm()
        subject = material.subject
        width = subject.anatomy.d_model
        u = direction(width, seed=how.seed)
        self.goal = torch.as_tensor(how.coefficient * self.norm * u).to(
            subject.device, subject.dtype
        )
        self.unit = self.norm**2 / width
        self._frozen: dict[int, Tensor] = {}
        self._bytes = 0

    def __call__(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """``forget + retain_weight · retain`` of a step's two batches."""
        tail = self.material.tail
        batch = self.pick.forget(step)
        hidden = tail.run(batch, self.read)
        forget = losses.squared_distance(hidden, self.goal, batch.content) / self.unit
        if self.how.retain_weight == 0:
            return forget, {"forget": float(forget.detach())}
        other = self.pick.retain(step)
        held = tail.run(other, self.read)
        keep = losses.squared_distance(held, self._before(other), other.content) / self.unit
        return forget + self.how.retain_weight * keep, _said(forget, keep)

    def _before(self, batch: TextBatch) -> Tensor:
        """What the frozen model says at the read layer, kept where memory allows."""
        found = self._frozen.get(id(batch))
        if found is not None:
            return found
        with torch.no_grad():
            found = self.material.frozen.run(batch, self.read).clone()
        size = found.numel() * found.element_size()
        if self._bytes + size <= self.how.cache_bytes:
            self._frozen[id(batch)] = found
            self._bytes += size
        return found

    def _median_norm(self) -> float:
        """Median norm of the frozen model's activations over content tokens to forget."""
        norms = []
        with torch.no_grad():
            for batch in self.material.forget:
                hidden = self.material.frozen.run(batch, self.read)
                norms.append(hidden[batch.content].float().norm(dim=-1).cpu())
        return float(torch.cat(norms).median())


def direction(width: int, *, seed: int) -> np.ndarray:
    """RMU's vector ``u``: uniform numbers in [0, 1), normalised; the same on every device."""
    u = np.random.default_rng([seed, _DIRECTION]).random(width)
    return np.asarray(u / np.linalg.norm(u))


class _Pick:
    """Batches of a step; forget and retain each run through epochs of their own."""

    def __init__(self, material: Material, seed: int) -> None:
        self.material = material
        self._forget = shuffled(len(material.forget), stream=(seed, _FORGET))
        self._retain = shuffled(len(material.retain), stream=(seed, _RETAIN))

    def forget(self, step: int) -> TextBatch:
        """Batch to forget."""
        return self.material.forget[self._forget(step)]

    def retain(self, step: int) -> TextBatch:
        """Batch to retain."""
        return self.material.retain[self._retain(step)]


def _said(forget: Tensor, keep: Tensor) -> dict[str, float]:
    return {"forget": float(forget.detach()), "retain": float(keep.detach())}
