"""Neurons set to zero while a model runs: a hook before each down projection, gone afterwards.

Costs one masked copy of the activation at every block with a zeroed neuron.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from probekit.models import Subject

#: Block → its neurons.
NeuronSet = dict[int, np.ndarray]


@contextmanager
def zeroed(subject: Subject, sets: Sequence[NeuronSet], rows: Sequence[int]) -> Iterator[None]:
    """Zero neurons at the input of the down projection while the block of code runs.

    Parameters
    ----------
    subject
        A model whose neurons can be read.
    sets
        Sets of neurons.
    rows
        For every row of the batch, which set is zeroed in it.

    Raises
    ------
    ModelError
        The model's neurons cannot be read.
    """
    down = subject.anatomy.require_neurons().down
    with ExitStack() as hooks:
        for layer in sorted({layer for chosen in sets for layer in chosen}):
            module = subject.model.get_submodule(f"{subject.anatomy.block(layer)}.{down}")
            masks = _masks(subject, sets, layer)[list(rows)]
            hook = module.register_forward_pre_hook(_zero(masks), with_kwargs=True)
            hooks.callback(hook.remove)
        yield


def _masks(subject: Subject, sets: Sequence[NeuronSet], layer: int) -> Tensor:
    """Which neurons of a block each set zeroes, bool (set, neuron)."""
    import torch

    width = subject.anatomy.require_neurons().width
    masks = torch.zeros(len(sets), width, dtype=torch.bool)
    for mask, chosen in zip(masks, sets, strict=True):
        mask[torch.as_tensor(chosen.get(layer, np.zeros(0, dtype=np.int64)))] = True
    return masks.to(subject.device)


def _zero(masks: Tensor) -> Callable[..., Any]:
    def before(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = None if args else "hidden_states"
        hidden = args[0] if name is None else kwargs[name]
        # OPT hands its MLP the tokens of all rows in one axis
        split = hidden.reshape(len(masks), -1, hidden.shape[-1])
        kept = split.masked_fill(masks[:, None, :], 0).reshape(hidden.shape)
        return ((kept, *args[1:]), kwargs) if name is None else (args, {**kwargs, name: kept})

    return before


def as_sets(
    neurons_by_language: Mapping[str, Any], *, n_blocks: int, width: int
) -> dict[str, NeuronSet]:
    """Sets of neurons from pairs ``(block, neuron)``, each neuron once.

    Raises
    ------
    InputError
        Not pairs of whole numbers, or a neuron that the model does not have.
    """
    return {
        code: _as_set(code, neurons, n_blocks=n_blocks, width=width)
        for code, neurons in neurons_by_language.items()
    }


def _as_set(code: str, neurons: Any, *, n_blocks: int, width: int) -> NeuronSet:
    pairs = np.asarray(neurons)
    if not pairs.size:
        return {}
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        msg = (
            f"neurons of {code!r} must be pairs (block, neuron) of whole numbers. Got an array of "
            f"shape {pairs.shape} and type {pairs.dtype} instead."
        )
        raise InputError(msg)
    outside = (pairs < 0).any(axis=1) | (pairs >= (n_blocks, width)).any(axis=1)
    if outside.any():
        msg = (
            f"neurons of {code!r} must lie in blocks 0 … {n_blocks - 1} and neurons 0 … "
            f"{width - 1}. Got {tuple(int(k) for k in pairs[outside][0])} instead."
        )
        raise InputError(msg)
    pairs = np.unique(pairs.astype(np.int64), axis=0)
    return {int(layer): pairs[pairs[:, 0] == layer, 1] for layer in np.unique(pairs[:, 0])}


def random_like(chosen: NeuronSet, *, width: int, rng: np.random.Generator) -> NeuronSet:
    """As many neurons in every block, none of them chosen; some of them where too few are left."""
    drawn = {}
    for layer, neurons in chosen.items():
        others = np.setdiff1d(np.arange(width), neurons)
        pool = others if len(others) >= len(neurons) else np.arange(width)
        drawn[layer] = np.sort(rng.choice(pool, size=len(neurons), replace=False))
    return drawn


def size(chosen: NeuronSet) -> int:
    """Neurons in a set."""
    return sum(len(neurons) for neurons in chosen.values())
