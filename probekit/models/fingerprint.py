"""Identity of weights: a hash that changes when any value, name, type or shape does."""

from __future__ import annotations

import hashlib
from typing import Any


def state_sha256(model: Any) -> str:
    """SHA-256 of a model's state, independent of the device and of file layout.

    Costs one pass over the weights (about a second a gigabyte on a CPU with SHA extensions).
    """
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        if flat.numel():
            digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()


def names_sha256(names: list[str]) -> str:
    r"""SHA-256 of sorted names joined by ``\n``: the identity of a set of tensors."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
