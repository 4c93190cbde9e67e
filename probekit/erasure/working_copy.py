"""A copy of a subject in which chosen tensors may move while all others stay shared.

Costs the chosen tensors: everything else is the same memory. The subject given never changes.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torch import Tensor

    from probekit.models import Subject


def working_copy(subject: Subject, names: Collection[str]) -> Subject:
    """Subject of its own modules; the named tensors are its own and trainable, the rest shared.

    Raises
    ------
    InputError
        A name that the model does not have.
    """
    from torch import nn

    own = dict(subject.model.named_parameters())
    require_names(subject, names)
    wanted = set(names)
    memo: dict[int, Any] = {id(buffer): buffer for buffer in subject.model.buffers()}
    for name, parameter in own.items():
        data = parameter.detach()
        data = data.clone() if name in wanted else data
        memo[id(parameter)] = nn.Parameter(data, requires_grad=name in wanted)
    return replace(subject, model=copy.deepcopy(subject.model, memo))


def trainable(subject: Subject) -> dict[str, Tensor]:
    """Tensors that a gradient would move, by name, in the model's order."""
    return {
        name: parameter
        for name, parameter in subject.model.named_parameters()
        if parameter.requires_grad
    }


def require_names(subject: Subject, names: Collection[str]) -> None:
    """See that a model has every named tensor, under that very name.

    Raises
    ------
    InputError
        One that it lacks.
    """
    has = {name for name, _ in subject.model.named_parameters()}
    missing = [name for name in names if name not in has]
    if missing:
        msg = (
            f"model {subject.source!r} lacks {len(missing)} of {len(names)} selected tensors "
            f"(first: {missing[0]}). Give the selection that was made for this model."
        )
        raise InputError(msg)


def put(subject: Subject, tensors: Mapping[str, Tensor]) -> None:
    """Write values into a working copy's own tensors.

    Raises
    ------
    InputError
        A tensor of another shape.
    """
    import torch

    own = dict(subject.model.named_parameters())
    with torch.no_grad():
        for name, value in tensors.items():
            if own[name].shape != value.shape:
                msg = (
                    f"tensor {name} must have shape {tuple(own[name].shape)}. Got "
                    f"{tuple(value.shape)} instead: the file was made for another model."
                )
                raise InputError(msg)
            own[name].copy_(value)
