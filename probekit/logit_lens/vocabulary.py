"""What stacked residual vectors say over the whole vocabulary, by chunks of it.

Logits are never held: a chunk of tokens is multiplied into one reused buffer, reduced, and
forgotten. Beyond the rows and the results, memory is two buffers of ``rows × chunk`` float32 and
the columns of the classes but the commonest, whatever the vocabulary. ``benchmarks/bench_lens.py``
compares the time with the bare products'; ``sweep.py`` says what keeps it near.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import InputError
from probekit.logit_lens.sweep import Members, Sweep, block_positions
from probekit.models.head import before_unembedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int
    from torch import Tensor

    from probekit.models import Subject
    from probekit.models.head import Unembedding

    Hidden = Float[Tensor, "positions layers d_model"]
    Rows = Float[Tensor, "positions layers width"]
    Translate = Callable[[int, Tensor], Tensor]


@dataclass(frozen=True)
class Readout:
    """What :func:`read_vocabulary` finds; arrays over (position, layer), logarithms in bits.

    Attributes
    ----------
    entropy
        ``H(q)``, from 0 to ``log2(vocabulary)``.
    kl
        ``KL(q_last ‖ q)``, 0 for the last layer.
    top_ids, top_log2
        Arrays (position, layer, top): most probable tokens, best first, and their log2
        probability. ``top_ids[..., 0]`` is the argmax.
    target_log2
        Array (position, layer, target): log2 probability of the targets.
    target_rank
        Array (position, layer, target): 1 + number of tokens with a larger logit; empty unless
        ranks were asked for.
    mass
        Array (position, layer, class): probability of each class of tokens; sums to 1.
    """

    entropy: np.ndarray
    kl: np.ndarray
    top_ids: np.ndarray
    top_log2: np.ndarray
    target_log2: np.ndarray
    target_rank: np.ndarray
    mass: np.ndarray


def lens_rows(subject: Subject, hidden: Hidden, *, translate: Translate | None = None) -> Rows:
    """Residual vectors through the final norm, up to the unembedding: input of a sweep.

    Parameters
    ----------
    subject
        Whose head it is.
    hidden : tensor of shape (positions, layers, d_model)
        Any floating type. The last layer must be the last block: its lens is the model's own
        prediction, which ``kl`` compares with.
    translate
        ``translate(row, vectors)`` maps the vectors (positions, d_model) of layer ``row − 1``
        before the norm (the tuned lens); the last layer is never translated.

    Raises
    ------
    ModelError
        The stack has no unembedding.
    """
    import torch

    if translate is not None:
        last = hidden.shape[1] - 1
        moved = [translate(row, hidden[:, row]) for row in range(last)]
        hidden = torch.stack([*moved, hidden[:, last]], dim=1)
    with torch.inference_mode():
        return before_unembedding(subject, hidden.to(subject.dtype))


def read_vocabulary(
    rows: Rows,
    head: Unembedding,
    *,
    targets: Int[np.ndarray, "positions targets"] | None = None,
    ranks: bool = True,
    classes: Int[Tensor, " vocabulary"] | None = None,
    n_classes: int = 0,
    top: int = 1,
    chunk: int | None = None,
) -> Readout:
    """Entropy, divergence from the last layer, best tokens, targets and class masses.

    Products are in the type of the unembedding, everything after them in float32, sums across
    chunks in float64; the result agrees with a float64 softmax over the same logits to about
    1e-5. It does not depend on ``chunk``.

    Parameters
    ----------
    rows : tensor of shape (positions, layers, width)
        From :func:`lens_rows`. Positions are taken in blocks, so any number will do.
    head
        From :func:`probekit.models.head.unembedding`.
    targets : array of shape (positions, targets), optional
        Token ids whose probability and rank are wanted.
    ranks
        Whether ranks of targets are wanted; each target then costs two more passes over a chunk.
    classes : tensor of shape (vocabulary,), optional
        Class of each token, 0 … n_classes − 1, on the rows' device.
    top
        Tokens kept per row.
    chunk
        Tokens of one product; None: what suits the device.

    Raises
    ------
    InputError
        No position, ``top``, ``chunk`` or a target outside its domain.
    """
    _check(rows, head.vocabulary, targets=targets, top=top, chunk=chunk)
    nothing = np.zeros((len(rows), 0), dtype=np.int64)
    wanted = nothing if targets is None else np.ascontiguousarray(targets, dtype=np.int64)
    members = None if classes is None else Members(classes, n_classes)

    def sweep(part: slice) -> tuple[np.ndarray, ...]:
        made = Sweep(rows[part], head, targets=wanted[part], ranks=ranks, top=top)
        return made.run(chunk, members)

    return _in_blocks(rows, sweep)


def _in_blocks(rows: Rows, sweep: Callable[[slice], tuple[np.ndarray, ...]]) -> Readout:
    """Sweep block after block of positions, and join what they say."""
    import torch

    step = block_positions(rows.shape[1], rows.device)
    with torch.inference_mode():
        found = [sweep(slice(start, start + step)) for start in range(0, len(rows), step)]
    return Readout(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _check(
    rows: Tensor, size: int, *, targets: np.ndarray | None, top: int, chunk: int | None
) -> None:
    if not len(rows):
        msg = "rows must have at least one position. Got none instead."
        raise InputError(msg)
    if not 1 <= top <= size:
        msg = f"top must be between 1 and {size}, the vocabulary. Got {top} instead."
        raise InputError(msg)
    if chunk is not None and chunk < 1:
        msg = f"chunk must be at least 1. Got {chunk} instead."
        raise InputError(msg)
    if targets is None:
        return
    if targets.ndim != 2 or len(targets) != len(rows):
        msg = f"targets must have shape ({len(rows)}, targets). Got {targets.shape} instead."
        raise InputError(msg)
    if targets.size and not 0 <= targets.min() <= targets.max() < size:
        msg = (
            f"targets must be token ids from 0 to {size - 1}. Got {targets.min()} to "
            f"{targets.max()} instead."
        )
        raise InputError(msg)
