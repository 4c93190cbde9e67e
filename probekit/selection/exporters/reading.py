"""A selection document from a file, checked: schema, hash of its names, and their characters.

Reads one file of some kilobytes; the schema is compiled once per process.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.errors import RuleError
from probekit.selection.parameters import names_sha256
from probekit.selection.schema import validate_document

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

#: What a tensor or module may be called here: nothing that a shell, YAML or a regex could mistake.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.\-]+")

_REMEDY = "Give a file written by 'probekit select'."


def load_selection(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Document of a selection file, valid under ``layer-selection/1`` and true to its own hash.

    Raises
    ------
    RuleError
        No such file, not JSON, not a selection, or names that do not give the hash beside them.
    """
    file = Path(path)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"selection {str(file)!r} cannot be read ({error.strerror}). {_REMEDY}"
        raise RuleError(msg) from error
    except ValueError as error:
        msg = f"selection {str(file)!r} is not JSON ({error}). {_REMEDY}"
        raise RuleError(msg) from error
    check_document(document)
    return dict(document)


def check_document(document: Mapping[str, Any]) -> None:
    """Check a document's schema, then its names.

    Raises
    ------
    RuleError
        The first thing that is wrong.
    """
    validate_document(document)
    check_names(document)


def check_names(document: Mapping[str, Any]) -> None:
    """Check that a valid document's names give their hash, differ, and are plain.

    Raises
    ------
    RuleError
        The first thing that is wrong.
    """
    parameters = document["parameters"]
    names = parameters["names"]
    if parameters["names_sha256"] != names_sha256(names) or parameters["count"] != len(names):
        msg = (
            f"parameters.names must give parameters.names_sha256. Got {len(names)} names with "
            f"another hash instead; the selection was edited: make it again with 'probekit select'."
        )
        raise RuleError(msg)
    if len(set(names)) != len(names):
        msg = (
            "parameters.names must be distinct. Got one twice instead; make the selection again "
            "with 'probekit select'."
        )
        raise RuleError(msg)
    model = document["model"]
    optional = (model.get("final_norm"), model.get("lm_head"))
    for name in (*names, model["layers_path"], *model["roles"].values(), *filter(None, optional)):
        if not PLAIN_NAME.fullmatch(name):
            msg = (
                f"names in a selection must be letters, digits, '_', '-' and '.'. Got {name!r} "
                "instead; no trainer's pattern can hold it safely."
            )
            raise RuleError(msg)
