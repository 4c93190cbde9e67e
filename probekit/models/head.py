"""From the residual stream to logits, exactly as the model does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.errors import ModelError
from probekit.models.anatomy import has_path
from probekit.models.families import MASKED_HEADS

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from probekit.models.subject import Subject

    Hidden = Float[Tensor, "... d_model"]
    Logits = Float[Tensor, "... vocabulary"]


def head_paths(
    model: Any, *, blocks: str, norm: str | None, unembed: str | None
) -> tuple[str, ...]:
    """Modules from the last block's output to logits, in order; empty without an unembedding.

    A causal head is the final norm, a projection where the model has one (OPT), the unembedding.
    A masked-language head transforms before it unembeds, in one of the known layouts; an unknown
    one is left out rather than guessed.
    """
    if unembed is None or not has_path(model, unembed):
        return ()
    before = (norm,) if norm else ()
    if type(model).__name__.endswith("ForMaskedLM") or "." in unembed:
        rows = (row for row in MASKED_HEADS if all(has_path(model, path) for path in row))
        found = next(rows, ())
        return (*before, *found) if found else ()
    projection = f"{blocks.rpartition('.')[0]}.project_out"
    return (*before, *((projection,) if has_path(model, projection) else ()), unembed)


def logits(subject: Subject, hidden: Hidden) -> Logits:
    """``softcap · tanh(scale · W_U · norm(hidden) / softcap)``, with the model's own modules.

    Equals the model's own logits on the output of its last block.

    Raises
    ------
    ModelError
        The stack has no unembedding.
    """
    import torch

    anatomy = subject.anatomy
    if not anatomy.head:
        msg = (
            f"subject {subject.source!r} has no unembedding that reads this stack, so nothing can "
            "be decoded. Load a model with a language-model head, or stack='decoder' of an "
            "encoder-decoder."
        )
        raise ModelError(msg)
    *before, last = anatomy.head
    x: Any = hidden
    for path in before:
        x = subject.model.get_submodule(path)(x)
    if anatomy.pre_scale != 1.0:
        x = x * anatomy.pre_scale
    x = subject.model.get_submodule(last)(x)
    if anatomy.logit_scale != 1.0:
        x = x * anatomy.logit_scale
    if anatomy.softcap is not None:
        x = anatomy.softcap * torch.tanh(x / anatomy.softcap)
    return x  # type: ignore[no-any-return]


def final_norm(subject: Subject, hidden: Hidden) -> Hidden:
    """Apply the norm after the last block; the identity where the model has none."""
    path = subject.anatomy.final_norm
    norm: Any = subject.model.get_submodule(path) if path else None
    return hidden if norm is None else norm(hidden)
