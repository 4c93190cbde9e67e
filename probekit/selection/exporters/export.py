"""``export``: a selection in a trainer's own words, and what that trainer selects by them.

Milliseconds: text, and the tool's matching rule over the model's tensor names.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from probekit.errors import RuleError
from probekit.selection.blocks import describe
from probekit.selection.document import LayerSelection
from probekit.selection.exporters import (
    axolotl,
    easyedit,
    llama_cpp,
    llama_factory,
    ms_swift,
    open_unlearning,
    peft,
    repeng,
    steering_vectors,
    trainer,
    wmdp,
)
from probekit.selection.exporters.draft import ActsOn, Dialect, Draft, Format
from probekit.selection.exporters.reading import check_document, check_names
from probekit.selection.exporters.target import Target, make_target, plain
from probekit.selection.parameters import names_sha256
from probekit.sites import depth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOMS = (
    open_unlearning,
    wmdp,
    peft,
    axolotl,
    ms_swift,
    trainer,
    easyedit,
    llama_factory,
    repeng,
    steering_vectors,
    llama_cpp,
)
DIALECTS: Mapping[str, Dialect] = MappingProxyType({r.DIALECT.name: r.DIALECT for r in _ROOMS})

#: Trainer → what is written for it.
EXPORTERS: Mapping[str, str] = MappingProxyType(
    {name: dialect.description for name, dialect in DIALECTS.items()}
)


@dataclass(frozen=True)
class Export:
    """A snippet for one tool.

    Attributes
    ----------
    to : str
        Name in :data:`EXPORTERS`.
    text : str
        The snippet, ready to copy. Where the selection is not expressible it is the nearest one,
        says so in its first line, and is empty when nothing comes near.
    filename, format
        What the tool would call it, and how it is written.
    expressible : bool
        Whether the tool, reading this, selects exactly what the selection names.
    nearest : str
        What the tool can do instead; empty when expressible.
    names : tuple of str
        What the tool selects under its own rule: tensors, or paths of blocks for steering tools.
    names_sha256 : str
        SHA-256 of the sorted names joined by a newline.
    acts_on : {"tensors", "blocks"}
        What the names are.
    tested : str
        Tool and version whose rule was applied.
    notes : tuple of str
        What its user should know.
    """

    to: str
    text: str
    filename: str
    format: Format
    expressible: bool
    nearest: str
    names: tuple[str, ...]
    names_sha256: str
    acts_on: ActsOn
    tested: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        return asdict(self) | {"names": list(self.names), "notes": list(self.notes)}

    def to_framework(self) -> dict[str, Any]:
        """Entry of a document's ``frameworks``; steering tools select no tensor, so no hash."""
        return {
            "format": self.format,
            "file": self.filename,
            "content": self.text,
            "tested_version": self.tested,
            "selects_sha256": self.names_sha256 if self.acts_on == "tensors" else None,
            "expressible": self.expressible,
            "note": ". ".join(part for part in (self.nearest, *self.notes) if part),
        }


def export(
    selection: LayerSelection | Mapping[str, Any], to: str, *, names: Sequence[str] | None = None
) -> Export:
    """Write a selection as a trainer's config, and apply the trainer's own rule to it.

    Parameters
    ----------
    selection : LayerSelection or mapping
        A selection, or its document (:func:`load_selection`).
    to : str
        A name in :data:`EXPORTERS`.
    names : sequence of str, optional
        All tensor names of the model, in its own order (:func:`check_model`). Without them the
        rule is applied to the selection's card, or to what its document implies of the model.

    Raises
    ------
    RuleError
        Unknown trainer; an empty region; tensors that the model does not have; a read layer below
        an update layer for RMU; ``wmdp`` without the model's own order of tensors.
    """
    if to not in DIALECTS:
        msg = f"to must be one of {', '.join(DIALECTS)}. Got {to!r} instead; pick one of them."
        raise RuleError(msg)
    if isinstance(selection, LayerSelection):
        document = selection.to_document(frameworks=False)
        known = tuple(selection.card.parameters) if selection.card and names is None else names
    else:
        document, known = dict(selection), names
        check_document(document)
    return export_document(document, to, names=known)


def export_document(document: Mapping[str, Any], to: str, *, names: Sequence[str] | None) -> Export:
    """:func:`export` of a valid document to a trainer that exists."""
    check_names(document)
    return _finish(make_target(document, names), DIALECTS[to], document=document)


def _finish(target: Target, dialect: Dialect, *, document: Mapping[str, Any]) -> Export:
    draft = dialect.write(target)
    wanted = target.names
    if dialect.acts_on == "blocks":
        wanted = tuple(target.block(block) for block in target.region)
    expressible = draft.faithful and set(draft.selects) == set(wanted)
    nearest = "" if expressible else _nearest(draft, set(wanted), dialect)
    notes = [*draft.notes]
    if document["selection"].get("status") == "unstable":
        notes.append("the region is unstable: resamples mostly give another one")
    heading = _heading(target, dialect, selects=draft.selects, nearest=nearest)
    return Export(
        to=dialect.name,
        text=heading + draft.text if draft.text else "",
        filename=dialect.filename,
        format=dialect.format,
        expressible=expressible,
        nearest=nearest,
        names=draft.selects,
        names_sha256=names_sha256(draft.selects),
        acts_on=dialect.acts_on,
        tested=dialect.tested,
        notes=tuple(notes),
    )


def _nearest(draft: Draft, wanted: set[str], dialect: Dialect) -> str:
    """Why the tool cannot do this, what it can do, and by how much that differs."""
    if not draft.text:
        return draft.nearest
    selects = set(draft.selects)
    more, fewer = len(selects - wanted), len(wanted - selects)
    differs = [
        part
        for part, n in ((f"{more} more", more), (f"{fewer} of {len(wanted)} missing", fewer))
        if n
    ]
    said = f" ({', '.join(differs)} {dialect.acts_on})" if differs else ""
    return f"{draft.nearest}{said}"


def _heading(target: Target, dialect: Dialect, *, selects: Sequence[str], nearest: str) -> str:
    """Comment lines above the snippet; every format here takes ``#``."""
    chosen = target.region if dialect.acts_on == "blocks" else target.blocks
    depths = [depth(block, target.n_layers) for block in (chosen[0], chosen[-1])] if chosen else []
    where = f" (depth {depths[0]:.3f} to {depths[1]:.3f})" if depths else ""
    lines = [
        f"probekit selection of {target.model_id}: blocks {describe(chosen)} of "
        f"{target.n_layers}{where}, read block {target.read_layer}",
        f"selects {len(selects)} {dialect.acts_on} under the rule of {dialect.tested}, "
        f"sha256 {names_sha256(selects)}",
    ]
    norms = [f"{b}: {plain(target.norms[b])}" for b in target.region if b in target.norms]
    if norms:
        lines.append(f"median activation norm by block: {', '.join(norms)}")
    if nearest:
        lines.insert(0, f"NOT EXPRESSIBLE in {dialect.name}: {nearest}")
    return "".join(f"# {line}\n" for line in lines)
