"""From the residual stream to logits, exactly as the model does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probekit.errors import ModelError
from probekit.models.anatomy import has_path
from probekit.models.families import MASKED_HEADS

if TYPE_CHECKING:
    from collections.abc import Callable

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


@dataclass(frozen=True)
class Unembedding:
    """The last product of a head: ``z = x W' + b``, then ``softcap · tanh(scale · z / softcap)``.

    Attributes
    ----------
    weight
        The model's own matrix (vocabulary, width), in its own type; not a copy.
    bias
        Array (vocabulary,), or None.
    logit_scale, softcap
        As in :class:`~probekit.models.Anatomy`.
    """

    weight: Tensor
    bias: Tensor | None = None
    logit_scale: float = 1.0
    softcap: float | None = None

    @property
    def vocabulary(self) -> int:
        """Number of logits."""
        return int(self.weight.shape[0])


def require_head(subject: Subject) -> tuple[str, ...]:
    """Modules from the last block to logits.

    Raises
    ------
    ModelError
        The stack has no unembedding.
    """
    if not subject.anatomy.head:
        msg = (
            f"subject {subject.source!r} has no unembedding that reads this stack, so nothing can "
            "be decoded. Load a model with a language-model head, or stack='decoder' of an "
            "encoder-decoder."
        )
        raise ModelError(msg)
    return subject.anatomy.head


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
    x: Any = subject.model.get_submodule(require_head(subject)[-1])(_walk(subject, hidden))
    if anatomy.logit_scale != 1.0:
        x = x * anatomy.logit_scale
    if anatomy.softcap is not None:
        x = anatomy.softcap * torch.tanh(x / anatomy.softcap)
    return x  # type: ignore[no-any-return]


def _walk(subject: Subject, hidden: Hidden) -> Tensor:
    """Through every module of the head but the last."""
    x: Any = hidden
    for path in require_head(subject)[:-1]:
        x = subject.model.get_submodule(path)(x)
    scale = subject.anatomy.pre_scale
    return x if scale == 1.0 else x * scale  # type: ignore[no-any-return]


def before_unembedding(subject: Subject, hidden: Hidden) -> Tensor:
    """Everything of the head up to its last product: what :class:`Unembedding` multiplies.

    Where the head is one module that transforms and then unembeds (RoBERTa), the module runs as it
    is and is left when it reaches its product.

    Raises
    ------
    ModelError
        The stack has no unembedding.
    """
    last, unembed = require_head(subject)[-1], str(subject.anatomy.unembed)
    x = _walk(subject, hidden)
    if last == unembed:
        return x
    return _input_of(subject.model, unembed, lambda: subject.model.get_submodule(last)(x))


def unembedding(subject: Subject) -> Unembedding:
    """The last product of a subject's head, for those who take it in parts.

    Compared once with the head as a whole on one vector, because a head that did anything
    else after its product would otherwise be wrong in silence.

    Raises
    ------
    ModelError
        The stack has no unembedding, or one that is not a plain matrix product.
    """
    import torch

    require_head(subject)
    anatomy = subject.anatomy
    matrix: Any = subject.model.get_submodule(str(anatomy.unembed))
    weight = getattr(matrix, "weight", None)
    if weight is None or weight.ndim != 2 or not weight.is_floating_point():
        raise _not_a_product(subject)
    bias = getattr(matrix, "bias", None)
    bias = None if bias is None else bias.detach()
    found = Unembedding(weight.detach(), bias, anatomy.logit_scale, anatomy.softcap)
    with torch.inference_mode():
        probe = torch.linspace(-1, 1, anatomy.d_model, device=weight.device)[None].to(subject.dtype)
        whole = logits(subject, probe).float()
        x = before_unembedding(subject, probe)
        part = _capped(torch.nn.functional.linear(x, weight, bias).float(), found)
    size = float(whole.abs().max())
    if part.shape != whole.shape or float((part - whole).abs().max()) > 0.02 * size:
        raise _not_a_product(subject)
    return found


def _capped(z: Tensor, head: Unembedding) -> Tensor:
    z = z * head.logit_scale
    return z if head.softcap is None else head.softcap * (z / head.softcap).tanh()


def _not_a_product(subject: Subject) -> ModelError:
    return ModelError(
        f"subject {subject.source!r} has an unembedding ({subject.anatomy.unembed}) that is not a "
        "plain matrix product, so it cannot be taken in parts. Load the model unquantised."
    )


class _Reached(Exception):  # noqa: N818 - leaves a forward, is no error
    """The product of a head was reached."""


def _input_of(model: Any, path: str, call: Callable[[], object]) -> Tensor:
    """What the module at ``path`` is given during a call, which ends there."""
    seen: list[Tensor] = []

    def catch(_module: Any, given: tuple[Tensor, ...]) -> None:
        seen.append(given[0])
        raise _Reached

    hook = model.get_submodule(path).register_forward_pre_hook(catch)
    try:
        call()
    except _Reached:
        pass
    finally:
        hook.remove()
    return seen[0]


def final_norm(subject: Subject, hidden: Hidden) -> Hidden:
    """Apply the norm after the last block; the identity where the model has none."""
    path = subject.anatomy.final_norm
    norm: Any = subject.model.get_submodule(path) if path else None
    return hidden if norm is None else norm(hidden)
