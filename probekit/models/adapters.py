"""Anatomy from TransformerLens' architecture adapters, built from the configuration alone."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from probekit.models.anatomy import Anatomy, Neurons, Stack, has_path
from probekit.models.families import head_scales
from probekit.models.head import head_paths

if TYPE_CHECKING:
    from torch import nn


def anatomy_from_adapter(model: Any, *, stack: Stack) -> Anatomy | None:
    """Anatomy as TransformerLens tells it, or None where it has no adapter that fits."""
    names = _component_names(model)
    if names is None:
        return None
    seq2seq = bool(getattr(model.config, "is_encoder_decoder", False))
    prefix = f"{stack}_" if seq2seq else ""
    blocks = names.get(f"{prefix}blocks")
    if blocks is None or not has_path(model, f"{blocks}.0"):
        return None
    under = {
        key.removeprefix(f"{prefix}blocks."): path
        for key, path in names.items()
        if key.startswith(f"{prefix}blocks.")
    }
    return _assemble(model, stack=stack, names=names, under=under)


def _component_names(model: Any) -> dict[str, str] | None:
    """Flat ``{"blocks.mlp.gate": "mlp.gate_proj"}``; under a block the paths are relative to it."""
    import torch
    from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
    from transformer_lens.model_bridge.sources import build_bridge_config_from_hf

    # an architecture that the adapters do not know fails in many ways; the fallback is for all
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        config = build_bridge_config_from_hf(
            model.config, type(model).__name__, "subject", torch.float32
        )
        adapter = ArchitectureAdapterFactory.select_architecture_adapter(config)
        names: dict[str, str] = {}
        _flatten(adapter.component_mapping, key="", path="", names=names)
        return names
    return None


def _flatten(parts: dict[str, Any], *, key: str, path: str, names: dict[str, str]) -> None:
    for name, part in parts.items():
        here = ".".join(piece for piece in (path, part.name) if piece)
        names[key + name] = here
        inner = "" if name.endswith("blocks") else here
        _flatten(part.submodules, key=f"{key}{name}.", path=inner, names=names)


def _assemble(model: Any, *, stack: Stack, names: dict[str, str], under: dict[str, str]) -> Anatomy:
    seq2seq = bool(model.config.is_encoder_decoder)
    prefix = f"{stack}_" if seq2seq else ""
    blocks = names[f"{prefix}blocks"]
    norm = _final_norm(model, blocks=blocks, path=names.get(f"{prefix}ln_final"))
    has_head = not (seq2seq and stack == "encoder")
    neurons, why = _neurons(model, blocks=blocks, under=under)
    attention = under.get("attn") or under.get("self_attn")
    roles = {
        "mlp_out": under.get("mlp.out"),
        "attn_out": under.get("attn.o") or under.get("self_attn.o"),
    }
    unembed = names.get("unembed") if has_head else None
    block = model.get_submodule(f"{blocks}.0")
    return Anatomy(
        architecture=type(model).__name__,
        model_type=model.config.model_type,
        stack=stack,
        n_blocks=len(model.get_submodule(blocks)),
        d_model=_width(model),
        blocks=blocks,
        embed=names.get("embed", ""),
        attention=attention,
        attention_out=roles["attn_out"],
        mlp=under.get("mlp") if has_path(block, under.get("mlp")) else None,
        neurons=neurons,
        no_neurons=why,
        final_norm=norm,
        unembed=unembed if has_path(model, unembed) else None,
        head=head_paths(model, blocks=blocks, norm=norm, unembed=unembed),
        found_by="transformer_lens",
        roles={role: path for role, path in roles.items() if path and has_path(block, path)},
        **(head_scales(model.config) if has_head else {}),
    )


def _final_norm(model: Any, *, blocks: str, path: str | None) -> str | None:
    """Keep the norm after the last block; one inside a masked-language head is not it."""
    same_trunk = path is not None and path.partition(".")[0] == blocks.partition(".")[0]
    return path if same_trunk and has_path(model, path) else None


def _neurons(model: Any, *, blocks: str, under: dict[str, str]) -> tuple[Neurons | None, str]:
    block = model.get_submodule(f"{blocks}.0")
    down = under.get("mlp.out")
    if down is None or not has_path(block, down):
        experts = any("expert" in name for name, _ in block.named_modules())
        return (
            None,
            "not for mixtures of experts yet"
            if experts
            else "the adapter names no down projection",
        )
    gate, fc_in = under.get("mlp.gate"), under.get("mlp.in")
    width = _in_features(block.get_submodule(down))
    for path in (gate, fc_in):
        if path and has_path(block, path):
            return Neurons(path, "all", down, width), ""
    fused = f"{down.rpartition('.')[0]}.gate_up_proj"
    if has_path(block, fused):
        return Neurons(fused, "first_half", down, width), ""
    return None, "the adapter names neither a gate nor an input projection"


def _in_features(module: nn.Module) -> int:
    """Input width of a Linear, or of GPT-2's transposed Conv1D."""
    features = getattr(module, "in_features", None)
    weight: Any = module.weight
    return int(features if features is not None else weight.shape[0])


def _width(model: Any) -> int:
    return int(model.config.get_text_config().hidden_size)
