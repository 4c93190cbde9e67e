"""What both RMU trainers need: a read block that every update reaches, and its scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.errors import RuleError
from probekit.selection.exporters.target import plain

if TYPE_CHECKING:
    from probekit.selection.exporters.target import Target


def require_read_layer(target: Target) -> int:
    """Block that RMU reads; RMU's loss gives deeper blocks no gradient.

    Raises
    ------
    RuleError
        No read layer, or one below an update layer.
    """
    read = target.read_layer
    deepest = max((*target.blocks, *target.update_layers), default=-1)
    if read is None or not 0 <= read < target.n_layers:
        msg = (
            f"selection.read_layer must be a block of 0 … {target.n_layers - 1} for RMU. Got "
            f"{read} instead; make the selection again with 'probekit select'."
        )
        raise RuleError(msg)
    if read < deepest:
        msg = (
            f"selection.read_layer must not lie below an update layer: RMU's loss on the output of "
            f"block {read} gives block {deepest} no gradient. Read block {deepest} or deeper, or "
            "drop the deeper tensors."
        )
        raise RuleError(msg)
    return read


def coefficient_note(target: Target, option: str) -> tuple[str, ...]:
    """How large the steering coefficient is beside the activations it replaces."""
    read = target.read_layer
    if read is None or read not in target.norms:
        return ()
    norm = target.norms[read]
    return (
        f"{option} is a norm in activation units: the output of block {read} has median norm "
        f"{plain(norm)}",
    )
