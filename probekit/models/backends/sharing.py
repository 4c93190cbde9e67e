"""What backends share: leaving a forward early, shapes, a second body for the same weights."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class PassIsOver(BaseException):
    """Leaves the forward after the deepest site; never seen outside the backends.

    Not an ``Exception``, so that no ``except Exception`` in a model's code can swallow it.
    """


def as_batch(hidden: Tensor, shape: Sequence[int]) -> Tensor:
    """Restore ``[batch, position, width]`` where a model flattened it (OPT, before its MLP)."""
    return hidden.reshape(*shape, -1) if hidden.ndim == len(shape) else hidden


def twin(model: Any) -> Any:
    """Copy a model's modules but share its parameters, so that other libraries may rewire it.

    Costs the module objects and the buffers (positions, masks), not the weights.
    """
    return copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})
