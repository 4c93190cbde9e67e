"""Small parallel corpora of made-up words, the same for the same seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from probekit.corpora import ParallelCorpus

if TYPE_CHECKING:
    from collections.abc import Sequence

LANGUAGES = ("en", "de", "sw")


def parallel(
    n_units: int = 12, languages: Sequence[str] = LANGUAGES, *, seed: int = 0, most_words: int = 6
) -> ParallelCorpus:
    """Units of one to ``most_words`` words; a unit shares its number, a language its letters."""
    draw = random.Random(seed)
    letters = {
        code: "".join(draw.sample("abcdefghijklmnopqrstuvwxyzäöüß", 8)) for code in languages
    }
    texts: dict[str, list[str]] = {code: [] for code in languages}
    for unit in range(n_units):
        for code in languages:
            words = [
                "".join(draw.choices(letters[code], k=draw.randint(1, 7)))
                for _ in range(draw.randint(1, most_words))
            ]
            texts[code].append(" ".join([str(unit), *words]))
    return ParallelCorpus(
        name="made-up",
        units=tuple(f"u{unit}" for unit in range(n_units)),
        texts={code: tuple(column) for code, column in texts.items()},
        labels={"half": tuple("ab"[2 * unit // n_units] for unit in range(n_units))},
    )
