"""transformers' Trainer and TRL: ``requires_grad`` by exact name, before the optimizer is made.

Trainer builds its optimizer from what requires a gradient, so the loop must come first. The
snippet raises when a name is not found: a renamed tensor would otherwise silently stay frozen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.selection.exporters.draft import Dialect, Draft

if TYPE_CHECKING:
    from probekit.selection.exporters.target import Target

_LOOP = '''

def train_only_selection(model):
    """Freeze every tensor but TRAINABLE; call before the optimizer is made."""
    found = set()
    for name, parameter in model.named_parameters():
        chosen = name in TRAINABLE
        parameter.requires_grad_(chosen)
        if chosen:
            found.add(name)
    missing = sorted(TRAINABLE - found)
    if missing:
        raise ValueError(f"the model lacks {len(missing)} selected tensors: {missing[:3]}")


train_only_selection(model)  # before Trainer(model=model, ...) or SFTTrainer(model=model, ...)
'''


def write(target: Target) -> Draft:
    """Python that freezes all but the selection."""
    listed = "\n".join(f"    {name!r}," for name in target.names)
    return Draft(
        text=f"TRAINABLE = {{\n{listed}\n}}\n{_LOOP}",
        selects=target.in_universe(target.names),
        notes=("a PEFT config given to the same trainer would freeze these tensors again",),
    )


DIALECT = Dialect(
    name="trainer",
    description="transformers Trainer, TRL: requires_grad by name",
    filename="train_only_selection.py",
    format="python",
    tested="transformers 5.23.0",
    write=write,
)
