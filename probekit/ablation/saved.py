"""An ablation beside the run that it is about: one file, ``ablation.json``, in the run's folder.

The run's own files and their checksums stay as they are.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from probekit.ablation.result import AblationResult
from probekit.errors import RunError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from probekit.runs import Run

SAVED = "ablation.json"


def save_ablation(run: Run, result: AblationResult) -> Path:
    """Write an ablation into the folder of its run, in place of an earlier one.

    Raises
    ------
    RunError
        It is about other weights than the run.
    StorageError
        The file cannot be written.
    """
    _check_weights(run, result)
    path = run.folder / SAVED
    scratch = path.with_name(f".{SAVED}.partial")
    try:
        scratch.write_text(result.to_json(), encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        msg = (
            f"ablation {str(path)!r} cannot be written: {error.strerror}. Leave out --save and "
            "redirect --json to another file."
        )
        raise StorageError(msg) from error
    return path


def saved_ablation(run: Run) -> AblationResult | None:
    """The ablation saved beside a run; None where there is none.

    Raises
    ------
    RunError
        The file cannot be read, or is about other weights than the run.
    """
    path = run.folder / SAVED
    try:
        found = AblationResult.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = (
            f"run {run.folder.name!r} has an {SAVED} that cannot be read "
            f"({type(error).__name__}). Remove it, or write it again with 'probekit ablate "
            f"{run.folder.name} --save'."
        )
        raise RunError(msg) from error
    _check_weights(run, found)
    return found


def _check_weights(run: Run, result: AblationResult) -> None:
    if result.data.attrs.get("state_sha256") != run.manifest.model["state_sha256"]:
        msg = (
            f"the ablation of run {run.folder.name!r} was made with other weights "
            f"({result.data.attrs.get('model')}) than the run ({run.manifest.model['id']}). Make "
            "it again with 'probekit ablate --save'."
        )
        raise RunError(msg)
