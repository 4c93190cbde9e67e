"""The ``frameworks`` of a document: every trainer's snippet, or why there is none.

Some milliseconds for all eleven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.errors import RuleError
from probekit.selection.exporters.export import DIALECTS, export_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def frameworks_of(
    document: Mapping[str, Any], names: Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """Entry by trainer; empty without a region, or without tensor names.

    A snippet that selects other tensors than the selection is there, with ``expressible: false``
    and the nearest thing in its note; so is a trainer that refuses, with its reason.

    Parameters
    ----------
    document : mapping
        A selection's document, its ``frameworks`` not yet filled.
    names : sequence of str, optional
        All tensor names of the model, in its own order.
    """
    if not document["selection"]["region"] or not document["parameters"]["names"]:
        return {}
    found = {}
    for name, dialect in DIALECTS.items():
        try:
            found[name] = export_document(document, name, names=names).to_framework()
        except RuleError as error:
            found[name] = {
                "format": dialect.format,
                "file": dialect.filename,
                "content": "",
                "tested_version": dialect.tested,
                "selects_sha256": None,
                "expressible": False,
                "note": str(error),
            }
    return found
