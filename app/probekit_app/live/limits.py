"""What the live lens accepts: every bound in one place, and the check of a request.

A request is small and a grid is not: 19 layers × 300 tokens are as many cells as a browser lays out
without a wait.
"""

from __future__ import annotations

from typing import Any

from probekit.errors import InputError

LONGEST_TEXT = 1000
MOST_TEXTS = 6
#: Cells (layers × tokens) of one grid.
MOST_CELLS = 6000
#: Tokens kept of a cell.
TOP = 5
#: Requests that may wait while one is read.
MOST_WAITING = 8
#: Seconds that one request may take, and that loading the model may take.
TIME_LIMIT, LOAD_LIMIT = 120.0, 900.0


def checked_texts(request: Any) -> tuple[str, ...]:
    """The texts of a request, empty lines left out.

    Parameters
    ----------
    request
        ``{"texts": [...]}`` as it came, so anything.

    Raises
    ------
    InputError
        It has no text, too many, or one that is too long.
    """
    texts = request.get("texts") if isinstance(request, dict) else None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        msg = 'a request must be {"texts": ["…"]}. Send such an object.'
        raise InputError(msg)
    kept = tuple(whole(text) for text in texts if text.strip())
    if not kept:
        msg = "texts must not be empty. Type what the model is to read, one text a line."
        raise InputError(msg)
    if len(kept) > MOST_TEXTS:
        msg = f"texts must be at most {MOST_TEXTS}, one a line. Got {len(kept)}. Take fewer."
        raise InputError(msg)
    longest = max(kept, key=len)
    if len(longest) > LONGEST_TEXT:
        msg = (
            f"a text must have at most {LONGEST_TEXT:,} characters. Got {len(longest):,}. "
            "Shorten it."
        )
        raise InputError(msg)
    return kept


def whole(text: str) -> str:
    """A text without halves of characters (lone surrogates), which no tokenizer reads."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
