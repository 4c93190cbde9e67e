"""LLaMA-Factory's freeze tuning: the first or last blocks, and whole children of a block.

Rule: a tensor trains when its name *contains* ``.{block}.{child}``, for the first or last so many
blocks (``_setup_freeze_tuning`` in ``llamafactory/model/adapter.py``). Anything else is not
expressible; the nearest thing is LoRA on the same matrices, by their full names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from probekit.selection.exporters import peft
from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.target import WEIGHT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from probekit.selection.exporters.target import Target


def children(names: Iterable[str]) -> set[str]:
    """Modules that ``freeze_trainable_modules`` may name, as LLaMA-Factory finds them."""
    found = set()
    for name in names:
        for mark in (".0.", ".1."):
            if mark in name:
                found.add(name.split(mark)[-1].split(".")[0])
                break
    return found


def selected(
    n_trainable: int, modules: Sequence[str], names: Collection[str], *, n_layers: int
) -> tuple[str, ...]:
    """Tensors that freeze tuning leaves trainable; positive counts from the end.

    ``modules`` that LLaMA-Factory would not find select nothing: it raises.
    """
    if n_trainable > 0:
        blocks = range(max(0, n_layers - n_trainable), n_layers)
    else:
        blocks = range(min(-n_trainable, n_layers))
    if set(modules) - {"all"} - children(names):
        return ()
    marks = [f".{block}.{'' if m == 'all' else m}" for m in modules for block in blocks]
    return tuple(name for name in names if any(mark in name for mark in marks))


def write(target: Target) -> Draft:
    """Freeze tuning where it fits, else LoRA on the same matrices."""
    n_trainable = _signed_count(target)
    if n_trainable and target.complete:
        owners = tuple(dict.fromkeys(tail.partition(".")[0] for tail in target.tails))
        for modules in (owners, ("all",)):
            picked = selected(n_trainable, modules, target.universe, n_layers=target.n_layers)
            if set(picked) == set(target.names):
                return Draft(_freeze(n_trainable, modules), picked)
    untried = bool(n_trainable) and not target.complete
    return _lora(target, untried=untried)


def _signed_count(target: Target) -> int:
    """``freeze_trainable_layers``: n for the last n blocks, -n for the first n, 0 for neither."""
    n = len(target.blocks)
    if target.blocks == tuple(range(target.n_layers - n, target.n_layers)):
        return n
    return -n if target.blocks == tuple(range(n)) else 0


def _freeze(n_trainable: int, modules: Sequence[str]) -> str:
    config = {
        "finetuning_type": "freeze",
        "freeze_trainable_layers": n_trainable,
        "freeze_trainable_modules": ",".join(modules),
    }
    return yaml.safe_dump(config, sort_keys=False, width=10_000)


def _lora(target: Target, *, untried: bool) -> Draft:
    why = "freeze tuning takes whole modules of the first or last blocks"
    if not target.modules:
        return Draft("", (), nearest=f"{why}; --to trainer trains any set of tensors")
    config = {"finetuning_type": "lora", "lora_target": ",".join(target.modules)}
    biases = [name for name in target.names if not name.endswith(WEIGHT)]
    without = f", without {len(biases)} tensors that are no matrix" if biases else ""
    return Draft(
        text=yaml.safe_dump(config, sort_keys=False, width=10_000),
        selects=peft.selected(target, target.modules),
        faithful=False,
        nearest=f"{why}; LoRA adapters on the selection's matrices, by full name{without}",
        notes=("freeze tuning may fit: --check MODEL tries it on the whole model",)
        if untried
        else (),
    )


DIALECT = Dialect(
    name="llama-factory",
    description="LLaMA-Factory: freeze tuning, first or last blocks only",
    filename="llama_factory_selection.yaml",
    format="yaml",
    tested="llamafactory 0.9.5",
    write=write,
)
