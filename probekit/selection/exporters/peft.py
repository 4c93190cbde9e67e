r"""PEFT's LoRA: one pattern over module names, by ``re.fullmatch``.

A list of names matches by suffix instead (leaf ``c_proj`` also hits attention), and
``layers_to_transform`` counts blocks of any tower; one pattern does neither. LoRA changes a
module's ``weight``, and its ``bias`` under ``bias="lora_only"``. Rule:
``check_target_module_exists`` and ``_inject_parameters`` in ``peft/tuners/tuners_utils.py``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.patterns import exact_patterns
from probekit.selection.exporters.target import BIAS, WEIGHT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from probekit.selection.exporters.target import Target

LoraBias = Literal["none", "lora_only"]


def module_matches(
    target_modules: str | Sequence[str],
    key: str,
    *,
    layers_to_transform: Collection[int] | None = None,
    layers_pattern: Sequence[str] = (),
) -> bool:
    """Whether PEFT would put an adapter on the module ``key``."""
    if isinstance(target_modules, str):
        return re.fullmatch(target_modules, key) is not None
    if key in target_modules:
        return True
    if not _ends_with_one(key, target_modules):
        return False
    if not layers_to_transform:
        return True
    patterns = [rf"(?:^|.*?\.){pattern}\.(?P<idx>\d+)\." for pattern in layers_pattern]
    for pattern in patterns or [r".*?\.[^.]*\.(?P<idx>\d+)\."]:
        match = re.match(pattern, key)
        if match is not None:
            return int(match["idx"]) in layers_to_transform
    return False


def _ends_with_one(key: str, suffixes: Sequence[str]) -> bool:
    return any(key.endswith(f".{suffix}") for suffix in suffixes)


def selected(
    target: Target,
    target_modules: str | Sequence[str],
    *,
    target_parameters: Sequence[str] = (),
    bias: LoraBias = "none",
) -> tuple[str, ...]:
    """Tensors whose value a merged adapter changes."""
    leaves = (WEIGHT, BIAS) if bias == "lora_only" else (WEIGHT,)
    hit = {key for key in target.all_modules if module_matches(target_modules, key)}
    wanted = {key + leaf for key in hit for leaf in leaves}
    wanted |= {
        name
        for name in target.universe
        if name in target_parameters or _ends_with_one(name, target_parameters)
    }
    return target.in_universe(wanted)


def write(target: Target) -> Draft:
    """``LoraConfig`` with one pattern for modules, and bare tensors by their full names."""
    bare = tuple(name for name in target.names if not name.endswith((WEIGHT, BIAS)))
    bias: LoraBias = "lora_only" if any(n.endswith(BIAS) for n in target.names) else "none"
    patterns = exact_patterns(target.modules, layers_path=target.layers_path)
    modules: str | list[str] = "|".join(patterns) if patterns else []
    return Draft(
        text=_config(modules, bare, bias),
        selects=selected(target, modules, target_parameters=bare, bias=bias),
        nearest=(
            "LoRA changes a matrix, and biases of adapted matrices only all together; "
            "--to trainer trains any set of tensors"
        ),
        notes=("adapters add to these matrices; after merging, only they differ from the model's",),
    )


def _config(modules: str | list[str], bare: tuple[str, ...], bias: LoraBias) -> str:
    lines = [
        "from peft import LoraConfig",
        "",
        "config = LoraConfig(",
        '    task_type="CAUSAL_LM",',
        f"    target_modules={_literal(modules)},",
        f'    bias="{bias}",',
    ]
    if bare:
        lines.append(f"    target_parameters={list(bare)!r},")
    return "\n".join([*lines, ")", ""])


def _literal(modules: str | list[str]) -> str:
    return f'r"{modules}"' if isinstance(modules, str) else repr(modules)


DIALECT = Dialect(
    name="peft",
    description="PEFT: LoraConfig with one pattern over modules",
    filename="lora_selection.py",
    format="python",
    tested="peft 0.21.2",
    write=write,
)
