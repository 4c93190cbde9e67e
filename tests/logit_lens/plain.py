"""The lens by the plainest means: all logits at once, softmax in float64."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch


class Plain(NamedTuple):
    """Arrays (position, layer, …); logarithms in bits."""

    log2: np.ndarray
    entropy: np.ndarray
    kl: np.ndarray
    order: np.ndarray


def plain_lens(logits: torch.Tensor) -> Plain:
    """From logits (position, layer, vocabulary)."""
    log2 = (logits.double().log_softmax(-1) / np.log(2)).numpy()
    p = np.exp2(log2)
    last = p[:, -1:]
    kl = (last * (log2[:, -1:] - log2)).sum(-1)
    return Plain(log2, -(p * log2).sum(-1), kl, np.argsort(-logits.numpy(), axis=-1))


def rank_of(logits: torch.Tensor, ids: np.ndarray) -> np.ndarray:
    """1 + tokens with a larger logit; ids (position, target)."""
    z = logits.numpy()
    own = np.take_along_axis(z, np.broadcast_to(ids[:, None], (*z.shape[:2], ids.shape[1])), -1)
    return 1 + (z[..., None] > own[..., None, :]).sum(-2)
