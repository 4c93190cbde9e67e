"""Folders of results: never the base model's, whole or not there, resumable while unfinished.

While work goes on, ``<folder>.partial`` holds one checkpoint, replaced atomically; the finished
folder is written inside it and renamed into place. Costs three times the tensors that move.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit.capture.shards import storage_errors, write_atomically
from probekit.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from probekit.models import Subject

CHECKPOINT = "checkpoint.safetensors"
_SPARE = 1.05


@dataclass(frozen=True)
class Workplace:
    """Where one result goes.

    Attributes
    ----------
    folder
        The finished result; exists only when it is whole.
    record
        Name of its JSON file, as ``erasure.json``.
    fingerprint
        Identity of everything that decides the result; another one is another result.
    """

    folder: Path
    record: str
    fingerprint: str

    @property
    def scratch(self) -> Path:
        """Folder of unfinished work, beside the result."""
        return self.folder.with_name(f"{self.folder.name}.partial")

    def finished(self) -> dict[str, Any] | None:
        """Record of this very result if it is finished.

        Raises
        ------
        InputError
            The folder holds something else.
        """
        if not self.folder.exists():
            return None
        file = self.folder / self.record
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        if found.get("fingerprint") == self.fingerprint:
            return found
        what = "the result of other settings" if found else "something else"
        msg = (
            f"folder {str(self.folder)!r} holds {what}. Choose another folder, or remove it; "
            "nothing is overwritten."
        )
        raise InputError(msg)

    def open(self, subject: Subject, *, needed: int) -> None:
        """Make the scratch folder, once the result may go there and fits.

        Raises
        ------
        InputError
            The folder is the base model's, or unfinished work of other settings lies beside it.
        StorageError
            Too little room, or no permission.
        """
        refuse_base(self.folder, subject)
        mark = self.scratch / "fingerprint"
        if self.scratch.exists() and (
            not mark.is_file() or mark.read_text(encoding="utf-8") != self.fingerprint
        ):
            msg = (
                f"{str(self.scratch)!r} holds unfinished work of other settings. Give those again "
                "to resume it, or remove it."
            )
            raise InputError(msg)
        with storage_errors(self.folder):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            if not (self.scratch / CHECKPOINT).exists():
                require_room(self.folder.parent, needed)
            self.scratch.mkdir(exist_ok=True)
            if not mark.exists():
                write_atomically(mark, self.fingerprint.encode())

    def save_checkpoint(self, tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """Replace the checkpoint, whole or not at all.

        Raises
        ------
        StorageError
            It cannot be written; the one before is kept.
        """
        from safetensors.torch import save_file

        path = self.scratch / CHECKPOINT
        new = path.with_name(f".{CHECKPOINT}.partial")
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        with storage_errors(self.folder):
            try:
                save_file(plain, new, metadata={"notes": json.dumps(notes)})
                with new.open("rb") as file:
                    os.fsync(file.fileno())
                new.replace(path)
            except BaseException:
                new.unlink(missing_ok=True)
                raise

    def read_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and notes of the last checkpoint, or None; a broken file counts as none."""
        from safetensors import SafetensorError, safe_open

        path = self.scratch / CHECKPOINT
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                notes = json.loads((file.metadata() or {})["notes"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError):
            return None
        return tensors, notes

    def finish(self, write: Any, record: Mapping[str, Any], *, timing: Mapping[str, Any]) -> None:
        """Write the result beside the checkpoint, then rename it into place and drop the rest.

        Parameters
        ----------
        write
            Called with the folder to write tensors into.
        record
            The result's JSON; the same on every run of the same settings.
        timing
            What is not the same on every run.
        """
        new = self.scratch / "result"
        with storage_errors(self.folder):
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            write(new)
            for name, content in ((self.record, record), ("timing.json", timing)):
                text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
                write_atomically(new / name, f"{text}\n".encode())
            new.rename(self.folder)
            shutil.rmtree(self.scratch, ignore_errors=True)


def refuse_base(folder: Path, subject: Subject) -> None:
    """See that a result does not go where the base model lies.

    Raises
    ------
    InputError
        The folder is the base model's, inside it or above it.
    """
    from probekit.models.builtin import cache_folder
    from probekit.models.loading import BUILTIN

    source = cache_folder() if subject.source == BUILTIN else Path(subject.source).expanduser()
    if not source.exists():
        return
    base = (source if source.is_dir() else source.parent).resolve()
    here = folder.expanduser().resolve()
    inside = base in here.parents and source.is_dir()
    if here == base or here in base.parents or inside:
        msg = (
            f"folder {str(folder)!r} is the base model's ({base}), which is never changed. Choose "
            "another folder."
        )
        raise InputError(msg)


def require_room(folder: Path, needed: int) -> None:
    """See that the disk has room.

    Raises
    ------
    StorageError
        It has not; the message says how much is needed and how much is there.
    """
    free = shutil.disk_usage(folder).free
    if free < needed * _SPARE:
        msg = (
            f"the disk of {str(folder)!r} has {free / 1e9:,.2f} GB free and the result with its "
            f"checkpoint needs {needed * _SPARE / 1e9:,.2f} GB. Make room, choose another folder, "
            "or keep only the tensors that move (delta)."
        )
        raise StorageError(msg)


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """Bytes of all tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def save_model(subject: Subject, folder: Path) -> None:
    """Write a subject as a Hugging Face folder (safetensors) that ``probekit.load`` opens."""
    from probekit.models.builtin import quiet_transformers

    model = subject.model
    with quiet_transformers():
        if getattr(model, "hf_quantizer", None) is not None:  # dequantised GGUF, see builtin.py
            model.hf_quantizer = None
            if hasattr(model.config, "quantization_config"):
                del model.config.quantization_config
        model.save_pretrained(folder)
        subject.tokenizer.save_pretrained(folder)


def reloaded(base: Subject, folder: Path) -> Subject:
    """Subject of a folder, in the floating type and on the device of the base it was made from."""
    from probekit.models import load

    kind = str(base.dtype).removeprefix("torch.")
    return load(folder, dtype=kind, device=str(base.device))  # type: ignore[arg-type]
