"""EasyEdit's MEMIT: ``layers`` and one ``rewrite_module_tmp``; it edits ``{module}.weight`` alone.

One kind of matrix in any blocks is expressible; biases, bare tensors and two kinds at once are
not. Rule: ``easyeditor/models/memit/memit_main.py``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import yaml

from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.target import WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probekit.selection.blocks import Blocks
    from probekit.selection.exporters.target import Target

#: What EasyEdit's own hparams/MEMIT/llama-7b.yaml says; none of it chooses tensors.
_USUAL: dict[str, Any] = {
    "clamp_norm_factor": 4,
    "layer_selection": "all",
    "fact_token": "subject_last",
    "v_num_grad_steps": 25,
    "v_lr": 0.5,
    "v_weight_decay": 0.001,
    "kl_factor": 0.0625,
    "mom2_adjustment": True,
    "mom2_update_weight": 15000,
    "mom2_dataset": "wikipedia",
    "mom2_n_samples": 100000,
    "mom2_dtype": "float32",
}


def selected(template: str, layers: Iterable[int]) -> tuple[str, ...]:
    """Tensors that MEMIT rewrites."""
    return tuple(template.format(layer) + WEIGHT for layer in layers)


def write(target: Target) -> Draft:
    """Hyperparameter file with the selection's layers and module."""
    pairs = (target.split(name) for name in target.names if name.endswith(WEIGHT))
    tails = Counter(tail for block, tail in pairs if block is not None)
    if not tails:
        return Draft(
            "", (), nearest="MEMIT edits a module's weight; --to trainer trains any tensor"
        )
    tail = tails.most_common(1)[0][0]
    layers = tuple(b for b in target.blocks if f"{target.block(b)}.{tail}" in set(target.names))
    config = _config(target, layers, module=tail.removesuffix(WEIGHT))
    return Draft(
        text=yaml.safe_dump(config, sort_keys=False, width=10_000),
        selects=target.in_universe(selected(config["rewrite_module_tmp"], layers)),
        nearest="MEMIT rewrites one kind of matrix, without its bias; the rest stays as it is",
        notes=_notes(target, layers),
    )


def _config(target: Target, layers: Blocks, *, module: str) -> dict[str, Any]:
    block = f"{target.layers_path}.{{}}"
    return {
        "alg_name": "MEMIT",
        "model_name": target.model_id,
        "stats_dir": "./data/stats",
        "device": 0,
        "layers": list(layers),
        **_USUAL,
        "v_loss_layer": target.n_layers - 1,
        "rewrite_module_tmp": f"{block}.{module}",
        "layer_module_tmp": block,
        "mlp_module_tmp": _parent(block, module),
        "attn_module_tmp": _parent(block, target.roles.get("attn_out", "")),
        "ln_f_module": target.final_norm or "",
        "lm_head_module": target.lm_head or "",
    }


def _parent(block: str, path: str) -> str:
    """``model.layers.{}.mlp`` of ``mlp.down_proj``; the block itself where nothing is between."""
    return ".".join(part for part in (block, path.rpartition(".")[0]) if part)


def _notes(target: Target, layers: Blocks) -> tuple[str, ...]:
    notes = [
        f"MEMIT needs covariance statistics of each of these {len(layers)} layers (stats_dir); "
        "settings that choose no tensor are those of EasyEdit's llama-7b file"
    ]
    if target.read_layer is not None and layers[-1] != target.read_layer:
        notes.append(
            f"MEMIT optimises the output of the last layer in the list, {layers[-1]}, not of "
            f"block {target.read_layer}"
        )
    if not (target.final_norm and target.lm_head):
        notes.append("the selection names no final norm or unembedding: fill in the empty fields")
    elif not target.complete or f"{target.lm_head}{WEIGHT}" not in target.universe:
        notes.append(_tied(target))
    return tuple(notes)


def _tied(target: Target) -> str:
    """MEMIT looks the unembedding up among ``named_parameters``, which list a tied one once."""
    outside = [
        name.removesuffix(WEIGHT)
        for name in target.universe
        if target.split(name)[0] is None and name.endswith(WEIGHT)
    ]
    candidates = [module for module in outside if module != target.final_norm]
    those = f" (here one of: {', '.join(candidates)})" if candidates else ""
    return f"where the unembedding is tied, lm_head_module must name the embedding{those}"


DIALECT = Dialect(
    name="easyedit",
    description="EasyEdit, MEMIT: hyperparameter file",
    filename="memit_selection.yaml",
    format="yaml",
    tested="EasyEdit 08da19c",
    write=write,
)
