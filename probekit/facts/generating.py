"""What a subject answers when it is left to write: greedy, in batches, padded on the left.

Costs one forward a new token for every batch of prompts, with the model's own cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.capture.engine import Silent
from probekit.errors import InputError
from probekit.facts.answers import Answers, identify
from probekit.facts.encoding import encode, require_next_token
from probekit.facts.scoring import by_length
from probekit.models.inputs import pad_batch, padding_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.capture.engine import Progress
    from probekit.facts.encoding import Ids
    from probekit.facts.question import FactSet
    from probekit.models import Subject


def generate(
    subject: Subject,
    facts: FactSet,
    *,
    max_new_tokens: int = 16,
    batch_tokens: int = 4096,
    reference: FactSet | None = None,
    progress: Progress | None = None,
) -> Answers:
    """Greedy continuation of every prompt, with whether it is right and in which language.

    Parameters
    ----------
    subject : a causal language model
    facts : what is asked; results keep its order
    max_new_tokens : most tokens of an answer; the subject may end it earlier
    batch_tokens : most padded tokens in one batch, new ones included
    reference : where answers in other languages are looked up, ``facts`` if not given. Give the
        whole set when one language of it is asked
    progress : told how many tokens were read

    Raises
    ------
    ModelError
        The subject does not predict the next token.
    InputError
        ``max_new_tokens`` below 1.
    """
    require_next_token(subject)
    if max_new_tokens < 1 or batch_tokens < 1:
        got = f"{max_new_tokens} and {batch_tokens}"
        msg = f"max_new_tokens and batch_tokens must be at least 1. Got {got} instead."
        raise InputError(msg)
    contexts = [question.context for question in encode(subject, facts)]
    told = progress or Silent()
    told.start(n_tokens=sum(map(len, set(contexts))), done=0)
    found: dict[Ids, list[int]] = {}
    for batch in by_length(set(contexts), batch_tokens, extra=max_new_tokens):
        found.update(zip(batch, _continue(subject, batch, max_new_tokens), strict=True))
        told.advance(sum(map(len, batch)))
    texts = tuple(
        _text(subject, context, found[context], prompt=question.prompt)
        for context, question in zip(contexts, facts, strict=True)
    )
    return identify(facts, texts, reference=reference or facts)


def _continue(subject: Subject, batch: Sequence[Ids], n: int) -> list[list[int]]:
    """Ids of new tokens, up to the first that ends a text."""
    import torch
    from transformers import GenerationConfig

    inputs = pad_batch(subject, batch, side="left")
    inputs.pop("position_ids", None)  # the model counts them from the mask as it goes
    ends = _end_ids(subject)
    config = GenerationConfig(
        max_new_tokens=n,
        do_sample=False,
        pad_token_id=padding_id(subject),
        eos_token_id=sorted(ends) or None,
    )
    with torch.inference_mode():
        whole = subject.model.generate(**inputs, generation_config=config)
    new = whole[:, inputs["input_ids"].shape[1] :].tolist()
    return [_until(ids, ends) for ids in new]


def _end_ids(subject: Subject) -> set[int]:
    own = getattr(subject.model, "generation_config", None)
    found: set[int] = set()
    for value in (getattr(own, "eos_token_id", None), subject.tokenizer.eos_token_id):
        found |= {value} if isinstance(value, int) else set(value or ())
    return found


def _until(ids: list[int], ends: set[int]) -> list[int]:
    stop = next((place for place, token in enumerate(ids) if token in ends), len(ids))
    return ids[:stop]


def _text(subject: Subject, context: Ids, new: Sequence[int], *, prompt: str) -> str:
    """What follows the prompt; tokens of prompt and answer are decoded together."""

    def decode(ids: Sequence[int]) -> str:
        return str(subject.tokenizer.decode(list(ids), skip_special_tokens=True))

    whole = decode([*context, *new])
    for beginning in (prompt, decode(context)):
        if whole.startswith(beginning):
            return whole[len(beginning) :]
    return decode(new)
