"""How a subject scores on facts: log-probabilities of answers, exact and by choice.

A causal model's prediction depends on what stands before it alone. So what must be read are the
distinct beginnings that come before an answer token, of all choices of all questions; a beginning
that continues as another is read with it, and each is unembedded once, at most ``LOGIT_BYTES`` of
logits at a time. The forward stops after the last block. Costs one forward over prompts with their
choices (choices of one token share one forward) and one unembedding row a distinct beginning.
"""

from __future__ import annotations

from math import fsum, isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from probekit.capture.engine import Silent
from probekit.errors import InputError, NumericalError
from probekit.facts.encoding import Ids, encode, require_next_token
from probekit.facts.scores import Scores
from probekit.models.backends import open_backend
from probekit.models.inputs import pad_batch
from probekit.sites import Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

    from probekit.capture.engine import Progress
    from probekit.facts.encoding import EncodedQuestion
    from probekit.facts.question import FactSet
    from probekit.models import Subject
    from probekit.models.inputs import PaddingSide

LOGIT_BYTES = 64 << 20


class _Token(NamedTuple):
    """Prediction of one token: ``ln p`` in nats, and whether none is more probable."""

    logp: float
    top: bool


# Beginning → the tokens that are asked for after it.
_Wanted = dict[Ids, dict[int, None]]
_Found = dict[tuple[Ids, int], _Token]


def score(
    subject: Subject,
    facts: FactSet,
    *,
    batch_tokens: int = 4096,
    padding_side: PaddingSide = "right",
    progress: Progress | None = None,
) -> Scores:
    """Log-probability of every answer and choice, teacher-forced.

    Parameters
    ----------
    subject : a causal language model
    facts : what is asked; results keep its order
    batch_tokens : most padded tokens in one forward. Results do not depend on it, nor on the order
        of the questions, beyond floating-point rounding
    padding_side : ``right`` or ``left``; results do not depend on it
    progress : told how many tokens were read

    Raises
    ------
    ModelError
        The subject does not predict the next token.
    LanguageError
        Its tokenizer cannot tell the answers of a language apart.
    NumericalError
        A log-probability is not finite.
    """
    require_next_token(subject)
    if batch_tokens < 1:
        msg = f"batch_tokens must be at least 1. Got {batch_tokens} instead."
        raise InputError(msg)
    encoded = encode(subject, facts)
    found = _read(
        subject,
        _wanted(encoded),
        batch_tokens=batch_tokens,
        side=padding_side,
        progress=progress or Silent(),
    )
    return _scores(facts, encoded, found)


def steps(context: Ids, answer: Ids) -> Iterator[tuple[Ids, int]]:
    """What stands before every token of an answer, and the token."""
    whole = context + answer
    for position in range(len(context), len(whole)):
        yield whole[:position], whole[position]


def _wanted(encoded: Sequence[EncodedQuestion]) -> _Wanted:
    wanted: _Wanted = {}
    for question in encoded:
        for answer in question.continuations:
            for before, token in steps(question.context, answer):
                wanted.setdefault(before, {})[token] = None
    return wanted


def longest(beginnings: Iterable[Ids]) -> dict[Ids, list[Ids]]:
    """Beginnings that no other continues, each with those that are part of it."""
    found: dict[Ids, list[Ids]] = {}
    current: Ids = ()
    # in descending order, what continues a beginning comes right before it
    for ids in sorted(beginnings, reverse=True):
        if current[: len(ids)] != ids:
            current = ids
            found[current] = []
        found[current].append(ids)
    return found


def _read(
    subject: Subject,
    wanted: _Wanted,
    *,
    batch_tokens: int,
    side: PaddingSide,
    progress: Progress,
) -> _Found:
    import torch

    parts = longest(wanted)
    progress.start(n_tokens=sum(map(len, parts)), done=0)
    found: _Found = {}
    for batch in by_length(parts, batch_tokens):
        with torch.inference_mode():
            hidden = _last_block(subject, batch, side)
            places = [
                (row, len(ids) if side == "right" else hidden.shape[1] - len(text) + len(ids), ids)
                for row, text in enumerate(batch)
                for ids in parts[text]
            ]
            rows = torch.tensor([row for row, _, _ in places])
            ends = torch.tensor([end - 1 for _, end, _ in places])
            found |= _predictions(subject, hidden[rows, ends], [(i, wanted[i]) for *_, i in places])
        progress.advance(sum(map(len, batch)))
    return found


def by_length(texts: Iterable[Ids], batch_tokens: int, *, extra: int = 0) -> Iterator[list[Ids]]:
    """Batches of similar length, at most ``batch_tokens`` padded tokens or one text.

    Longest first, so that a batch that does not fit in memory fails at once. ``extra`` tokens are
    counted on top of every text.
    """
    batch: list[Ids] = []
    for ids in sorted(texts, key=lambda ids: (-len(ids), ids)):
        if batch and (len(batch[0]) + extra) * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(ids)
    if batch:
        yield batch


def _last_block(subject: Subject, ids: Sequence[Ids], side: PaddingSide) -> Tensor:
    """Output of the last block, (text, position, width)."""
    kept: list[Tensor] = []
    site = Site(subject.anatomy.n_blocks - 1, "resid_post")
    inputs = pad_batch(subject, ids, side=side)
    open_backend("hooks", subject).run(inputs, [site], lambda _, seen: kept.append(seen.clone()))
    return kept[0]


def _predictions(
    subject: Subject, hidden: Tensor, asked: Sequence[tuple[Ids, Iterable[int]]]
) -> _Found:
    """``ln softmax(logits)[token]`` of the tokens asked for at every row of ``hidden``."""
    vocabulary = int(subject.model.get_submodule(subject.anatomy.head[-1]).weight.shape[0])
    at_once = max(1, LOGIT_BYTES // (4 * vocabulary))
    found: _Found = {}
    for start in range(0, len(asked), at_once):
        logits = subject.logits(hidden[start : start + at_once]).float()
        total, top = logits.logsumexp(1).tolist(), logits.argmax(1).tolist()
        for row, (before, tokens) in enumerate(asked[start : start + at_once]):
            wanted = list(tokens)
            for token, value in zip(wanted, logits[row, wanted].tolist(), strict=True):
                found[before, token] = _Token(value - total[row], token == top[row])
    if not all(isfinite(token.logp) for token in found.values()):
        msg = "a log-probability of an answer is not finite. Load the subject in float32."
        raise NumericalError(msg)
    return found


def _scores(facts: FactSet, encoded: Sequence[EncodedQuestion], found: _Found) -> Scores:
    def tokens(context: Ids, answer: Ids) -> list[_Token]:
        return [found[step] for step in steps(context, answer)]

    answers = [tokens(e.context, e.answer) for e in encoded]
    return Scores(
        facts=facts,
        logp=np.array([fsum(t.logp for t in answer) for answer in answers]),
        exact=np.array([all(t.top for t in answer) for answer in answers], dtype=bool),
        n_answer_tokens=np.array([len(answer) for answer in answers], dtype=np.int64),
        choice_logp=tuple(
            tuple(fsum(t.logp for t in tokens(e.context, choice)) for choice in e.choices)
            for e in encoded
        ),
        choice_tokens=tuple(tuple(map(len, e.choices)) for e in encoded),
    )
