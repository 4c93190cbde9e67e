"""Only the tensors that moved: a small file that turns the base model into the erased one.

Costs the moved tensors on disk and in memory; everything else is shared with the base.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.errors import ModelError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from probekit.models import Subject

DELTA = "delta.safetensors"
RECORD = "erasure.json"


def write_delta(subject: Subject, names: Sequence[str], folder: Path) -> None:
    """Write the named tensors of a subject to ``delta.safetensors``."""
    from safetensors.torch import save_file

    own = dict(subject.model.named_parameters())
    tensors = {name: own[name].detach().cpu().contiguous() for name in names}
    save_file(tensors, folder / DELTA, metadata={"format": "pt"})


def apply_delta(base: Subject, delta: str | os.PathLike[str]) -> Subject:
    """Subject with the tensors of a delta in the place of its own; ``base`` stays as it is.

    Parameters
    ----------
    base
        The model that the delta was made from.
    delta
        Folder with ``delta.safetensors`` and ``erasure.json``.

    Raises
    ------
    ModelError
        No delta there, or one of another base: hashes before must be those of ``base``, hashes
        after those of the file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from probekit.erasure.contract import tensor_sha256
    from probekit.erasure.working_copy import put, require_names, working_copy

    folder = Path(delta)
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        tensors = load_file(folder / DELTA)
    except (OSError, ValueError, SafetensorError) as error:
        msg = (
            f"delta {str(folder)!r} cannot be read: it needs {DELTA} and {RECORD}, as written by "
            "'probekit sweep' or erase(delta=True). Give such a folder."
        )
        raise ModelError(msg) from error
    require_names(base, tuple(tensors))
    own = dict(base.model.named_parameters())
    for name, tensor in tensors.items():
        before, after = record["tensors"][name]
        if tensor_sha256(own[name]) != before or tensor_sha256(tensor) != after:
            msg = (
                f"delta {str(folder)!r} was made from another model than {base.source!r}, or was "
                f"changed since: tensor {name} has another hash. Give its own base."
            )
            raise ModelError(msg)
    made = working_copy(base, tuple(tensors))
    put(made, tensors)
    made.model.requires_grad_(requires_grad=False)
    return replace(made, source=str(folder))
