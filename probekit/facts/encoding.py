"""Prompts and answers as token ids, and which tokens are the answer.

An answer's tokens are found in the tokens of prompt and answer *together*, as a subject reads them
when it is taught: those after the longest beginning that the prompt alone shares with the prompt
followed by each of its choices. Where a tokenizer joins the prompt's end and the answer's beginning
into one token (Chinese), all choices are so compared from the same place. One tokenizer call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError, LanguageError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.facts.question import FactSet, Question
    from probekit.models import Subject

Ids = tuple[int, ...]


@dataclass(frozen=True)
class EncodedQuestion:
    """One question as a subject reads it.

    Attributes
    ----------
    context
        Tokens that every continuation shares, special tokens at the start included; never empty.
    answer
        Tokens of the right continuation.
    choices
        Tokens of every choice, in the question's order; empty for an open question.
    """

    context: Ids
    answer: Ids
    choices: tuple[Ids, ...]

    @property
    def continuations(self) -> tuple[Ids, ...]:
        """What is scored: the choices, or the answer of an open question."""
        return self.choices or (self.answer,)


def require_next_token(subject: Subject) -> None:
    """See that a subject predicts the next token.

    Raises
    ------
    ModelError
        It has no unembedding, reads both ways, or has two stacks.
    """
    two = bool(getattr(subject.model.config, "is_encoder_decoder", False))
    if subject.anatomy.head and subject.anatomy.stack == "decoder" and not two:
        return
    msg = (
        f"subject {subject.source!r} does not predict the next token, so it cannot be asked for "
        "facts. Load a causal language model with its head."
    )
    raise ModelError(msg)


def encode(subject: Subject, facts: FactSet) -> tuple[EncodedQuestion, ...]:
    """Token ids of every question, in the set's order.

    Raises
    ------
    LanguageError
        The tokenizer reads two choices as the same tokens, or an answer as none.
    InputError
        A text longer than the subject has positions, or an answer with nothing before it.
    """
    texts = [text for question in facts for text in _texts(question)]
    ids = dict(zip(texts, _token_ids(subject.tokenizer, texts), strict=True))
    found = tuple(_encoded(question, ids) for question in facts)
    _check_length(subject, facts, found)
    return found


def _texts(question: Question) -> list[str]:
    answers = question.choices or (question.answer,)
    return [question.prompt, *(question.prompt + answer for answer in answers)]


def _token_ids(tokenizer: Any, texts: Sequence[str]) -> list[Ids]:
    """Ids without the special tokens that some tokenizers put at the end."""
    read = tokenizer(
        list(texts),
        truncation=False,
        verbose=False,
        return_special_tokens_mask=True,
        return_attention_mask=False,
    )
    found = []
    for ids, special in zip(read["input_ids"], read["special_tokens_mask"], strict=True):
        end = len(ids)
        while end and special[end - 1]:
            end -= 1
        # a text of special tokens alone keeps them: they are what there is to start from
        found.append(tuple(ids[: end or len(ids)]))
    return found


def _encoded(question: Question, ids: dict[str, Ids]) -> EncodedQuestion:
    sequences = [ids[text] for text in _texts(question)]
    shared = _shared(min(sequences), max(sequences))
    if len(set(sequences[1:])) < len(sequences) - 1 or min(map(len, sequences[1:])) == shared:
        msg = (
            f"language {question.language!r}: the tokenizer cannot tell the answers of fact "
            f"{question.fact!r} apart (a script it does not know?). Leave the language out with "
            "--languages, or use another model."
        )
        raise LanguageError(msg)
    if not shared:
        msg = (
            f"prompt {question.prompt!r} of fact {question.fact!r} must leave a token before the "
            "answer. Got none under this tokenizer: write a longer prompt."
        )
        raise InputError(msg)
    answers = question.choices or (question.answer,)
    after = {answer: ids[shared:] for answer, ids in zip(answers, sequences[1:], strict=True)}
    return EncodedQuestion(
        context=sequences[0][:shared],
        answer=after[question.answer],
        choices=tuple(after[choice] for choice in question.choices),
    )


def _shared(a: Ids, b: Ids) -> int:
    """Length of the common beginning; of the first and last in order, it is that of all."""
    pairs = zip(a, b, strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))


def _check_length(subject: Subject, facts: FactSet, found: Sequence[EncodedQuestion]) -> None:
    from probekit.capture.tokens import longest_text

    most = longest_text(subject)
    for question, encoded in zip(facts, found, strict=True):
        length = len(encoded.context) + max(map(len, encoded.continuations))
        if most is not None and length > most:
            msg = (
                f"fact {question.fact!r} in {question.language!r} must be at most {most} tokens, "
                f"the positions of {subject.source!r}. Got {length} instead: shorten the prompt."
            )
            raise InputError(msg)
