"""The logit lens over one text: what every layer would predict at every position.

Costs one forward and the unembedding product of ``positions × layers`` rows; logits are never held.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from probekit.capture.tokens import TokenizedText, longest_text
from probekit.errors import InputError
from probekit.logit_lens.residuals import residuals
from probekit.logit_lens.targets import SCORING, Target, joint_probability, spell_target
from probekit.logit_lens.token_text import token_texts
from probekit.logit_lens.vocabulary import lens_rows, read_vocabulary
from probekit.models.head import require_head, unembedding
from probekit.models.inputs import takes_decoder_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    from rich.console import Group
    from torch import Tensor

    from probekit.models import Subject

FIGURE = "probekit.figures.lens:prompt_grid"


class Translator(Protocol):
    """Maps a layer's vectors towards the last block's: a tuned lens."""

    def translate_row(self, row: int, hidden: Tensor) -> Tensor:
        """Translate vectors (positions, d_model) of layer ``row − 1``."""


@dataclass(frozen=True)
class TargetScores:
    """A target over layers and positions.

    Attributes
    ----------
    target
        The word and its spellings.
    probability, rank
        Arrays (layer, position), as ``SCORING`` says; rank 1 is the best.
    joint
        Probability of the whole word after the text by the model itself; None where the text's end
        was not read, or the model does not continue texts.
    """

    target: Target
    probability: np.ndarray
    rank: np.ndarray
    joint: float | None


@dataclass(frozen=True)
class PromptLens:
    """What every layer would predict; arrays (layer, position, …), layer −1 first.

    Attributes
    ----------
    text, model
        What was read, and by what.
    ids, tokens
        Every token of the text, special ones included, and its own text.
    positions
        Those that were read, from 0.
    predicts
        ``next`` token (causal models) or the token ``itself`` (masked-language models).
    tuned
        Whether a tuned lens translated the layers.
    entropy
        Bits, from 0 to ``log2(vocabulary)``.
    kl
        ``KL(final ‖ lens)``, bits; 0 at the last block.
    top_ids, top_probability
        Arrays (layer, position, top), best first.
    final_ids
        Array (position,): the model's own argmax, the last block's.
    final_probability, final_rank
        What each layer gives that token; rank 1 is the best.
    targets
        Scores of the words asked for.
    vocabulary
        Number of logits.
    names
        Token id → text, of every id above.
    """

    text: str
    model: str
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    positions: tuple[int, ...]
    predicts: Literal["next", "itself"]
    tuned: bool
    entropy: np.ndarray
    kl: np.ndarray
    top_ids: np.ndarray
    top_probability: np.ndarray
    final_ids: np.ndarray
    final_probability: np.ndarray
    final_rank: np.ndarray
    targets: tuple[TargetScores, ...]
    vocabulary: int
    names: dict[int, str]

    @property
    def layers(self) -> tuple[int, ...]:
        """−1 (the embedding) to the last block."""
        return tuple(range(-1, len(self.entropy) - 1))

    @property
    def scoring(self) -> str:
        """How targets are scored."""
        return SCORING

    def to_json(self) -> str:
        """Everything as JSON; tokens are objects with ``id`` and ``text``."""
        from probekit.logit_lens.prompt_display import as_document

        return json.dumps(as_document(self), indent=1, ensure_ascii=False, allow_nan=False)

    def table(self, *, width: int = 112) -> Group:
        """Tables for the terminal: best tokens by layer and position, then the last position."""
        from probekit.logit_lens.prompt_display import as_tables

        return as_tables(self, width=width)

    def figure(self) -> go.Figure:
        """Layers × positions as a grid; see :func:`probekit.figures.lens.prompt_grid`."""
        module, _, name = FIGURE.partition(":")
        draw: Any = getattr(importlib.import_module(module), name)
        figure: go.Figure = draw(self)
        return figure

    def __repr__(self) -> str:
        return (
            f"PromptLens({self.text!r}, {self.model!r}, {len(self.layers)} layers × "
            f"{len(self.positions)} positions)"
        )

    def _repr_html_(self) -> str:
        from probekit.logit_lens.prompt_display import as_html

        return as_html(self)


def lens(
    subject: Subject,
    text: str,
    *,
    top: int = 10,
    targets: Sequence[str] = (),
    positions: Sequence[int] | None = None,
    tuned: Translator | None = None,
) -> PromptLens:
    """``softmax(W_U · norm(resid_post.l))`` for every layer and position of a text.

    With the model's own final norm, logit scale and soft-cap, so that the last block's lens is the
    model's own prediction (nostalgebraist 2020).

    Parameters
    ----------
    subject
        A model with an unembedding.
    text
        Read with the tokenizer's special tokens.
    top
        Tokens kept per layer and position, 1 to the vocabulary.
    targets
        Words whose probability and rank are wanted; see :mod:`probekit.logit_lens.targets`.
    positions
        Token positions to read, from 0; None: all.
    tuned
        Translates every layer but the last before the norm (:class:`TunedLens`).

    Raises
    ------
    InputError
        An empty text, one longer than the model can read, or a setting outside its domain.
    ModelError
        The model has no unembedding.
    """
    require_head(subject)
    reading = _Reading(subject, text, positions=positions)
    _check_top(top, reading.head.vocabulary)
    words = tuple(spell_target(subject.tokenizer, word) for word in targets)
    return reading.lens(words, top=top, tuned=tuned)


class _Reading:
    """One text and the positions of it that are read."""

    def __init__(self, subject: Subject, text: str, *, positions: Sequence[int] | None) -> None:
        self.subject, self.text = subject, text
        self.head = unembedding(subject)
        self.ids = _tokenize(subject, text)
        self.places = _positions(positions, len(self.ids))

    def lens(self, words: tuple[Target, ...], *, top: int, tuned: Translator | None) -> PromptLens:
        """One forward, one sweep for the model's own argmax and one for everything else."""
        one = TokenizedText(0, 0, self.ids, self.places)
        ((_, vectors),) = residuals(self.subject, [one])
        translate = None if tuned is None else tuned.translate_row
        rows = lens_rows(self.subject, vectors.transpose(0, 1), translate=translate)
        final_ids = read_vocabulary(rows[:, -1:], self.head).top_ids[:, 0]
        first = np.array([number for word in words for number in word.first_ids], dtype=np.int64)
        wanted = np.concatenate([final_ids, np.tile(first, (len(self.places), 1))], axis=1)
        found = read_vocabulary(rows, self.head, targets=wanted, top=top)
        probability, rank = _by_layer(np.exp2(found.target_log2)), _by_layer(found.target_rank)
        top_ids = _by_layer(found.top_ids)
        joints = [self.joint(word) for word in words]
        return PromptLens(
            text=self.text,
            model=self.subject.source,
            ids=self.ids,
            tokens=tuple(token_texts(self.subject.tokenizer, self.ids)),
            positions=self.places,
            predicts="itself" if self.subject.anatomy.stack == "encoder" else "next",
            tuned=tuned is not None,
            entropy=_by_layer(found.entropy),
            kl=_by_layer(found.kl),
            top_ids=top_ids,
            top_probability=_by_layer(np.exp2(found.top_log2)),
            final_ids=final_ids[:, 0],
            final_probability=probability[..., 0],
            final_rank=rank[..., 0],
            targets=_scores(words, probability[..., 1:], rank[..., 1:], joints),
            vocabulary=self.head.vocabulary,
            names=self.names({*top_ids.ravel().tolist(), *wanted.ravel().tolist()}),
        )

    def names(self, numbers: set[int]) -> dict[int, str]:
        """Text of each token that a result speaks of."""
        known = sorted(numbers)
        return dict(zip(known, token_texts(self.subject.tokenizer, known), strict=True))

    def joint(self, word: Target) -> float | None:
        """Joint probability after the text, where the model continues it from its last token."""
        subject, ids = self.subject, self.ids
        continues = subject.anatomy.stack == "decoder" and not takes_decoder_ids(subject.model)
        is_open = len(ids) == 1 or ids[-1] not in subject.tokenizer.all_special_ids
        longest = longest_text(subject)
        whole = len(ids) + max(map(len, word.spellings)) - 1
        fits = longest is None or whole <= longest
        if not (continues and is_open and fits and len(ids) - 1 in self.places):
            return None
        return joint_probability(subject, self.head, ids, target=word)


