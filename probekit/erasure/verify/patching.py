"""Sanity of hooks: a block's own output, put back in its place, must change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probekit.erasure.texts import TextBatch
    from probekit.models import Subject


def self_patching(subject: Subject, batch: TextBatch) -> list[float]:
    """Largest change of a logit when a block's own output replaces it, one value a block: 0."""
    import torch

    with torch.inference_mode():
        plain = subject.forward(batch.inputs).logits
        return [
            float((_patched(subject, batch, block) - plain).abs().max())
            for block in range(subject.anatomy.n_blocks)
        ]


def _patched(subject: Subject, batch: TextBatch, block: int) -> Any:
    """Logits with the recorded output of one block in its place."""
    kept: list[Any] = []
    module = subject.model.get_submodule(subject.anatomy.block(block))

    def record(_module: Any, _args: Any, output: Any) -> None:
        kept.append((output[0] if isinstance(output, tuple) else output).clone())

    def replace(_module: Any, _args: Any, output: Any) -> Any:
        return (kept[0], *output[1:]) if isinstance(output, tuple) else kept[0]

    handle = module.register_forward_hook(record)
    try:
        subject.forward(batch.inputs)
    finally:
        handle.remove()
    handle = module.register_forward_hook(replace)
    try:
        return subject.forward(batch.inputs).logits
    finally:
        handle.remove()
