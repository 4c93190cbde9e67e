"""Which choice every block names, decoded with a subject's final norm and unembedding.

A choice is decoded as one among the choices, token by token: where they part, the softmax is over
the tokens that follow there, and the products along a choice are its share (constrained decoding).
So one forward over the prompts reads all blocks, and a block costs a few columns of the
unembedding instead of the vocabulary. Open questions are decoded over the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from probekit.errors import NumericalError
from probekit.facts.encoding import Ids, encode
from probekit.facts.scoring import LOGIT_BYTES, by_length, longest, steps
from probekit.models.backends import open_backend
from probekit.models.head import before_unembedding, unembedding
from probekit.models.inputs import pad_batch
from probekit.sites import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from probekit.facts.encoding import EncodedQuestion
    from probekit.facts.question import FactSet
    from probekit.models import Subject

    Values = NDArray[np.float64]
    Wanted = dict[Ids, tuple[int, ...]]


class Named(NamedTuple):
    """What every block names.

    Attributes
    ----------
    right
        Whether the answer comes first, and alone, array (n_blocks, n_questions).
    first
        Choice that comes first, array (n_blocks, n_questions); −1 where a question is open.
    """

    right: NDArray[np.bool_]
    first: NDArray[np.int64]


def named(
    subject: Subject,
    facts: FactSet,
    *,
    blocks: Sequence[int] | None = None,
    batch_tokens: int = 4096,
) -> Named:
    """What blocks (None: every one) name as the answer of every question, in their order.

    A choice that another continues cannot be told from it: a tie, which counts as wrong.

    Raises
    ------
    NumericalError
        A block's output that is not finite.
    """
    asked = encode(subject, facts)
    forks = [partings(question) for question in asked]
    wanted: Wanted = {before: after for fork in forks for before, after in fork.items()}
    read_at = tuple(range(subject.anatomy.n_blocks)) if blocks is None else tuple(blocks)
    read = _read(subject, wanted, read_at, batch_tokens=batch_tokens)
    level = np.zeros(len(read_at))
    found = [level[:, None] + _one(*pair, read) for pair in zip(asked, forks, strict=True)]
    right = [fact.right for fact in facts]
    columns = [_verdict(values, at) for values, at in zip(found, right, strict=True)]
    return Named(
        np.stack([ok for ok, _ in columns], axis=1), np.stack([at for _, at in columns], axis=1)
    )


def partings(question: EncodedQuestion) -> Wanted:
    """Beginnings after which the choices part, with the tokens that follow.

    Of an open question: every beginning of its answer, with the one token that follows.
    """
    after: dict[Ids, dict[int, None]] = {}
    for answer in question.continuations:
        for before, token in steps(question.context, answer):
            after.setdefault(before, {})[token] = None
    least = 2 if question.choices else 1
    return {before: tuple(tokens) for before, tokens in after.items() if len(tokens) >= least}


def _one(question: EncodedQuestion, fork: Wanted, read: dict[Ids, dict[int, Values]]) -> Values:
    """``ln`` of every choice's share, (n_blocks, n_choices); of an open one whether it is said."""
    if not question.choices:
        said = [read[before][tokens[0]] for before, tokens in fork.items()]
        worst: Values = np.stack(said).min(axis=0)
        return worst[:, None]
    columns = [
        [read[before][token] for before, token in steps(question.context, choice) if before in fork]
        for choice in question.choices
    ]
    # a choice that meets no parting is continued by all others
    return np.stack([np.sum(c, axis=0) if c else np.zeros(1) for c in columns], axis=-1)


def _verdict(values: Values, right: int | None) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether the answer comes first, and what does, a block."""
    if right is None:
        return values[:, 0] > 0, np.full(len(values), -1, dtype=np.int64)
    least = values[:, right][:, None]
    return (values >= least).sum(axis=1) == 1, values.argmax(axis=1)


def _read(
    subject: Subject, wanted: Wanted, blocks: tuple[int, ...], *, batch_tokens: int
) -> dict[Ids, dict[int, Values]]:
    """After every beginning, a value a block for each token.

    ``ln softmax`` over the tokens; where there is one token, whether the vocabulary's first is it.
    """
    import torch

    backend, parts = open_backend("hooks", subject), longest(wanted)
    sites = [Site(block, "resid_post") for block in blocks]
    found: dict[Ids, dict[int, Values]] = {}
    for batch in by_length(parts, batch_tokens):
        places = [(row, ids) for row, text in enumerate(batch) for ids in parts[text]]
        rows = torch.tensor([row for row, _ in places])
        ends = torch.tensor([len(ids) - 1 for _, ids in places])
        asked = [wanted[ids] for _, ids in places]
        kept: list[list[Values]] = []

        def decode(_site: Site, seen: Tensor) -> None:
            kept.append(_decoded(subject, seen[rows, ends], asked))  # noqa: B023 - called at once

        with torch.inference_mode():
            backend.run(pad_batch(subject, batch), sites, decode)
        for place, (_, ids) in enumerate(places):
            columns = np.stack([values[place] for values in kept], axis=1)
            found[ids] = dict(zip(asked[place], columns, strict=True))
    return found


def _decoded(subject: Subject, hidden: Tensor, asked: Sequence[tuple[int, ...]]) -> list[Values]:
    """Values of the tokens asked for after each row of one block's output."""
    found: dict[int, Values] = {}
    among = [row for row, tokens in enumerate(asked) if len(tokens) > 1]
    alone = [row for row, tokens in enumerate(asked) if len(tokens) == 1]
    if among:
        shares = _among(subject, hidden[among], [asked[row] for row in among])
        found |= dict(zip(among, shares, strict=True))
    if alone:
        said = _said(subject, hidden[alone], [asked[row][0] for row in alone])
        found |= {row: np.array([value]) for row, value in zip(alone, said, strict=True)}
    values = [found[row] for row in range(len(asked))]
    if not all(np.isfinite(value).all() for value in values):
        msg = "a block's output is not finite. Load the subject in float32."
        raise NumericalError(msg)
    return values


def _among(subject: Subject, hidden: Tensor, asked: Sequence[tuple[int, ...]]) -> list[Values]:
    """``ln softmax`` over the tokens asked for, a row."""
    import torch

    head, most = unembedding(subject), max(map(len, asked))
    ids = torch.tensor([[*t, *t[:1] * (most - len(t))] for t in asked], device=hidden.device)
    x = before_unembedding(subject, hidden)
    z = torch.einsum("rd,rkd->rk", x.float(), head.weight[ids].float())
    if head.bias is not None:
        z = z + head.bias[ids].float()
    z = z * head.logit_scale
    z = z if head.softcap is None else head.softcap * torch.tanh(z / head.softcap)
    values = z.double().cpu()
    return [values[row, : len(t)].log_softmax(0).numpy() for row, t in enumerate(asked)]


def _said(subject: Subject, hidden: Tensor, tokens: Sequence[int]) -> list[float]:
    """1 where a token is the first of the whole vocabulary, else 0."""
    import torch

    vocabulary = unembedding(subject).vocabulary
    at_once = max(1, LOGIT_BYTES // (4 * vocabulary))
    tops = [subject.logits(rows).argmax(dim=-1) for rows in torch.split(hidden, at_once)]
    pairs = zip(torch.cat(tops).tolist(), tokens, strict=True)
    return [float(top == token) for top, token in pairs]
