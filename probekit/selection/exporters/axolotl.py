r"""axolotl's ``unfrozen_parameters``: ``re.match`` after two rewritings of the pattern.

A trailing ``[a:b]`` is cut off and taken for a range of rows, and every dot becomes a literal one.
So an escaped pattern matches nothing, and one that ends in ``[57]`` unfreezes every layer.
Rule: ``axolotl/utils/freeze.py``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.patterns import exact_patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probekit.selection.exporters.target import Target

_RANGE = re.compile(r"^(.+)\[([0-9]*)(?::([0-9]*))?\]$")


def compiled(pattern: str) -> re.Pattern[str]:
    """Pattern as axolotl reads it; a range of rows is dropped, since it selects no tensor."""
    cut = _RANGE.match(pattern)
    return re.compile(re.sub(r"\.(?!\+)", r"\\.", cut[1] if cut else pattern))


def selected(patterns: Sequence[str], names: Iterable[str]) -> tuple[str, ...]:
    """Tensors that stay unfrozen."""
    rules = [compiled(pattern) for pattern in patterns]
    return tuple(name for name in names if any(rule.match(name) for rule in rules))


def write(target: Target) -> Draft:
    """``unfrozen_parameters`` with plain dots, anchored at both ends."""
    pieces = exact_patterns(target.names, layers_path=target.layers_path, escape=str)
    patterns = [f"^{piece}$" for piece in pieces]
    return Draft(
        text=yaml.safe_dump({"unfrozen_parameters": patterns}, sort_keys=False, width=10_000),
        selects=selected(patterns, target.universe),
        notes=("for full fine-tuning: leave adapter out of the config",),
    )


DIALECT = Dialect(
    name="axolotl",
    description="axolotl: unfrozen_parameters for full fine-tuning",
    filename="axolotl_selection.yaml",
    format="yaml",
    tested="axolotl 0.19.0",
    write=write,
)