def _by_layer(values: np.ndarray) -> np.ndarray:
    """(position, layer, …) as (layer, position, …)."""
    return np.ascontiguousarray(values.swapaxes(0, 1))


def _scores(
    words: Sequence[Target],
    probability: np.ndarray,
    rank: np.ndarray,
    joints: Sequence[float | None],
) -> tuple[TargetScores, ...]:
    """Scores of each word from those of its first tokens, which lie word after word."""
    found, at = [], 0
    for word, joint in zip(words, joints, strict=True):
        own = slice(at, at + len(word.first_ids))
        at = own.stop
        found.append(
            TargetScores(word, probability[..., own].sum(-1), rank[..., own].min(-1), joint)
        )
    return tuple(found)


def _tokenize(subject: Subject, text: str) -> tuple[int, ...]:
    if not text.strip():
        msg = "text must not be empty. Give the words that the model is to read."
        raise InputError(msg)
    ids = tuple(subject.tokenizer(text, verbose=False)["input_ids"])
    longest = longest_text(subject)
    if longest is not None and len(ids) > longest:
        msg = (
            f"text must have at most {longest} tokens, the positions of {subject.source!r}. Got "
            f"{len(ids)} instead. Shorten it."
        )
        raise InputError(msg)
    if not ids:
        msg = f"text {text!r} has no token under this tokenizer. Give other words."
        raise InputError(msg)
    return ids


def _positions(positions: Sequence[int] | None, n: int) -> tuple[int, ...]:
    if positions is None:
        return tuple(range(n))
    wrong = [place for place in positions if not 0 <= place < n]
    if wrong or not len(positions):
        msg = (
            f"positions must be numbers from 0 to {n - 1}, the tokens of the text. Got "
            f"{list(positions)} instead."
        )
        raise InputError(msg)
    return tuple(sorted({int(place) for place in positions}))


def _check_top(top: int, vocabulary: int) -> None:
    if not 1 <= top <= vocabulary:
        msg = f"top must be between 1 and {vocabulary}, the vocabulary. Got {top} instead."
        raise InputError(msg)
