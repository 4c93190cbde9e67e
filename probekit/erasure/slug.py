"""SLUG: one step against the gradient of the facts to forget, in one block, its size searched.

Cai et al. 2024, arXiv 2407.11867. Costs one gradient of either part over all its texts, then one
exam a step size tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from probekit.erasure import losses
from probekit.erasure.answers import answer_logp
from probekit.erasure.working_copy import put, trainable
from probekit.errors import InputError, NumericalError
from probekit.selection.exporters.target import split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from probekit.erasure.objectives import Material
    from probekit.erasure.tail import Tail
    from probekit.erasure.texts import TextBatch

#: First step tried, as a share of the block's norm (the paper's 1/10).
FIRST_STEP = 0.1


@dataclass(frozen=True)
class BlockGradient:
    """What the gradients say about one block's selected tensors.

    Attributes
    ----------
    block
        Its index.
    importance
        ``‖∇ forget‖ / ‖θ‖``.
    alignment
        ``|cos(∇ forget, ∇ retain)|``: how much forgetting moves what is retained.
    """

    block: int
    importance: float
    alignment: float


@dataclass(frozen=True)
class Trial:
    """One step size and what it did: share of the block's norm, scores of the exam."""

    size: float
    forget: float
    retain_fall: float


def gradients(tail: Tail, batches: Sequence[TextBatch]) -> dict[str, Tensor]:
    """Gradient of the cross-entropy of all answers, by tensor; mean over answer tokens."""
    own = trainable(tail.subject)
    total = sum(len(batch.targets) for batch in batches)
    for batch in batches:
        logp = answer_logp(tail.subject, tail.run(batch), batch)[0]
        loss = losses.cross_entropy(logp) * (len(batch.targets) / total)
        loss.backward()  # type: ignore[no-untyped-call]
    found = {
        name: torch.zeros_like(tensor) if tensor.grad is None else tensor.grad.detach().clone()
        for name, tensor in own.items()
    }
    for tensor in own.values():
        tensor.grad = None
    return found


def compare_blocks(
    values: Mapping[str, Tensor],
    forget: Mapping[str, Tensor],
    retain: Mapping[str, Tensor],
    *,
    path: str,
) -> tuple[BlockGradient, ...]:
    """Importance and alignment of every block that holds a selected tensor, ascending."""
    groups: dict[int, list[str]] = {}
    for name in values:
        block = split_name(name, path)[0]
        if block is None:
            msg = f"SLUG moves tensors of blocks; the selection names {name}. Drop it."
            raise InputError(msg)
        groups.setdefault(block, []).append(name)
    found = []
    for block, names in sorted(groups.items()):
        theta, f, r = (_flat(each, names) for each in (values, forget, retain))
        cosine = float(f @ r) / max(float(f.norm() * r.norm()), 1e-30)
        found.append(BlockGradient(block, float(f.norm() / theta.norm()), abs(cosine)))
    return tuple(found)


def pick_block(blocks: Sequence[BlockGradient], how: str) -> int:
    """Deepest block, or that of the Pareto front with the least alignment for its importance."""
    if how == "deepest":
        return max(each.block for each in blocks)
    front = [
        each
        for each in blocks
        if not any(
            o.importance >= each.importance and o.alignment <= each.alignment and o != each
            for o in blocks
        )
    ]
    return min(front, key=lambda each: each.alignment / max(each.importance, 1e-30)).block


def search_step(
    score: Callable[[float], tuple[float, float]],
    *,
    target: float,
    budget: float,
    most: int,
    told: Callable[[int, str], None] = lambda *_: None,
) -> tuple[float, tuple[Trial, ...]]:
    """Smallest step that forgets enough and keeps enough; else that which forgets most and keeps.

    Doubles from :data:`FIRST_STEP` until the facts are forgotten or too much is lost, then halves
    the bracket between the last step that was too small and the first that was not; while none was
    too small, a quarter is tried next.

    Parameters
    ----------
    score
        Step size → accuracy on what to forget, fall of accuracy on what to retain.
    target, budget
        Bars of the two.
    most
        Evaluations.
    told
        Told of each evaluation.

    Returns
    -------
    size, trials
        Step size (0 where none keeps enough) and everything that was tried.
    """
    trials: list[Trial] = []
    low, high = 0.0, float("inf")
    size = FIRST_STEP
    for number in range(1, most + 1):
        trials.append(Trial(size, *score(size)))
        last = trials[-1]
        told(number, f"step {size:.4g} forget {last.forget:.2f} fall {last.retain_fall:.2f}")
        if last.forget <= target or last.retain_fall > budget:
            high = size
        else:
            low = size
        size = 2 * size if high == float("inf") else (low + high) / 2 if low else high / 4
    inside = [trial for trial in trials if trial.retain_fall <= budget]
    done = [trial.size for trial in inside if trial.forget <= target]
    if done:
        return min(done), tuple(trials)
    best = min(inside, key=lambda trial: (trial.forget, -trial.size), default=None)
    return (best.size if best else 0.0), tuple(trials)


@dataclass(frozen=True, eq=False)
class Step:
    """The direction of a block and how to go along it; ``‖θ‖ / ‖∇‖`` is a step of size one."""

    material: Material
    before: dict[str, Tensor]
    towards: dict[str, Tensor]

    @classmethod
    def of(cls, material: Material, forget: Mapping[str, Tensor], block: int) -> Step:
        """Step up the forget loss, in the selected tensors of one block.

        Raises
        ------
        NumericalError
            The gradient is zero: nothing can be forgotten there.
        """
        own = trainable(material.subject)
        path = material.subject.anatomy.blocks
        names = [name for name in own if split_name(name, path)[0] == block]
        before = {name: own[name].detach().clone() for name in names}
        norm = float(_flat(forget, names).norm())
        if norm == 0:
            msg = f"the gradient of the facts to forget is zero in block {block}. Pick another."
            raise NumericalError(msg)
        scale = float(_flat(before, names).norm()) / norm
        return cls(material, before, {name: scale * forget[name] for name in names})

    def go(self, size: float) -> None:
        """Set the tensors to ``θ + size · ‖θ‖ · ∇/‖∇‖``."""
        moved = {name: value + size * self.towards[name] for name, value in self.before.items()}
        put(self.material.subject, moved)


def _flat(tensors: Mapping[str, Any], names: Sequence[str]) -> Tensor:
    return torch.cat([tensors[name].detach().reshape(-1).float() for name in names])
