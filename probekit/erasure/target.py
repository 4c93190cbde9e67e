"""From a selection to the tensors that may move, and everything that can be wrong with it.

Names are the truth: blocks follow from them. Costs one pass over the model's names, and one over
its weights where the selection says which weights it was made for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probekit.errors import InputError, RuleError
from probekit.selection.exporters import load_selection
from probekit.selection.exporters.reading import check_document
from probekit.selection.exporters.target import split_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from probekit.models import Subject

LEAVES = ("", ".weight", ".bias")


@dataclass(frozen=True)
class Target:
    """Tensors that may move.

    Attributes
    ----------
    names
        Exact names, in the selection's order.
    read_layer
        Block whose output RMU reads; None where none was chosen.
    kind
        Where the names came from: ``selection``, ``all_layers`` or a control.
    tied
        Other names of the same tensors (an unembedding tied to an embedding): they move as well.
    """

    names: tuple[str, ...]
    read_layer: int | None = None
    kind: str = "selection"
    tied: tuple[str, ...] = ()

    def blocks(self, subject: Subject) -> tuple[int, ...]:
        """Blocks that hold a named tensor, ascending."""
        path = subject.anatomy.blocks
        found = {split_name(name, path)[0] for name in self.names}
        return tuple(sorted(block for block in found if block is not None))

    def first_block(self, subject: Subject) -> int | None:
        """Shallowest block that moves; None when something outside the blocks does."""
        path = subject.anatomy.blocks
        if any(split_name(name, path)[0] is None for name in self.names):
            return None
        return min(self.blocks(subject))


def target_of(
    subject: Subject,
    selection: Any,
    *,
    check_weights: bool = True,
    allow_tied: bool = False,
) -> Target:
    """Target of a selection: a file, a document, a LayerSelection or a Target; None: every block.

    Parameters
    ----------
    subject
        The model that will change.
    selection
        What to change.
    check_weights
        Refuse a selection that was made for other weights than these.
    allow_tied
        Move an unembedding together with the embedding that it is tied to.

    Raises
    ------
    RuleError
        An empty region, no names, or a selection of another model.
    InputError
        A name that is tied to another tensor, or a tensor that cannot be trained.
    """
    if selection is None:
        return every_block(subject)
    if not isinstance(selection, Target):
        document = document_of(selection)
        _check_model(subject, document, check_weights=check_weights)
        chosen = document["selection"]
        selection = Target(tuple(document["parameters"]["names"]), chosen["read_layer"])
    return _checked(subject, selection, allow_tied=allow_tied)


def document_of(selection: Any) -> dict[str, Any]:
    """Document of a selection file, of a LayerSelection, or as it is; checked."""
    if isinstance(selection, (str, os.PathLike)):
        return load_selection(selection)
    document = selection.to_document() if hasattr(selection, "to_document") else dict(selection)
    check_document(document)
    return dict(document)


def every_block(subject: Subject) -> Target:
    """Every tensor under the blocks: the baseline. Embedding and unembedding stay."""
    prefix = f"{subject.anatomy.blocks}."
    names = tuple(n for n, _ in subject.model.named_parameters() if n.startswith(prefix))
    return Target(names, subject.anatomy.n_blocks - 1, kind="all_layers")


def role_names(subject: Subject, document: Mapping[str, Any], layers: Sequence[int]) -> list[str]:
    """Tensors of the selection's roles in other blocks."""
    has = {name for name, _ in subject.model.named_parameters()}
    model, roles = document["model"], document["selection"].get("roles", [])
    stems = [
        f"{model['layers_path']}.{layer}.{model['roles'][role]}"
        for layer in layers
        for role in roles
        if role in model["roles"]
    ]
    return [stem + leaf for stem in stems for leaf in LEAVES if stem + leaf in has]


