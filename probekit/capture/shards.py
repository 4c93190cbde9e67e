"""Finished shards on disk: one file each, written atomically, its checksum inside.

A shard is a safetensors file whose header carries the fingerprint of the plan that made it and the
SHA-256 of the file (with zeros in the checksum's own place). A half-written, altered or foreign
file is not a shard: it is made again. Layers of large arrays are read without loading the rest.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from probekit.capture.observers import State
    from probekit.capture.tokens import ShardPlan

_MAGIC = "probekit-shard/1"
#: Stands where the checksum will be while the checksum is computed.
_BLANK = "0" * 64


@dataclass(frozen=True)
class ShardStore:
    """A folder of shards made under one plan.

    Attributes
    ----------
    folder
        Where the files lie; made when the first shard is written.
    fingerprint
        Identity of everything that decides the numbers; a shard of another one does not count.
    """

    folder: Path
    fingerprint: str

    def path(self, index: int) -> Path:
        """File of shard ``index``."""
        return self.folder / f"{index:06d}.safetensors"

    def write(
        self, shard: ShardPlan, states: Mapping[str, State], *, notes: Mapping[str, int]
    ) -> None:
        """Write the observers' states of one shard, whole or not at all.

        Raises
        ------
        StorageError
            The disk is full or the folder cannot be written; finished shards are kept.
        """
        from safetensors.numpy import save

        arrays = {
            f"{name}/{key}": np.ascontiguousarray(value)
            for name, state in states.items()
            for key, value in state.items()
        }
        header = {
            "format": _MAGIC,
            "fingerprint": self.fingerprint,
            "index": str(shard.index),
            "notes": json.dumps(dict(notes), sort_keys=True),
            "sha256": _BLANK,
        }
        content = save(arrays, metadata=header)
        content = content.replace(_BLANK.encode(), _checksum(content), 1)
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path(shard.index), content)

    def valid(self, shard: ShardPlan) -> bool:
        """Whether shard ``shard`` is finished and every byte of it is as written."""
        from safetensors import SafetensorError, safe_open

        path = self.path(shard.index)
        try:
            with safe_open(path, framework="numpy") as file:
                header = file.metadata() or {}
            content = path.read_bytes()
        except (SafetensorError, OSError):
            return False
        checksum = header.get("sha256", "").encode()
        return (
            header.get("format") == _MAGIC
            and header.get("fingerprint") == self.fingerprint
            and header.get("index") == str(shard.index)
            and len(checksum) == len(_BLANK)
            and _checksum(content.replace(checksum, _BLANK.encode(), 1)) == checksum
        )

    def read(self, shard: ShardPlan, observer: str) -> State:
        """State of one observer in one shard."""
        from safetensors import safe_open

        prefix = f"{observer}/"
        with safe_open(self.path(shard.index), framework="numpy") as file:
            return {
                name.removeprefix(prefix): file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118
                if name.startswith(prefix)
            }

    def shape(self, shard: ShardPlan, name: str) -> tuple[int, ...]:
        """Shape of array ``observer/key``, without reading it."""
        from safetensors import safe_open

        with safe_open(self.path(shard.index), framework="numpy") as file:
            return tuple(file.get_slice(name).get_shape())

    def read_row(self, shard: ShardPlan, name: str, row: int) -> np.ndarray:
        """Row ``row`` of the first axis of array ``observer/key``, without reading the others."""
        from safetensors import safe_open

        with safe_open(self.path(shard.index), framework="numpy") as file:
            rows = np.asarray(file.get_slice(name)[row : row + 1])
        return rows.reshape(rows.shape[1:])

    def notes(self, shard: ShardPlan) -> dict[str, int]:
        """What was noted when the shard was made."""
        from safetensors import safe_open

        with safe_open(self.path(shard.index), framework="numpy") as file:
            found: dict[str, int] = json.loads((file.metadata() or {}).get("notes", "{}"))
        return found


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    scratch = path.with_name(f".{path.name}.partial")
    try:
        with scratch.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


class storage_errors:  # noqa: N801 - reads as a clause
    """Turns a full disk or a forbidden folder into one clear error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError) or isinstance(error, StorageError):
            return
        reason = (
            "the disk is full"
            if error.errno in {errno.ENOSPC, errno.EDQUOT}
            else str(error.strerror or error)
        )
        msg = (
            f"output {str(self.folder)!r} cannot be written: {reason}. Make room or choose "
            "another folder; finished shards are kept and the same command resumes."
        )
        raise StorageError(msg) from error


def iterate_states(
    store: ShardStore, plan: tuple[ShardPlan, ...], observer: str
) -> Iterator[State]:
    """States of one observer, shard after shard, one in memory at a time."""
    for shard in plan:
        yield store.read(shard, observer)
