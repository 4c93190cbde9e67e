"""``manifest.json``: where a run came from, and the checksum of every file in it.

It is written last, so a folder that has one is finished; opening a run compares every checksum.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from probekit.errors import RunError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "probekit-run/1"
NAME = "manifest.json"
CHECKSUM = "sha256_of_the_rest"
#: A file being written when a run was killed; never part of it.
PARTIAL = ".partial"


@dataclass(frozen=True)
class Manifest:
    """Provenance of a run.

    Attributes
    ----------
    fingerprint
        Identity of everything that decides the numbers (see ``studies.identity``).
    model, corpus, tokens, passed, estimators
        What was read, and how the numbers were made.
    seconds
        Wall time by stage; the only part, with ``created``, that differs between equal runs.
    versions
        Of probekit and the libraries whose arithmetic it rests on.
    files
        Relative path to SHA-256.
    """

    fingerprint: str
    created: str
    model: dict[str, Any]
    corpus: dict[str, Any]
    tokens: dict[str, Any]
    passed: dict[str, Any]
    estimators: dict[str, Any]
    seconds: dict[str, float]
    versions: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)
    format: str = FORMAT

    def to_json(self) -> str:
        """Pretty JSON with a checksum of itself; keys sorted but for the model's parameters.

        Those keep the model's own order: some trainers name tensors by their position in it.
        """
        content = asdict(self)
        return _pretty({**content, CHECKSUM: _self_checksum(content)}, in_order=("parameters",))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a finished run.

    Raises
    ------
    RunError
        No folder, an unfinished run, or a manifest that is not one.
    """
    if not folder.is_dir():
        msg = f"run {str(folder)!r} does not exist. Give a folder made by 'probekit run'."
        raise RunError(msg)
    path = folder / NAME
    if not path.is_file():
        unfinished = (folder / "study.yaml").is_file()
        way_out = (
            f"It is not finished: resume with 'probekit run {folder / 'study.yaml'} -o {folder}'."
            if unfinished
            else "Give a folder made by 'probekit run'."
        )
        msg = f"run {str(folder)!r} has no {NAME}. {way_out}"
        raise RunError(msg)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content.get("format")
        if found == FORMAT:
            if content.pop(CHECKSUM, None) != _self_checksum(content):
                reason = "its checksum does not fit"
                raise ValueError(reason)
            return Manifest(**content)
    except (ValueError, TypeError, AttributeError) as error:
        msg = (
            f"run {str(folder)!r} has a damaged {NAME} ({error}). Run the study again into "
            "a new folder."
        )
        raise RunError(msg) from error
    msg = (
        f"run {str(folder)!r} has format {found!r}; this probekit reads {FORMAT!r}. Use "
        "the probekit that wrote it."
    )
    raise RunError(msg)


def hash_files(
    folder: Path, *, leave_out: frozenset[str] = frozenset({NAME, "shards"})
) -> dict[str, str]:
    """Relative path → SHA-256 of every file of a run, in path order; one read of the folder."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.relative_to(folder).parts[0] not in leave_out
        and not path.name.endswith(PARTIAL)
    )
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in files}


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file with the manifest.

    Raises
    ------
    RunError
        A file is missing or altered; names the first.
    """
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            msg = (
                f"run {str(folder)!r} lacks the file {name!r}. Restore it, or run the "
                "study again into a new folder."
            )
            raise RunError(msg)
        if _sha256(path) != expected:
            msg = (
                f"run {str(folder)!r} was altered: {name!r} is not the file that was "
                "written. Restore it, or run the study again into a new folder."
            )
            raise RunError(msg)


def _pretty(content: dict[str, Any], *, in_order: tuple[str, ...] = ()) -> str:
    options: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False}
    return json.dumps(_sorted(content, in_order), indent=1, **options) + "\n"


def _sorted(content: Any, in_order: tuple[str, ...]) -> Any:
    """Mappings by key at every depth, but for those under the keys ``in_order``."""
    if isinstance(content, list | tuple):
        return [_sorted(each, in_order) for each in content]
    if not isinstance(content, dict):
        return content
    return {
        key: content[key] if key in in_order else _sorted(content[key], in_order)
        for key in sorted(content)
    }


def _self_checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(_pretty(content).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
