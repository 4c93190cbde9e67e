"""Runs every notebook here from top to bottom: ``python notebooks/run_all.py [NAME ...]``.

Outputs are not written back; a cell that fails is named, and the exit code is 1.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).parent
SECONDS_A_CELL = 900


def run(path: Path) -> bool:
    """Whether every cell of a notebook runs."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    try:
        NotebookClient(notebook, timeout=SECONDS_A_CELL, resources={"metadata": {}}).execute()
    except CellExecutionError as error:
        sys.stdout.write(f"{path.name}: FAILED\n{error}\n")
        return False
    sys.stdout.write(f"{path.name}: {time.perf_counter() - start:.0f} s\n")
    sys.stdout.flush()
    return True


if __name__ == "__main__":
    wanted = sys.argv[1:]
    found = sorted(p for p in HERE.glob("*.ipynb") if not wanted or p.stem in wanted)
    if not found:
        sys.exit(f"no notebook here is called {' or '.join(wanted)}")
    failed = [path.stem for path in found if not run(path)]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
