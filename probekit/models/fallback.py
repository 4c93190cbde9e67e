"""Anatomy of a model that TransformerLens has no adapter for, found from its structure.

The blocks are the longest list of equal modules that hold attention; everything else is looked up
in the name tables of ``families.py``. What is not found is left out, never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.errors import ModelError
from probekit.models.anatomy import Anatomy, Neurons, Stack, has_path
from probekit.models.families import ATTENTION_NAMES, MLP_NAMES, NORM_NAMES, head_scales
from probekit.models.head import head_paths

if TYPE_CHECKING:
    from torch import nn


def anatomy_from_structure(model: Any, *, stack: Stack) -> Anatomy:
    """Anatomy from names and shapes.

    Raises
    ------
    ModelError
        The model has no list of at least one transformer block, or shares blocks between layers.
    """
    seq2seq = bool(getattr(model.config, "is_encoder_decoder", False))
    blocks = _blocks(model, only=f"{stack}." if seq2seq else "")
    _check_count(model, blocks=blocks, stack=stack if seq2seq else "")
    block = model.get_submodule(f"{blocks}.0")
    attention, attention_out = _first(block, ATTENTION_NAMES)
    neurons, why = _neurons(block)
    norm = _final_norm(model, blocks=blocks)
    unembed = None if seq2seq and stack == "encoder" else _unembedding(model)
    embed = _name_of(model, model.get_input_embeddings())
    return Anatomy(
        architecture=type(model).__name__,
        model_type=model.config.model_type,
        stack=stack,
        n_blocks=len(model.get_submodule(blocks)),
        d_model=int(model.config.get_text_config().hidden_size),
        blocks=blocks,
        embed=embed or "",
        attention=attention,
        attention_out=attention_out,
        mlp="mlp" if has_path(block, "mlp") else None,
        neurons=neurons,
        no_neurons=why,
        final_norm=norm,
        unembed=unembed,
        head=head_paths(model, blocks=blocks, norm=norm, unembed=unembed),
        found_by="fallback",
        roles={
            role: path
            for role, path in {
                "mlp_out": neurons.down if neurons else None,
                "attn_out": attention_out,
            }.items()
            if path
        },
        **(head_scales(model.config) if unembed else {}),
    )


def _blocks(model: Any, *, only: str) -> str:
    from torch import nn as torch_nn

    lists = [
        (len(module), name)
        for name, module in model.named_modules()
        if isinstance(module, torch_nn.ModuleList)
        and len(module) > 0
        and only in f"{name}."
        and any("att" in child.lower() for child, _ in module[0].named_modules())
        and len({type(item) for item in module}) == 1
        and _is_outermost(name)
    ]
    if not lists:
        msg = (
            f"model {type(model).__name__} has no list of transformer blocks that probekit can "
            "find. Give a causal, masked or sequence-to-sequence text model."
        )
        raise ModelError(msg)
    longest = max(length for length, _ in lists)
    return str(next(name for length, name in lists if length == longest))


def _check_count(model: Any, *, blocks: str, stack: str) -> None:
    """Refuse a model that runs one block several times (ALBERT): its layers are not separate."""
    text: Any = model.config.get_text_config()
    names = ("num_decoder_layers", "decoder_layers") if stack == "decoder" else ("encoder_layers",)
    counts = [getattr(text, name, None) for name in (*names, "num_hidden_layers")]
    declared = next((count for count in counts if isinstance(count, int)), None)
    found = len(model.get_submodule(blocks))
    if declared is not None and declared != found:
        msg = (
            f"model {type(model).__name__} declares {declared} layers and holds {found} blocks in "
            f"{blocks}: shared blocks cannot be studied layer by layer. Give another model."
        )
        raise ModelError(msg)


def _is_outermost(name: str) -> bool:
    """Tell the stack from a list inside a numbered block, which is a part of that block."""
    return not any(part.isdecimal() for part in name.split("."))


def _first(
    block: nn.Module, table: tuple[tuple[str, str], ...]
) -> tuple[str, str] | tuple[None, None]:
    return next((row for row in table if all(has_path(block, path) for path in row)), (None, None))


def _neurons(block: nn.Module) -> tuple[Neurons | None, str]:
    if any("expert" in name for name, _ in block.named_modules()):
        return None, "not for mixtures of experts yet"
    pre, down = _first(block, MLP_NAMES)
    if pre is None or down is None:
        return None, "no MLP with a known layout under its blocks"
    projection: Any = block.get_submodule(down)
    width = getattr(projection, "in_features", None) or projection.weight.shape[0]
    return Neurons(pre, "all", down, int(width)), ""


def _final_norm(model: Any, *, blocks: str) -> str | None:
    parent = blocks.rpartition(".")[0]
    for name in NORM_NAMES:
        path = f"{parent}.{name}" if parent else name
        if has_path(model, path):
            return path
    return None


def _name_of(model: Any, wanted: nn.Module | None) -> str | None:
    if wanted is None:
        return None
    return next((name for name, module in model.named_modules() if module is wanted), None)


def _unembedding(model: Any) -> str | None:
    return _name_of(model, model.get_output_embeddings())
