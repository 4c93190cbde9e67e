"""A tuned lens as one safetensors file that knows which model it belongs to.

Reading hashes the model's unembedding: about a second a gigabyte.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import ModelError, StorageError
from probekit.models.head import unembedding

if TYPE_CHECKING:
    import os

    import xarray as xr
    from torch import Tensor

    from probekit.logit_lens.tuned import TunedLens
    from probekit.models import Subject

FORMAT = "probekit tuned lens 1"
_KEY = "probekit"
_REPORT = "report."
_MAPS = ("matrix", "offset")


def unembedding_sha256(subject: Subject) -> str:
    """SHA-256 over type, shape and bytes of a subject's unembedding."""
    import torch

    weight = unembedding(subject).weight
    digest = hashlib.sha256(f"{weight.dtype}|{tuple(weight.shape)}\n".encode())
    for start in range(0, len(weight), 1 << 14):
        part = weight[start : start + (1 << 14)].cpu()
        digest.update(part.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write_lens(lens: TunedLens, path: str | os.PathLike[str]) -> Path:
    """Write maps, report and identity; whole or not at all.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    target = Path(path)
    scratch = target.with_name(f".{target.name}.partial")
    report, said = _pack(lens.report)
    tensors = {"matrix": lens.matrix, "offset": lens.offset, **report}
    identity = {
        "format": FORMAT,
        "unembedding_sha256": lens.unembedding_sha256,
        "n_blocks": lens.n_blocks,
        "d_model": lens.d_model,
        "report": said,
    }
    # one key: safetensors writes several in any order, and the same lens must be the same file
    metadata = {_KEY: json.dumps(identity, ensure_ascii=False)}
    try:
        save_file(tensors, scratch, metadata=metadata)
        scratch.replace(target)
    except (SafetensorError, OSError) as error:
        scratch.unlink(missing_ok=True)
        msg = f"lens cannot be written to {target} ({error}). Choose another path with -o."
        raise StorageError(msg) from error
    return target


def _pack(report: xr.Dataset) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Numbers as tensors, the rest as JSON."""
    import torch

    numbers = {name: v for name, v in report.variables.items() if v.dtype.kind in "fi"}
    tensors = {
        f"{_REPORT}{name}": torch.from_numpy(v.to_numpy().copy(order="C"))
        for name, v in numbers.items()
    }
    words = {n: v.to_numpy().tolist() for n, v in report.variables.items() if n not in numbers}
    return tensors, {
        "axes": {str(name): list(v.dims) for name, v in report.variables.items()},
        "coordinates": [str(name) for name in report.coords],
        "words": words,
        "attributes": dict(report.attrs),
    }


def read_lens(path: str | os.PathLike[str], subject: Subject) -> dict[str, Any]:
    """Fields of a :class:`TunedLens` of this subject.

    Raises
    ------
    ModelError
        No such file, not a tuned lens, or one of another model.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        msg = f"tuned lens {str(path)!r} is not a file. Make one with 'probekit tune-lens'."
        raise ModelError(msg)
    try:
        with safe_open(path, framework="pt") as file:
            identity = json.loads((file.metadata() or {}).get(_KEY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        msg = f"tuned lens {str(path)!r} cannot be read ({error}). Make it anew."
        raise ModelError(msg) from error
    _check_identity(path, identity, subject)
    fields: dict[str, Any] = {name: tensors[name] for name in _MAPS}
    fields["report"] = _unpack(tensors, identity["report"])
    fields["unembedding_sha256"] = identity["unembedding_sha256"]
    return fields


def _check_identity(
    path: str | os.PathLike[str], identity: dict[str, Any], subject: Subject
) -> None:
    if identity.get("format") != FORMAT:
        msg = f"{str(path)!r} is not a tuned lens of this version. Make one with 'tune-lens'."
        raise ModelError(msg)
    anatomy = subject.anatomy
    for name in ("n_blocks", "d_model"):
        has, needs = int(identity[name]), int(getattr(anatomy, name))
        if has != needs:
            msg = (
                f"tuned lens {str(path)!r} has {name} {has}, and {subject.source!r} has {needs}: "
                "it belongs to another model. Make one with 'tune-lens'."
            )
            raise ModelError(msg)
    if identity["unembedding_sha256"] != unembedding_sha256(subject):
        msg = (
            f"tuned lens {str(path)!r} was fitted for another unembedding than that of "
            f"{subject.source!r} (in {subject.dtype}). Load the model it was made with, in the "
            "same type, or make one with 'tune-lens'."
        )
        raise ModelError(msg)


def _unpack(tensors: dict[str, Tensor], said: dict[str, Any]) -> xr.Dataset:
    import xarray as xr

    values: dict[str, Any] = {
        name.removeprefix(_REPORT): tensor.numpy()
        for name, tensor in tensors.items()
        if name.startswith(_REPORT)
    }
    values |= {name: np.asarray(words) for name, words in said["words"].items()}
    variables = {name: (said["axes"][name], values[name]) for name in said["axes"]}
    dataset = xr.Dataset(variables, attrs=said["attributes"])
    return dataset.set_coords(said["coordinates"])
