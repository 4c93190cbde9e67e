"""What an exporter may look at: a selection's tensors, its blocks, and the model's tensor names.

Built from a document in one pass over the names; no model is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from probekit.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from probekit.selection.blocks import Blocks

WEIGHT, BIAS = ".weight", ".bias"


@dataclass(frozen=True)
class Target:
    """A selection as exporters see it.

    Attributes
    ----------
    names : tuple of str
        Tensors that the snippet must select, no more and no fewer.
    universe : tuple of str
        Tensors that the tool would see in the model. Without a model: the selected tensors' kind
        in every block, which is what the document implies.
    complete, in_order : bool
        Whether the universe is the whole model, and whether it is in the model's own order.
    region, update_layers, read_layer
        Accepted blocks, those to change, and the one whose output an activation loss reads.
    norms : mapping of int to float
        Median norm of a block's output, where the document has it.
    """

    names: tuple[str, ...]
    universe: tuple[str, ...]
    complete: bool
    in_order: bool
    region: Blocks
    read_layer: int | None
    update_layers: Blocks
    n_layers: int
    layers_path: str
    model_id: str
    roles: Mapping[str, str] = field(default_factory=dict)
    final_norm: str | None = None
    lm_head: str | None = None
    norms: Mapping[int, float] = field(default_factory=dict)

    @cached_property
    def blocks(self) -> Blocks:
        """Blocks that hold a selected tensor, ascending."""
        found = (self.split(name)[0] for name in self.names)
        return tuple(sorted({block for block in found if block is not None}))

    @cached_property
    def tails(self) -> tuple[str, ...]:
        """Names of the selected tensors under their blocks, in order of appearance."""
        pairs = (self.split(name) for name in self.names)
        return tuple(dict.fromkeys(tail for block, tail in pairs if block is not None))

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """Modules that hold a selected ``weight``, in order of appearance."""
        return tuple(name.removesuffix(WEIGHT) for name in self.names if name.endswith(WEIGHT))

    @cached_property
    def all_modules(self) -> tuple[str, ...]:
        """Every module of the universe that holds a tensor, itself or below."""
        return modules_of(self.universe)

    def split(self, name: str) -> tuple[int | None, str]:
        """Block and name under it: ``(5, "mlp.down_proj.weight")``; no block: ``(None, name)``."""
        return split_name(name, self.layers_path)

    def block(self, layer: int) -> str:
        """Path of a block."""
        return f"{self.layers_path}.{layer}"

    def in_universe(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that exist, in the universe's order."""
        wanted = set(names)
        return tuple(name for name in self.universe if name in wanted)


def split_name(name: str, layers_path: str) -> tuple[int | None, str]:
    """Block and name under it, where ``layers_path`` holds the blocks."""
    rest = name.removeprefix(f"{layers_path}.")
    block, dot, tail = rest.partition(".")
    if rest == name or not dot or not block.isdecimal():
        return None, name
    return int(block), tail


def modules_of(names: Iterable[str]) -> tuple[str, ...]:
    """Paths of all modules above some tensors, each once, parents first."""
    found: dict[str, None] = {}
    for name in names:
        parts = name.split(".")[:-1]
        for depth in range(1, len(parts) + 1):
            found.setdefault(".".join(parts[:depth]))
    return tuple(found)


def make_target(document: Mapping[str, Any], names: Sequence[str] | None) -> Target:
    """Target of a checked document, over the model's tensor names where they are known.

    Raises
    ------
    RuleError
        An empty region, no tensor named, or names that the model does not have.
    """
    model, chosen = document["model"], document["selection"]
    wanted = tuple(document["parameters"]["names"])
    if not chosen["region"]:
        msg = (
            f"selection of {model['id']} has an empty region "
            f"({chosen.get('status', 'no status')}): there is nothing to export. Its reasons say "
            "why; give a run whose evidence carries a region."
        )
        raise RuleError(msg)
    if not wanted:
        msg = (
            f"selection of {model['id']} names no tensor. Make it from a run, or pass a model "
            "card to select."
        )
        raise RuleError(msg)
    universe = tuple(names) if names else _implied(wanted, model)
    missing = sorted(set(wanted) - set(universe))
    if missing:
        msg = (
            f"selection was made for another model: {len(missing)} of its {len(wanted)} tensors do "
            f"not exist (first: {missing[0]}). Give the selection of this model."
        )
        raise RuleError(msg)
    return Target(
        names=wanted,
        universe=universe,
        complete=bool(names),
        # a run's manifest sorts its keys; no model lists its tensors by the alphabet
        in_order=bool(names) and list(universe) != sorted(universe),
        region=tuple(sorted(chosen["region"])),
        read_layer=chosen["read_layer"],
        update_layers=tuple(chosen["update_layers"]),
        n_layers=model["n_layers"],
        layers_path=model["layers_path"],
        model_id=" ".join(model["id"].split()),
        roles=model["roles"],
        final_norm=model.get("final_norm"),
        lm_head=model.get("lm_head"),
        norms=_norms(document),
    )


def _implied(wanted: tuple[str, ...], model: Mapping[str, Any]) -> tuple[str, ...]:
    """Selected tensors, and their kind in every other block."""
    path = model["layers_path"]
    pairs = [split_name(name, path) for name in wanted]
    tails = dict.fromkeys(tail for block, tail in pairs if block is not None)
    others = [f"{path}.{block}.{tail}" for block in range(model["n_layers"]) for tail in tails]
    return tuple(dict.fromkeys((*others, *wanted)))


def _norms(document: Mapping[str, Any]) -> dict[int, float]:
    for metric in document["metrics"]:
        if metric["name"] == "act_norm_median":
            rows = metric["per_layer"]
            return {row["layer"]: row["value"] for row in rows if row["value"] is not None}
    return {}


def plain(value: float) -> str:
    """Four significant digits without an exponent: 10970, 0.1234."""
    return f"{float(f'{value:.4g}'):.12g}"
