"""The ``layer-selection/1`` JSON Schema that travels with the package, and the check against it.

The schema is read and compiled once per process; a check of one document takes milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from probekit.errors import RuleError

SCHEMA_FILE = "layer-selection.schema.json"


@cache
def load_schema() -> dict[str, Any]:
    """Read the schema as packaged."""
    text = files("probekit.selection").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load_schema())


def validate_document(document: Mapping[str, Any]) -> None:
    """Check a document against ``layer-selection/1`` and against JSON itself.

    Raises
    ------
    RuleError
        The first violation with its place, or a NaN or infinity, which JSON cannot hold.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(document))
    if error is not None:
        place = "/".join(str(part) for part in error.absolute_path) or "the top"
        msg = f"document must follow layer-selection/1. Got at {place}: {error.message[:200]}."
        raise RuleError(msg)
    try:
        json.dumps(document, allow_nan=False)
    except (TypeError, ValueError) as problem:
        msg = (
            f"document must be plain JSON. Got {problem} instead; write null for what is undefined."
        )
        raise RuleError(msg) from problem
