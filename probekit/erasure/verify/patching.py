"""Sanity of hooks: a block's own output, put back in its place, must change nothing.

One forward that records every block, and one a block. A check that reads blocks by hooks runs it on
a few prompts first, so that a model whose blocks are not what they seem is refused, not misread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.erasure.texts import make_batches, read_items
from probekit.errors import NumericalError

if TYPE_CHECKING:
    from probekit.erasure.texts import TextBatch
    from probekit.facts.question import FactSet
    from probekit.models import Subject

#: Questions that are tried, and the change of a logit that kernels may make in another order.
N_TRIED, TOLERANCE = 2, 1e-3


def require_sound_hooks(subject: Subject, facts: FactSet) -> float:
    """Largest change of a logit when a block's own output replaces it, over all blocks: 0.

    Raises
    ------
    NumericalError
        It is not: what hooks read there is not what the model uses.
    """
    tried = read_items(subject, facts)[:N_TRIED]
    batch = make_batches(subject, tried, token_budget=2**20)[0]
    changes = self_patching(subject, batch)
    worst = max(range(len(changes)), key=lambda block: changes[block])
    if changes[worst] > TOLERANCE:
        msg = (
            f"output of block {worst}, put back in its place, must change nothing. It changes a "
            f"logit of {subject.source!r} by {changes[worst]:.3g}: 'probekit doctor' says what its "
            "blocks are."
        )
        raise NumericalError(msg)
    return changes[worst]


def self_patching(subject: Subject, batch: TextBatch) -> list[float]:
    """Largest change of a logit when a block's own output replaces it, one value a block: 0."""
    import torch

    modules = [
        subject.model.get_submodule(subject.anatomy.block(block))
        for block in range(subject.anatomy.n_blocks)
    ]
    kept: list[Any] = []

    def record(_module: Any, _args: Any, output: Any) -> None:
        kept.append((output[0] if isinstance(output, tuple) else output).clone())

    with torch.inference_mode():
        handles = [module.register_forward_hook(record) for module in modules]
        try:
            plain = subject.forward(batch.inputs).logits
        finally:
            for handle in handles:
                handle.remove()
        return [
            float((_patched(subject, batch, module, value=value) - plain).abs().max())
            for module, value in zip(modules, kept, strict=True)
        ]


def _patched(subject: Subject, batch: TextBatch, module: Any, *, value: Any) -> Any:
    """Logits with a recorded output in a block's place."""

    def replace(_module: Any, _args: Any, output: Any) -> Any:
        return (value, *output[1:]) if isinstance(output, tuple) else value

    handle = module.register_forward_hook(replace)
    try:
        return subject.forward(batch.inputs).logits
    finally:
        handle.remove()
