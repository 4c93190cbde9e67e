"""Child processes: started without a shell, told apart from a stranger with the same number.

A process is known by its number and its birth, which the system counts from its own start: a
number that was given to another process later has another birth. POSIX only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PERIOD = 0.1


def start(arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own; what it says goes to the end of a file."""
    with log.open("ab") as out:
        return subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )


def birth(pid: int) -> str:
    """When a process was born, as the system counts; empty when no such process runs any more."""
    if pid <= 0:
        return ""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _birth_elsewhere(pid) if not Path("/proc/self/stat").exists() else ""
    # the second field is the name in brackets, which may hold spaces and brackets
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else f"{_boot()}:{fields[19]}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _birth_elsewhere(pid: int) -> str:
    """By ``ps``, where there is no ``/proc``."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return ""
    state, _, born = done.stdout.strip().partition(" ")
    return "" if not state or state.startswith("Z") else born.strip()


def is_alive(pid: int, born: str) -> bool:
    """Whether that very process still runs."""
    return bool(born) and birth(pid) == born


def stop(pid: int, born: str, *, grace: float) -> None:
    """Ask a process group to end as by Ctrl-C; insist after ``grace`` seconds, end it after twice.

    Returns when it is gone. Finished shards are whole at any moment, so nothing is lost by either.
    """
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if not is_alive(pid, born):
            return
        try:
            os.killpg(pid, kind)
        except (ProcessLookupError, PermissionError):
            return
        if wait(pid, born, seconds=grace):
            return


def wait(pid: int, born: str, *, seconds: float | None = None) -> bool:
    """Wait until a process is gone, at most so long; whether it is."""
    pause, waited = threading.Event(), 0.0
    while is_alive(pid, born):
        if seconds is not None and waited >= seconds:
            return False
        pause.wait(PERIOD)
        waited += PERIOD
    return True
