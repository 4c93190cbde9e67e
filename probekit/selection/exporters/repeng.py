"""repeng: ``ControlModel(model, layer_ids)``; blocks at ``model.layers`` or ``transformer.h`` only.

Ids are written from the start, never negative: training's own default runs from -1 to
``-(n - 1)`` and so gives block 0 no direction, which ``set_control`` then misses. Rule:
``model_layer_list`` in ``repeng/control.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.target import plain, split_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from probekit.selection.exporters.target import Target

_STEER = """\
from repeng import ControlModel, ControlVector

BLOCKS = {blocks}
control_model = ControlModel(model, BLOCKS)
if list(control_model.layer_ids) != BLOCKS:
    raise ValueError(f"repeng controls {{control_model.layer_ids}} instead of {{BLOCKS}}")
vector = ControlVector.train(control_model, tokenizer, dataset, hidden_layers=BLOCKS)
control_model.set_control(vector, 1.0)
"""


def block_list(names: Collection[str]) -> str | None:
    """Where repeng looks for blocks, or None where it finds none and raises."""
    roots = {name.partition(".")[0] for name in names}
    path = "model.layers" if "model" in roots else "transformer.h" if "transformer" in roots else ""
    there = path and any(split_name(name, path)[0] is not None for name in names)
    return path if there else None


def selected(layer_ids: Iterable[int], names: Collection[str]) -> tuple[str, ...]:
    """Blocks that are wrapped; a negative id counts from the end."""
    path = block_list(names)
    if path is None:
        return ()
    numbers = (split_name(name, path)[0] for name in names)
    n_blocks = 1 + max(number for number in numbers if number is not None)
    return tuple(f"{path}.{layer if layer >= 0 else n_blocks + layer}" for layer in layer_ids)


def write(target: Target) -> Draft:
    """Python that trains and sets a control vector on the region's blocks."""
    if block_list(target.universe) != target.layers_path:
        return Draft(
            text="",
            selects=(),
            nearest=(
                f"repeng finds no blocks at {target.layers_path}; steering-vectors takes any path: "
                "--to steering-vectors"
            ),
        )
    return Draft(
        text=_STEER.format(blocks=list(target.region)),
        selects=selected(target.region, target.universe),
        notes=(scale_note(target),),
    )


def scale_note(target: Target) -> str:
    """What steering does, and at which scale of the activations it steers."""
    norms = [target.norms[block] for block in target.region if block in target.norms]
    changes = "steering changes outputs of blocks, no tensor"
    if not norms:
        return changes
    return f"{changes}; their median norms are {plain(min(norms))} to {plain(max(norms))}"


DIALECT = Dialect(
    name="repeng",
    description="repeng: control vector on the region's blocks",
    filename="repeng_selection.py",
    format="python",
    tested="repeng 0.4.0",
    write=write,
    acts_on="blocks",
)
