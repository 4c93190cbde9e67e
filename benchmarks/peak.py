"""Run the command line and write down its own peak memory: ``python -m benchmarks.peak FILE …``.

On Linux the peak is VmHWM, which starts at zero in a new program; ``getrusage`` would also count
the memory of the process that started this one.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from probekit.cli import app


def peak_megabytes() -> float:
    """Largest resident set of this process so far, in MB (10⁶ bytes)."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text(encoding="utf-8").splitlines()
        peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
        return int(peak) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> None:
    """Run ``probekit`` with the arguments after the first, which names the file to write."""
    target, *arguments = sys.argv[1:]
    app(arguments, standalone_mode=False)
    Path(target).write_text(str(peak_megabytes()), encoding="utf-8")


if __name__ == "__main__":
    main()
