"""Questions as token batches that never change: the same texts side by side in every epoch.

Texts are sorted by length and cut by a token budget once, so that what the frozen blocks make of a
batch can be computed once and kept, and gives the same bytes as computing it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from probekit.errors import InputError
from probekit.facts.encoding import encode
from probekit.models.inputs import pad_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from probekit.facts.question import FactSet, Question
    from probekit.models import Subject


@dataclass(frozen=True)
class Item:
    """A question as a model reads it.

    Attributes
    ----------
    question
        Where it came from.
    ids
        Token ids of prompt and answer, special tokens included.
    answer
        Positions of the answer's tokens, all above 0.
    content
        Positions that are neither special nor the first (an attention sink).
    """

    question: Question
    ids: tuple[int, ...]
    answer: tuple[int, ...]
    content: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TextBatch:
    """Items padded on the right, and where their answers are.

    Attributes
    ----------
    inputs
        What the model takes.
    items
        Texts, in row order.
    rows, before, targets
        For every answer token: its text's row, the position before it, its id.
    content
        Mask (text, position) of content tokens.
    """

    inputs: dict[str, Tensor]
    items: tuple[Item, ...]
    rows: Tensor
    before: Tensor
    targets: Tensor
    content: Tensor

    @property
    def n_tokens(self) -> int:
        """Tokens of the batch, padding included."""
        return int(self.inputs["input_ids"].numel())


def read_items(subject: Subject, facts: FactSet) -> tuple[Item, ...]:
    """Token ids of every question, cut into prompt and answer as :mod:`probekit.facts` scores them.

    Raises
    ------
    LanguageError
        The tokenizer cannot tell the answers of a language apart.
    InputError
        A text longer than the model reads, or an answer with nothing before it.
    """
    special = set(subject.tokenizer.all_special_ids)
    items = []
    for question, found in zip(facts, encode(subject, facts), strict=True):
        ids = found.context + found.answer
        answer = tuple(range(len(found.context), len(ids)))
        content = tuple(at for at in range(1, len(ids)) if ids[at] not in special)
        items.append(Item(question, ids, answer, content))
    return tuple(items)


def make_batches(
    subject: Subject, items: Sequence[Item], *, token_budget: int
) -> tuple[TextBatch, ...]:
    """Batches of neighbours in length, at most ``token_budget`` padded tokens each.

    Raises
    ------
    InputError
        A budget below one token.
    """
    if token_budget < 1:
        msg = f"batch_tokens must be 1 or more. Got {token_budget} instead."
        raise InputError(msg)
    ordered = sorted(items, key=lambda item: len(item.ids))  # stable: ties keep their order
    groups: list[list[Item]] = []
    for item in ordered:
        if groups and (len(groups[-1]) + 1) * len(item.ids) <= token_budget:
            groups[-1].append(item)
        else:
            groups.append([item])
    return tuple(_batch(subject, group) for group in groups)


def _batch(subject: Subject, items: Sequence[Item]) -> TextBatch:
    import torch

    inputs = pad_batch(subject, [item.ids for item in items])
    device = inputs["input_ids"].device
    flat = [(row, at) for row, item in enumerate(items) for at in item.answer]
    rows = torch.tensor([row for row, _ in flat], device=device)
    before = torch.tensor([at - 1 for _, at in flat], device=device)
    content = torch.zeros(inputs["input_ids"].shape, dtype=torch.bool)
    for row, item in enumerate(items):
        content[row, list(item.content)] = True
    return TextBatch(
        inputs=inputs,
        items=tuple(items),
        rows=rows,
        before=before,
        targets=inputs["input_ids"][rows, before + 1],
        content=content.to(device),
    )
