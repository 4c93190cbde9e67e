"""steering-vectors: a list of layers, counted along a template of module names.

The template is written out: guessed, it takes the shortest path that repeats most often, which in
a model with a deeper second tower is that tower's. Rule: ``collect_matching_layers`` in
``steering_vectors/layer_matching.py``.
"""

from __future__ import annotations

from itertools import count, takewhile
from typing import TYPE_CHECKING

from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.repeng import scale_note

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from probekit.selection.exporters.target import Target

_STEER = """\
from steering_vectors import train_steering_vector

BLOCKS = {blocks}
LAYER_CONFIG = {{"decoder_block": "{template}"}}
vector = train_steering_vector(
    model, tokenizer, samples, layers=BLOCKS, layer_config=LAYER_CONFIG
)
with vector.apply(model, layer_config=LAYER_CONFIG):
    ...
"""


def selected(layers: Iterable[int], template: str, modules: Collection[str]) -> tuple[str, ...]:
    """Blocks that are steered: counted from 0 up to the first number that names no module."""
    there = set(modules)
    paths = (template.format(num=number) for number in count())
    matching = list(takewhile(lambda path: path in there, paths))
    wanted = set(layers)
    n = len(matching)
    return tuple(p for i, p in enumerate(matching) if i in wanted or i - n in wanted)


def write(target: Target) -> Draft:
    """Python that trains and applies a steering vector on the region's blocks."""
    template = f"{target.layers_path}.{{num}}"
    return Draft(
        text=_STEER.format(blocks=list(target.region), template=template),
        selects=selected(target.region, template, target.all_modules),
        notes=(scale_note(target),),
    )


DIALECT = Dialect(
    name="steering-vectors",
    description="steering-vectors: steering vector on the region's blocks",
    filename="steering_selection.py",
    format="python",
    tested="steering-vectors 0.12.2",
    write=write,
    acts_on="blocks",
)
