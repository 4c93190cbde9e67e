"""Rounded weights: whether a 4-bit copy of the erased model answers again.

Round to nearest, symmetric, one scale a group of weights along the input; the small updates of an
erasure can fall under the rounding (Zhang et al. 2024, arXiv 2410.16454). Simulated: values are
rounded and stored in their own type. Costs a copy of the blocks' matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.erasure.exam import exact_right
from probekit.erasure.verify.shares import Known, by_key, chance_by_key, shares_of
from probekit.erasure.working_copy import put, working_copy

if TYPE_CHECKING:
    from torch import Tensor

    from probekit.erasure.memory import Memory
    from probekit.erasure.verify.settings import VerifySettings
    from probekit.facts.question import FactSet
    from probekit.models import Subject


def rounded(weight: Tensor, *, bits: int = 4, group: int = 32) -> Tensor:
    """``s · round(w / s)`` with ``s = max|w| / (2^(bits−1) − 1)`` of each group of the last axis.

    A last group may be shorter. A group of zeros stays zero. The error is at most ``s / 2``.
    """
    import torch

    steps = 2 ** (bits - 1) - 1
    pieces = []
    for piece in torch.split(weight.float(), group, dim=-1):
        scale = piece.abs().amax(dim=-1, keepdim=True) / steps
        pieces.append((piece / scale.clamp(min=torch.finfo(torch.float32).tiny)).round() * scale)
    return torch.cat(pieces, dim=-1).to(weight.dtype)


def rounded_subject(subject: Subject, *, bits: int, group: int) -> Subject:
    """Subject whose matrices in the blocks are rounded; embedding, head and norms are not."""
    prefix = f"{subject.anatomy.blocks}."
    own = {
        name: tensor
        for name, tensor in subject.model.named_parameters()
        if name.startswith(prefix) and tensor.ndim == 2 and tensor.is_floating_point()
    }
    made = working_copy(subject, tuple(own))
    put(made, {name: rounded(t.detach(), bits=bits, group=group) for name, t in own.items()})
    made.model.requires_grad_(requires_grad=False)
    return made


def rounding_attack(
    base: Subject,
    erased: Subject,
    facts: FactSet,
    *,
    known: Known,
    how: VerifySettings,
    memory: Memory,
) -> dict[str, Any]:
    """Known facts that the rounded erased model answers; beside them the rounded base."""
    asked = facts.where(part="forget")
    chance, shape = chance_by_key(asked, known), (how.bits, how.group, how.batch_tokens)

    def answers(subject: Subject) -> Any:
        made = rounded_subject(subject, bits=how.bits, group=how.group)
        return exact_right(made, asked, batch_tokens=how.batch_tokens)

    sides = {
        "base": memory.once("rounded", base, lambda: answers(base), facts=asked, settings=shape),
        "by_language": answers(erased),
    }
    return {name: shares_of(by_key(asked, right), chance, known) for name, right in sides.items()}
