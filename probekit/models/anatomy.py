"""Where the blocks, norms, neurons and unembedding are in a Hugging Face model.

TransformerLens' architecture adapters know that for about 150 architectures and are built from the
configuration alone: no bridge is booted, no weight touched. Architectures they lack are found by a
small structural search (``fallback.py``). Costs one import of TransformerLens (seconds, once).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from probekit.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

Stack = Literal["decoder", "encoder"]


@dataclass(frozen=True)
class Neurons:
    """Where the MLP neurons of a block are, as paths under that block.

    Attributes
    ----------
    pre
        Module whose output's sign says "the neuron fires": the gate of a GLU, fc-in of a plain MLP.
    pre_part
        ``all`` of that output, or its ``first_half`` where gate and up are one matrix.
    down
        The down projection; its *input* is the activation ``mlp_act``.
    width
        Neurons per block.
    """

    pre: str
    pre_part: Literal["all", "first_half"]
    down: str
    width: int


@dataclass(frozen=True)
class Anatomy:
    """Paths of the parts of one stack of a model; all paths are names of its ``named_modules``.

    Attributes
    ----------
    blocks
        The list of blocks; block ``l`` is ``f"{blocks}.{l}"``.
    attention, attention_out, mlp
        Under a block: the attention sublayer, its output projection, the MLP (None if the block
        holds its two matrices directly).
    final_norm, unembed
        The norm after the last block and the matrix to logits, where the model has them.
    head
        Modules applied in order that lead from the last block's output to logits; empty when the
        stack has no unembedding.
    logit_scale, pre_scale, softcap
        ``logits = softcap · tanh(logit_scale · head(x) / softcap)``, with ``pre_scale`` applied
        before the last module of ``head``.
    no_neurons
        Why ``neurons`` is None.
    found_by
        ``transformer_lens`` or ``fallback``.
    """

    architecture: str
    model_type: str
    stack: Stack
    n_blocks: int
    d_model: int
    blocks: str
    embed: str
    attention: str | None = None
    attention_out: str | None = None
    mlp: str | None = None
    neurons: Neurons | None = None
    no_neurons: str = ""
    final_norm: str | None = None
    unembed: str | None = None
    head: tuple[str, ...] = ()
    logit_scale: float = 1.0
    pre_scale: float = 1.0
    softcap: float | None = None
    found_by: str = "transformer_lens"
    roles: Mapping[str, str] = field(default_factory=dict)

    def block(self, layer: int) -> str:
        """Path of block ``layer`` (0-based)."""
        return f"{self.blocks}.{layer}"

    def require_neurons(self) -> Neurons:
        """Return the neurons, or raise a ModelError that says why none can be read."""
        if self.neurons is None:
            msg = (
                f"model {self.architecture} has no readable MLP neurons: {self.no_neurons}. "
                "Use residual-stream measures instead."
            )
            raise ModelError(msg)
        return self.neurons


def find_anatomy(model: nn.Module, *, stack: Stack | None = None) -> Anatomy:
    """Anatomy of a loaded model.

    Parameters
    ----------
    model
        A Hugging Face causal, masked or sequence-to-sequence model, or a headless text encoder.
    stack
        Which half of an encoder-decoder; ``encoder`` when not said. Other models have one stack.

    Raises
    ------
    ModelError
        Neither TransformerLens nor the fallback finds the blocks.
    """
    from probekit.models.adapters import anatomy_from_adapter
    from probekit.models.fallback import anatomy_from_structure

    seq2seq = bool(getattr(getattr(model, "config", None), "is_encoder_decoder", False))
    chosen: Stack = stack or ("encoder" if seq2seq else "decoder")
    if stack == "encoder" and not seq2seq:
        msg = (
            f"stack='encoder' needs an encoder-decoder model; {type(model).__name__} has one "
            "stack. Leave stack out."
        )
        raise ModelError(msg)
    found = anatomy_from_adapter(model, stack=chosen)
    if found is None:
        found = anatomy_from_structure(model, stack=chosen)
    return found if seq2seq or not _reads_both_ways(model) else replace(found, stack="encoder")


def _reads_both_ways(model: nn.Module) -> bool:
    """Whether a model of one stack is an encoder: a masked-language family that cannot generate."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    masked = getattr(model.config, "model_type", None) in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    generates = getattr(model, "can_generate", lambda: True)()
    return masked and not generates and not getattr(model.config, "is_decoder", False)


def has_path(model: Any, path: str | None) -> bool:
    """Whether ``path`` names a module that exists (an attribute that is None does not)."""
    if not path:
        return False
    part = model
    for name in path.split("."):
        part = (
            part[int(name)]
            if name.isdecimal() and hasattr(part, "__getitem__")
            else getattr(part, name, None)
        )
        if part is None:
            return False
    return hasattr(part, "forward")
