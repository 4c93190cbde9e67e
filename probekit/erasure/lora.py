"""Low-rank adapters through ``peft``, put in and merged; the model's own modules afterwards.

Adapters sit on every linear layer of the blocks; their start is drawn from the seed.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from probekit.errors import ModelError

if TYPE_CHECKING:
    from probekit.models import Subject


def add_lora(subject: Subject, *, rank: int, seed: int) -> Any:
    """Put adapters into a working copy; only they require a gradient. Returns peft's model.

    Raises
    ------
    ModelError
        ``peft`` is not installed, or finds no linear layer.
    """
    import torch

    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        msg = (
            "method 'lora' needs the package peft, which is not installed. Install it with: pip "
            "install 'probekit[peft]', or use method='full'."
        )
        raise ModelError(msg) from None
    names = linear_names(subject)
    if not names:
        msg = f"model {subject.source!r} has no linear layer that peft knows. Use method='full'."
        raise ModelError(msg)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=names)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about transposed layers, which peft then handles
        torch.manual_seed(seed)
        return get_peft_model(subject.model, config).eval()


def linear_names(subject: Subject) -> list[str]:
    """Full names of the linear layers under the blocks."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    prefix = f"{subject.anatomy.blocks}."
    return [
        name
        for name, module in subject.model.named_modules()
        if name.startswith(prefix) and isinstance(module, (nn.Linear, Conv1D))
    ]


def merge_lora(adapted: Any) -> Any:
    """Model with its adapters added into the weights, and gone."""
    return adapted.merge_and_unload(safe_merge=True)