def _check_model(subject: Subject, document: Mapping[str, Any], *, check_weights: bool) -> None:
    model, chosen = document["model"], document["selection"]
    names = document["parameters"]["names"]
    if not chosen["region"] or not names:
        msg = (
            f"selection of {model['id']} has an empty region or names no tensor "
            f"({chosen.get('status', 'no status')}): there is nothing to move. Its reasons say "
            "why; give a run whose evidence carries a region."
        )
        raise RuleError(msg)
    own = {name: tensor.numel() for name, tensor in subject.model.named_parameters()}
    tied = _other_names(subject.model)
    missing = [name for name in names if name not in own and name not in tied]
    sizes = sum(own.get(name, 0) for name in names)
    what = ""
    if missing:
        what = f"{len(missing)} of its {len(names)} tensors do not exist (first: {missing[0]})"
    elif model["n_layers"] != subject.anatomy.n_blocks:
        what = f"it has {subject.anatomy.n_blocks} blocks, not {model['n_layers']}"
    elif not any(name in tied for name in names) and sizes != document["parameters"]["numel"]:
        what = f"the tensors hold {sizes:,} elements, not {document['parameters']['numel']:,}"
    elif check_weights and model.get("state_sha256", subject.state_sha256) != subject.state_sha256:
        what = (
            f"the weights are others (sha256 {subject.state_sha256[:12]}…, not "
            f"{model['state_sha256'][:12]}…), which check_weights=False (--other-weights) permits"
        )
    if what:
        msg = (
            f"selection was made for another model ({model['id']}) than {subject.source!r}: "
            f"{what}. Give its own model, or select again on this one."
        )
        raise RuleError(msg)


def _checked(subject: Subject, target: Target, *, allow_tied: bool) -> Target:
    own = dict(subject.model.named_parameters())
    tied = _other_names(subject.model)
    shared = {name: other for name in target.names for other in tied.get(name, ())}
    if shared and not allow_tied:
        name, other = next(iter(shared.items()))
        msg = (
            f"selection names {name}, which is one tensor with {other} (a tied head): both would "
            "move, and every language with them. Name other tensors, or say so with "
            "allow_tied=True (--allow-tied)."
        )
        raise InputError(msg)
    names = tuple(dict.fromkeys(_own_name(name, own, tied) for name in target.names))
    for name in names:
        if not own[name].is_floating_point():
            msg = (
                f"tensor {name} holds {own[name].dtype}, which no gradient can move. Load the "
                "model unquantised."
            )
            raise InputError(msg)
    others = {other for name in names for other in tied.get(name, ())}
    return Target(names, target.read_layer, target.kind, tuple(sorted(others - set(names))))


def _own_name(name: str, own: Mapping[str, Any], tied: Mapping[str, tuple[str, ...]]) -> str:
    """Name under which the model trains a tensor; a tied one has a second, which it does not."""
    if name in own:
        return name
    found = next((other for other in tied.get(name, ()) if other in own), None)
    if found is None:
        msg = f"model lacks tensor {name}. Give the selection that was made for this model."
        raise InputError(msg)
    return found


def _other_names(model: Any) -> dict[str, tuple[str, ...]]:
    """Every tensor with more than one name: name → its other names."""
    by_id: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        by_id.setdefault(id(parameter), []).append(name)
    return {
        name: tuple(other for other in names if other != name)
        for names in by_id.values()
        if len(names) > 1
        for name in names
    }


def require_read_layer(subject: Subject, target: Target) -> int:
    """Block that RMU reads.

    Raises
    ------
    InputError
        None chosen, not a block, or below a block that moves (it would get no gradient).
    """
    read, n_blocks = target.read_layer, subject.anatomy.n_blocks
    outside = [n for n in target.names if split_name(n, subject.anatomy.blocks)[0] is None]
    deepest = max(target.blocks(subject), default=-1)
    if read is None or not 0 <= read < n_blocks:
        msg = f"read_layer must be a block of 0 … {n_blocks - 1} for RMU. Got {read}; say which."
        raise InputError(msg)
    if read < deepest:
        msg = (
            f"read_layer must not lie below a block that moves: RMU's loss on the output of block "
            f"{read} gives block {deepest} no gradient. Read block {deepest} or deeper, or drop "
            "the deeper tensors."
        )
        raise InputError(msg)
    if outside:
        msg = (
            f"RMU moves tensors of blocks; the selection names {outside[0]}, which is in none. "
            "Drop it, or use another algorithm."
        )
        raise InputError(msg)
    return read
