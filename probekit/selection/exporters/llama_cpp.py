"""llama.cpp: ``--control-vector-layer-range START END``, one run of blocks, both ends included.

Block 0 never has a direction, and a start or end of 0 or less means the first or last possible
one. Rule: ``llama_adapter_cvec`` in ``src/llama-adapter.cpp`` and ``common/common.cpp``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.selection.blocks import runs_of
from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.repeng import scale_note

if TYPE_CHECKING:
    from probekit.selection.exporters.target import Target


def selected(start: int, end: int, *, n_layers: int) -> tuple[int, ...]:
    """Blocks that a control vector is added to."""
    first = 1 if start <= 0 else start
    last = n_layers if end <= 0 else end
    return tuple(block for block in range(1, n_layers) if first <= block <= last)


def write(target: Target) -> Draft:
    """Command line over the region, or over its longest run without block 0."""
    runs = runs_of(block for block in target.region if block > 0)
    if not runs:
        return Draft("", (), nearest="llama.cpp steers no block 0; --to steering-vectors does")
    run = max(runs, key=len)
    text = (
        'llama-cli -m "$MODEL_GGUF" \\\n'
        "  --control-vector vector.gguf \\\n"
        f"  --control-vector-layer-range {run[0]} {run[-1]}\n"
    )
    picked = selected(run[0], run[-1], n_layers=target.n_layers)
    return Draft(
        text=text,
        selects=tuple(target.block(block) for block in picked),
        nearest=(
            "one run of blocks without block 0; a vector file that has directions for the region "
            "only leaves the other blocks of a wider range as they are"
        ),
        notes=(scale_note(target),),
    )


DIALECT = Dialect(
    name="llama-cpp",
    description="llama.cpp: control vector over one run of blocks",
    filename="llama_cpp.sh",
    format="gguf-cli",
    tested="llama.cpp 0650ea8",
    write=write,
    acts_on="blocks",
)
