"""Next-token loss of texts, by text: hidden states of scored positions, then logits in pieces.

The forward stops after the last block; only scored positions are unembedded, at most
``LOGIT_BYTES`` of logits at a time, whatever the vocabulary. Costs the forward and one unembedding
row a scored token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from probekit.ablation.zeroing import zeroed
from probekit.capture.tokens import batches
from probekit.errors import ModelError, NumericalError
from probekit.models.backends import open_backend
from probekit.models.inputs import pad_batch
from probekit.sites import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from probekit.ablation.zeroing import NeuronSet
    from probekit.capture.tokens import TokenizedCorpus, TokenizedText
    from probekit.models import Subject

LOGIT_BYTES = 64 << 20
_POSITIONS = 5  # a random stream of its own


@dataclass(frozen=True)
class Scored:
    """Which tokens of a corpus are predicted.

    Attributes
    ----------
    tokens
        The corpus as the model reads it.
    targets
        Positions of predicted tokens, by text: content tokens that have a token before them.
    """

    tokens: TokenizedCorpus
    targets: tuple[tuple[int, ...], ...]

    @property
    def counts(self) -> np.ndarray:
        """Predicted tokens, array (language, unit)."""
        return self._table([len(positions) for positions in self.targets], np.int64)

    def _table(self, values: Sequence[float], dtype: type) -> np.ndarray:
        shape = (self.tokens.n_units, self.tokens.n_languages)
        return np.array(values, dtype=dtype).reshape(shape).T


def choose_targets(tokens: TokenizedCorpus, *, most: int | None, seed: int) -> Scored:
    """All content tokens with a token before them, or a seeded ``most`` of them in each text.

    A text whose only token has none before it is predicted nowhere.
    """
    rng = np.random.default_rng([seed, _POSITIONS])
    targets = []
    for text in tokens.texts:
        inner = np.array([position for position in text.content if position > 0], dtype=np.int64)
        if most is not None and len(inner) > most:
            inner = np.sort(rng.choice(inner, size=most, replace=False))
        targets.append(tuple(int(position) for position in inner))
    return Scored(tokens, tuple(targets))


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
    why = (
        "has no unembedding"
        if not subject.anatomy.head
        else "sees the whole text before it predicts"
    )
    msg = (
        f"subject {subject.source!r} {why}, so it has no next-token perplexity. Ablate a causal "
        "language model with its head."
    )
    raise ModelError(msg)


def text_losses(
    subject: Subject,
    scored: Scored,
    sets: Sequence[NeuronSet],
    *,
    set_of_unit: np.ndarray,
    token_budget: int,
    advance: Callable[[int], None],
) -> np.ndarray:
    """Sum of next-token losses of every text, in nats, with neurons zeroed: (language, unit).

    Parameters
    ----------
    subject, scored
        The model and what it predicts.
    sets
        Sets of neurons; none leaves the model as it is.
    set_of_unit
        Array (n_units,): which set is zeroed while a unit's texts are read.
    token_budget
        Most padded tokens in one forward.
    advance
        Told how many tokens were read.

    Raises
    ------
    NumericalError
        A loss is NaN or infinite.
    """
    import torch

    tokens = scored.tokens
    targets = dict(zip(_keys(tokens), scored.targets, strict=True))
    losses = np.zeros((tokens.n_languages, tokens.n_units))
    for texts in batches(tokens.texts, token_budget=token_budget):
        which = [int(set_of_unit[text.unit]) for text in texts]
        with torch.inference_mode(), zeroed(subject, sets, which):
            found = _batch_losses(subject, texts, [targets[t.language, t.unit] for t in texts])
        for text, loss in zip(texts, found, strict=True):
            losses[text.language, text.unit] = loss
        advance(sum(len(text.ids) for text in texts))
    if not np.isfinite(losses).all():
        language, unit = (int(k) for k in np.argwhere(~np.isfinite(losses))[0])
        msg = (
            f"the loss of unit {tokens.units[unit]!r} in {tokens.languages[language]!r} is "
            "not finite. Load the subject in float32."
        )
        raise NumericalError(msg)
    return losses


def _keys(tokens: TokenizedCorpus) -> list[tuple[int, int]]:
    return [(text.language, text.unit) for text in tokens.texts]


def _batch_losses(
    subject: Subject, texts: Sequence[TokenizedText], targets: Sequence[Sequence[int]]
) -> np.ndarray:
    """Sum of the losses of every text of a batch."""
    import torch

    hidden = _last_block(subject, texts)
    rows = [row for row, positions in enumerate(targets) for _ in positions]
    before = [position - 1 for positions in targets for position in positions]
    ids = [
        text.ids[position]
        for text, positions in zip(texts, targets, strict=True)
        for position in positions
    ]
    if not rows:
        return np.zeros(len(texts))
    chosen = hidden[torch.tensor(rows), torch.tensor(before)]
    losses = _token_losses(subject, chosen, torch.tensor(ids, device=chosen.device))
    return np.bincount(rows, weights=losses, minlength=len(texts))


def _last_block(subject: Subject, texts: Sequence[TokenizedText]) -> Tensor:
    """Output of the last block, (text, position, width); padding on the right."""
    kept: list[Tensor] = []
    inputs = pad_batch(subject, [text.ids for text in texts])
    site = Site(subject.anatomy.n_blocks - 1, "resid_post")
    open_backend("hooks", subject).run(inputs, [site], lambda _, hidden: kept.append(hidden))
    return kept[0]


def _token_losses(subject: Subject, hidden: Tensor, ids: Tensor) -> np.ndarray:
    """``−ln softmax(logits)[id]`` of every row, in float32, a piece of the rows at a time."""
    import torch

    width = int(subject.model.get_submodule(subject.anatomy.head[-1]).weight.shape[0])
    at_once = max(1, LOGIT_BYTES // (4 * width))
    pieces = zip(torch.split(hidden, at_once), torch.split(ids, at_once), strict=True)
    found = [
        torch.nn.functional.cross_entropy(subject.logits(rows).float(), target, reduction="none")
        for rows, target in pieces
    ]
    return torch.cat(found).double().cpu().numpy()
