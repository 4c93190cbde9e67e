"""ms-swift: everything frozen, then ``trainable_parameters_regex`` by ``re.search``.

Without anchors a search finds its pattern inside other names; and a pattern that does not compile
is only a warning there. Rule: ``activate_parameters`` in ``swift/utils/transformers_utils.py``.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.patterns import exact_patterns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probekit.selection.exporters.target import Target


def selected(pattern: str, names: Iterable[str]) -> tuple[str, ...]:
    """Tensors that become trainable again after ``freeze_parameters_ratio 1``."""
    return tuple(name for name in names if re.search(pattern, name))


def write(target: Target) -> Draft:
    """Arguments of ``swift sft`` with one anchored pattern."""
    pieces = exact_patterns(target.names, layers_path=target.layers_path)
    pattern = f"^(?:{'|'.join(pieces)})$"
    text = (
        "swift sft \\\n"
        '  --model "$MODEL" \\\n'
        "  --tuner_type full \\\n"
        "  --freeze_parameters_ratio 1 \\\n"
        f"  --trainable_parameters_regex {shlex.quote(pattern)}\n"
    )
    return Draft(
        text=text,
        selects=selected(pattern, target.universe),
        notes=("before ms-swift 4 the flag is --train_type full",),
    )


DIALECT = Dialect(
    name="ms-swift",
    description="ms-swift: freeze all, then one anchored pattern",
    filename="swift.sh",
    format="cli",
    tested="ms-swift 4.6.0",
    write=write,
)
