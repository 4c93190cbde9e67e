"""The losses of the erasure algorithms, as pure functions on tensors.

Log-probabilities are natural; every loss is minimised. Each costs a few passes over its arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor


def squared_distance(
    x: Float[Tensor, "batch position width"],
    y: Float[Tensor, "#batch #position width"],
    mask: Bool[Tensor, "batch position"],
) -> Float[Tensor, ""]:
    """Mean of ``(x − y)²`` over the masked positions and all features.

    Both losses of RMU (Li et al. 2024, arXiv 2403.03218), as its released code has them: the
    distance from ``c·u`` on forget text, from the frozen model's activations on retain text.
    """
    return ((x - y) ** 2).mean(dim=-1)[mask].mean()


def mean_by_text(
    token_logp: Float[Tensor, " token"], text: Int[Tensor, " token"], n_texts: int
) -> Float[Tensor, " text"]:
    """``log π(y|x) / |y|`` of every text: the mean log-probability of its answer tokens."""
    sums = token_logp.new_zeros(n_texts).index_add(0, text, token_logp)
    counts = torch.bincount(text, minlength=n_texts)
    return sums / counts


def simnpo(
    mean_logp: Float[Tensor, " text"], *, beta: float, gamma: float = 0.0
) -> Float[Tensor, ""]:
    """``−(2/β) · mean log σ(−β · log π(y|x)/|y| − γ)`` (Fan et al. 2024, arXiv 2410.07163).

    Falls to 0 as the answers' probability does; needs no reference model.
    """
    return -(2 / beta) * functional.logsigmoid(-beta * mean_logp - gamma).mean()


def cross_entropy(token_logp: Float[Tensor, " token"]) -> Float[Tensor, ""]:
    """``−mean log π`` over answer tokens, in nats per token: what a retained fact should keep."""
    return -token_logp.mean()


def bounded_ascent(token_logp: Float[Tensor, " token"], *, bound: float) -> Float[Tensor, ""]:
    """``−mean min(−log π, bound)``: gradient ascent on the cross-entropy, bounded.

    A token that is already ``bound`` nats unlikely gives no gradient; unbounded ascent would go on
    for ever and destroy the model.
    """
    return -(-token_logp).clamp(max=bound).mean()
