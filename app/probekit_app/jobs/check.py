"""What a study would need, found by ``probekit preflight`` in a child process with a time limit.

A model's configuration and a corpus are files that others wrote: reading them in a child keeps the
server as it is, whatever they hold. One check at a time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit_app.jobs.form import owner_of
from probekit_app.jobs.jobs import COMMAND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit import Study

#: The built-in model is converted on its first use, which takes two minutes.
SECONDS = 300.0
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes
    ----------
    found
        The preflight as ``probekit preflight --json`` prints it; empty where there is none.
    errors
        Field of the form → what is wrong; under ``""`` what belongs to no field.
    """

    found: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def check(
    study: Study, root: Path, *, command: Sequence[str] = COMMAND, seconds: float = SECONDS
) -> Checked:
    """Look at a study before it runs into a folder of runs; never raises for what it finds."""
    if not _one_at_a_time.acquire(blocking=False):
        return Checked(errors={"": "another check is running. Wait for it, then check again."})
    try:
        with tempfile.TemporaryDirectory(prefix="probekit-check-") as folder:
            file = Path(folder) / "study.yaml"
            file.write_text(study.to_yaml(), encoding="utf-8")
            return _looked([*command, "preflight", str(file), "-o", str(root), "--json"], seconds)
    finally:
        _one_at_a_time.release()


def _looked(arguments: list[str], seconds: float) -> Checked:
    child = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        out, said = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return Checked(errors={"": f"the check took over {seconds:.0f} s and was ended."})
    return understood(child.returncode, out, said)


def understood(code: int, out: str, said: str) -> Checked:
    """What a check's exit code and words mean: 0 and 1 are a preflight, else an error's line."""
    try:
        found = json.loads(out) if code in {0, 1} else {}
    except ValueError:
        found = {}
    if isinstance(found, dict) and found:
        problems = [str(each) for each in found.get("problems", ())]
        return Checked(found, _by_owner(problems))
    lines = said.strip().splitlines() or [f"the check ended with code {code} and said nothing"]
    kind, colon, message = lines[-1].partition(": ")
    named = bool(colon) and kind.isidentifier() and kind.endswith("Error")
    message = message if named else lines[-1]
    return Checked(errors={owner_of(kind if named else "", message): message})


def _by_owner(problems: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(owner_of("", problem), []).append(problem)
    return {key: " ".join(texts) for key, texts in found.items()}
