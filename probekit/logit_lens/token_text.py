"""What a token says: its text, and that text made visible in a table.

Two tokens may look alike (a byte of a letter, a space): tables show the text, results keep the id.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from probekit.logit_lens.words import byte_alphabet

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def token_texts(tokenizer: Any, ids: Iterable[int] | None = None) -> list[str]:
    """Text of each token alone, space marks as spaces; of the whole vocabulary if not said.

    A token of broken UTF-8 shows ``�`` for what is missing; an id beyond the tokenizer's own
    (models pad their vocabulary) shows its number.
    """
    size = len(tokenizer)
    wanted = list(range(size) if ids is None else ids)
    pieces = tokenizer.convert_ids_to_tokens([number for number in wanted if number < size])
    scheme = _scheme(tokenizer)
    special = set(tokenizer.all_special_ids)
    found = iter(pieces)
    texts = []
    for number in wanted:
        piece = next(found) if number < size else None
        if piece is None:
            texts.append(f"<{number}>")
        else:
            texts.append(piece if number in special else _plain(piece, scheme))
    return texts


def _scheme(tokenizer: Any) -> str:
    """How a vocabulary is written, which shows in how it spells a space; see ``words.Spelling``."""
    pieces = tokenizer.tokenize("a a")
    if any(piece.startswith("Ġ") for piece in pieces):
        return "bytes"
    return "mark" if any(piece.startswith("▁") for piece in pieces) else "plain"


def _plain(piece: str, scheme: str) -> str:
    if scheme == "mark":
        return piece.replace("▁", " ")
    if scheme == "plain":
        return piece.removeprefix("##")
    try:
        return bytes(_byte_of()[character] for character in piece).decode(errors="replace")
    except KeyError:  # an added token, which is plain text
        return piece


@lru_cache(maxsize=1)
def _byte_of() -> dict[str, int]:
    return {character: number for number, character in enumerate(byte_alphabet())}


def visible(text: str) -> str:
    """Text of a token with every space, line end and unprintable character shown."""
    shown = "".join(_SIGNS.get(c, c if c.isprintable() else _escaped(c)) for c in text)
    # a mark without its letter would sit on whatever is printed before it
    bare = bool(shown) and unicodedata.category(shown[0])[0] == "M"
    return f"◌{shown}" if bare else shown or "∅"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
