"""Names of runs that a page may make: one folder, inside the folder of runs, not there yet."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from probekit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 80
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{LONGEST - 1}}}")


def is_name(text: str) -> bool:
    """Whether it is one folder's name: letters, digits, - _ and ., beginning with no sign."""
    return bool(_NAME.fullmatch(text)) and not text.endswith(".")


def checked_name(text: str, root: Path) -> str:
    """A name for a new run in a folder of runs.

    Raises
    ------
    InputError
        It has other signs, is too long, leads out of the folder, or is taken.
    """
    if not is_name(text):
        shown = f"{text[:40]!r}" + ("…" if len(text) > 40 else "")
        msg = (
            f"name must have 1 to {LONGEST} letters, digits, '-', '_' or '.', and begin with a "
            f"letter or digit. Got {shown} instead. Choose one such as 'gemma-en-sw'."
        )
        raise InputError(msg)
    place = root / text
    if os.path.lexists(place) or place.resolve().parent != root.resolve():
        msg = f"name must be new. Got {text!r}, which lies in the folder already. Choose another."
        raise InputError(msg)
    return text
