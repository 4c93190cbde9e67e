"""Token ids to model inputs: padding on either side, positions from the attention mask."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal

from probekit.errors import InputError
from probekit.models.families import OWN_POSITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from probekit.models.subject import Subject

PaddingSide = Literal["right", "left"]


def pad_batch(
    subject: Subject, sequences: Sequence[Sequence[int]], *, side: PaddingSide = "right"
) -> dict[str, Tensor]:
    """Make inputs of ``subject.forward`` from token sequences of any lengths.

    Positions count attended tokens, so a text gets the same positions whatever the padding.

    Parameters
    ----------
    subject
        The model that will read them.
    sequences
        Token ids, one sequence a text, none empty.
    side
        Where the padding goes.

    Raises
    ------
    InputError
        No sequence, or one without a token.
    """
    import torch

    if not sequences or not all(len(sequence) for sequence in sequences):
        msg = "sequences must be one or more non-empty lists of token ids. Leave empty texts out."
        raise InputError(msg)
    width = max(len(sequence) for sequence in sequences)
    pad = padding_id(subject)
    ids = torch.full((len(sequences), width), pad, dtype=torch.long)
    mask = torch.zeros((len(sequences), width), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        at = slice(0, len(sequence)) if side == "right" else slice(width - len(sequence), width)
        ids[row, at] = torch.as_tensor(sequence, dtype=torch.long)
        mask[row, at] = 1
    inputs = {"input_ids": ids, "attention_mask": mask}
    if takes_positions(subject.model):
        inputs["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    if takes_decoder_ids(subject.model):
        inputs["decoder_input_ids"] = ids
        inputs["decoder_attention_mask"] = mask
    return {name: tensor.to(subject.device) for name, tensor in inputs.items()}


def padding_id(subject: Subject) -> int:
    """Choose the id that fills padding: the model's or tokenizer's, else 0 (always masked)."""
    for owner in (subject.model.config, subject.tokenizer):
        value: Any = getattr(owner, "pad_token_id", None)
        if isinstance(value, int) and value >= 0:
            return value
    return 0


def takes_positions(model: Any) -> bool:
    """Whether positions must be passed: families with their own rule do without."""
    if model.config.model_type in OWN_POSITIONS:
        return False
    return "position_ids" in inspect.signature(model.forward).parameters


def takes_decoder_ids(model: Any) -> bool:
    """Whether the model reads a second sequence: it has an encoder and a decoder."""
    return "decoder_input_ids" in inspect.signature(model.forward).parameters
