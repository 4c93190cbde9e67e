"""Regular expressions that accept exactly some names, whatever else a model holds.

Blocks that share the same tensors form one product ``blocks × tails``; each product becomes one
pattern, so no pattern reaches a name that was not given. One pass over the names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from probekit.selection.exporters.target import split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def exact_patterns(
    names: Iterable[str], *, layers_path: str, escape: Callable[[str], str] = re.escape
) -> tuple[str, ...]:
    r"""Patterns without anchors whose ``re.fullmatch`` accepts the names and nothing else.

    Parameters
    ----------
    names : iterable of str
        Tensor or module names.
    layers_path : str
        Where the blocks are: ``model.layers`` gives ``model\.layers\.(5|7)\.mlp\.down_proj``.
    escape : callable
        How a literal piece is written; ``str`` where the tool escapes dots itself.
    """
    tails: dict[int, list[str]] = {}
    loose: list[str] = []
    for name in dict.fromkeys(names):
        block, tail = split_name(name, layers_path)
        if block is None:
            loose.append(name)
        else:
            tails.setdefault(block, []).append(tail)
    groups: dict[tuple[str, ...], list[int]] = {}
    for block, found in tails.items():
        groups.setdefault(tuple(found), []).append(block)
    stem, dot = escape(f"{layers_path}."), escape(".")
    products = [
        stem
        + any_of(str(block) for block in sorted(blocks))
        + dot
        + any_of(escape(tail) for tail in found)
        for found, blocks in groups.items()
    ]
    return (*products, *(escape(name) for name in loose))


def any_of(parts: Iterable[str]) -> str:
    """``(a|b)``, or the part itself when there is one."""
    listed = list(parts)
    return listed[0] if len(listed) == 1 else f"({'|'.join(listed)})"
