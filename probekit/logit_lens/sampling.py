"""Which positions of a corpus the lens looks at, fixed by a seed before the pass.

A position's choice depends on the seed, its text and the corpus alone, not on shards or batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probekit.capture.tokens import TokenizedCorpus, TokenizedText

_POSITIONS, _FLOOR = 11, 12  # separate random streams from one seed

Place = tuple[int, int]


@dataclass(frozen=True)
class Sample:
    """Positions that are read.

    Attributes
    ----------
    positions
        (unit, language) → positions of that text, ascending; texts without one are left out.
    floor
        (unit, language, position) that have a random companion: the chance level.
    next_token
        Whether the true token of a position is the next one; else it is the token itself.
    """

    positions: Mapping[Place, tuple[int, ...]]
    floor: frozenset[tuple[int, int, int]]
    next_token: bool

    def truth(self, text: TokenizedText, position: int) -> int:
        """Id of the true token of a position."""
        return text.ids[position + 1 if self.next_token else position]

    def n_positions(self, n_languages: int) -> np.ndarray:
        """Positions in each language, array (n_languages,)."""
        counts = np.zeros(n_languages, dtype=np.int64)
        for (_, language), chosen in self.positions.items():
            counts[language] += len(chosen)
        return counts


def eligible(text: TokenizedText, *, next_token: bool) -> tuple[int, ...]:
    """Content positions that have a true token: all, or those followed by content."""
    if not next_token:
        return text.content
    content = set(text.content)
    return tuple(position for position in text.content if position + 1 in content)


def texts_with_positions(tokens: TokenizedCorpus, *, next_token: bool) -> np.ndarray:
    """Texts of each language that have an eligible position, array (n_languages,)."""
    counts = np.zeros(tokens.n_languages, dtype=np.int64)
    for text in tokens.texts:
        counts[text.language] += bool(eligible(text, next_token=next_token))
    return counts


def sample_positions(
    tokens: TokenizedCorpus,
    *,
    per_language: int | Literal["all"],
    next_token: bool,
    n_floor: int,
    seed: int,
) -> Sample:
    """Draw positions, text by text in a random order: each text gives one before any gives two.

    Parameters
    ----------
    tokens
        The corpus as the model reads it.
    per_language
        Positions of each language (fewer where it has fewer), or ``all``.
    next_token
        Whether the truth is the next token (causal models) or the token itself (masked ones).
    n_floor
        Positions, over all languages, that get a random companion.
    seed
        The same seed gives the same positions on every machine.
    """
    chosen: list[tuple[int, int, int]] = []
    for language in range(tokens.n_languages):
        rng = np.random.default_rng([seed, _POSITIONS, language])
        order = rng.permutation(tokens.n_units)
        queues = []
        for unit in order:
            text = tokens.texts[int(unit) * tokens.n_languages + language]
            places = eligible(text, next_token=next_token)
            queues.append([(int(unit), language, int(p)) for p in rng.permutation(places)])
        rounds = range(max((len(queue) for queue in queues), default=0))
        drawn = [queue[turn] for turn in rounds for queue in queues if turn < len(queue)]
        chosen += drawn if per_language == "all" else drawn[:per_language]
    positions: dict[Place, list[int]] = {}
    for unit, language, position in sorted(chosen):
        positions.setdefault((unit, language), []).append(position)
    rng = np.random.default_rng([seed, _FLOOR])
    picked = rng.permutation(len(chosen))[:n_floor]
    return Sample(
        {place: tuple(found) for place, found in positions.items()},
        frozenset(chosen[int(at)] for at in picked),
        next_token,
    )


def random_direction(
    shape: tuple[int, int], place: tuple[int, int, int], *, seed: int
) -> np.ndarray:
    """Unit vectors (layer, d_model) in random directions, the same for the same place and seed."""
    rng = np.random.default_rng([seed, _FLOOR, *place])
    drawn = rng.standard_normal(shape)
    unit: np.ndarray = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return unit
