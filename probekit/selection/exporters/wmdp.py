"""wmdp's RMU: ``--layer_id --layer_ids --param_ids``, where a parameter id is a *position*.

Rule: the tensors at those positions of ``model.model.layers[id].parameters()``, for every layer
id. So the model's own order of tensors is needed, and blocks anywhere else cannot be reached.
``rmu/utils.py`` and ``rmu/unlearn.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.errors import RuleError
from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.rmu import coefficient_note, require_read_layer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from probekit.selection.exporters.target import Target

BLOCKS = "model.layers"


def selected(
    layer_ids: Iterable[int], param_ids: Collection[int], names: Collection[str]
) -> tuple[str, ...]:
    """Tensors at the given positions of the given blocks; ``names`` in the model's own order."""
    found: list[str] = []
    for layer in layer_ids:
        block = [name for name in names if name.startswith(f"{BLOCKS}.{layer}.")]
        found.extend(name for position, name in enumerate(block) if position in param_ids)
    return tuple(found)


def write(target: Target) -> Draft:
    """Command line of ``rmu.unlearn``."""
    read = require_read_layer(target)
    if target.layers_path != BLOCKS or len(target.blocks) == 0:
        return Draft(
            text="",
            selects=(),
            nearest=(
                f"wmdp reads the blocks at {BLOCKS} alone, and here they are at "
                f"{target.layers_path}; open-unlearning's RMU selects by name: --to open-unlearning"
            ),
        )
    if not target.in_order:
        msg = (
            "wmdp counts tensors by their position in a block, and their order is unknown here: a "
            "selection file and runs of older versions do not record it. Add the model: --check "
            f"{target.model_id}"
        )
        raise RuleError(msg)
    positions = _positions(target, target.blocks[0])
    picked = selected(target.blocks, positions, target.universe)
    return Draft(
        text=_command(read, target.blocks, positions),
        selects=target.in_universe(picked),
        nearest="open-unlearning's RMU selects by name: --to open-unlearning",
        notes=(
            "parameter ids are positions in the block of this very architecture: they name other "
            "tensors in another one",
            *coefficient_note(target, "--steering_coeffs"),
        ),
    )


def _positions(target: Target, block: int) -> tuple[int, ...]:
    stem = f"{target.block(block)}."
    listed = [name for name in target.universe if name.startswith(stem)]
    return tuple(at for at, name in enumerate(listed) if name in set(target.names))


def _command(read: int, blocks: Iterable[int], positions: Iterable[int]) -> str:
    return (
        "python3 -m rmu.unlearn \\\n"
        '  --model_name_or_path "$MODEL" \\\n'
        f"  --module_str '{{model_name}}.{BLOCKS}[{{layer_id}}]' \\\n"
        f"  --layer_id {read} \\\n"
        f"  --layer_ids {','.join(map(str, blocks))} \\\n"
        f"  --param_ids {','.join(map(str, positions))}\n"
    )


DIALECT = Dialect(
    name="wmdp",
    description="wmdp, RMU: command line with layer and parameter positions",
    filename="rmu.sh",
    format="cli",
    tested="wmdp rmu/utils.py",
    write=write,
)
