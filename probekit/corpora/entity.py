"""A named entity in one text. A plain record; costs nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entity:
    """A named entity in one text; ``text[start:end]`` in code points, end exclusive."""

    start: int
    end: int
    kind: str
    text: str
