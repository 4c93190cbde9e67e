"""Run one benchmark in a fresh process; a module of its own because a new process imports it.

Costs the imports and the load of the model once more for every benchmark.
"""

from __future__ import annotations

import importlib
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

#: ``bench_cka`` knows no ``quick``: these sizes stand in for it.
SMALL_CKA = {"n_layers": 3, "n_units": 60, "n_resamples": 50, "n_permutations": 50}


def quiet() -> None:
    """Send what libraries print to stderr: stdout carries the result alone."""
    os.dup2(2, 1)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def measure(name: str, *, quick: bool) -> dict[str, Any]:
    """Run one benchmark in this process."""
    module = importlib.import_module(f"benchmarks.bench_{name}")
    options: dict[str, Any] = {"quick": quick}
    if name == "cka":
        options = dict(SMALL_CKA) if quick else {}
    found: dict[str, Any] = module.measure(**options)
    return found


def measure_apart(name: str, *, quick: bool) -> dict[str, Any]:
    """Run one benchmark in a fresh process."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=quiet) as pool:
        return pool.submit(measure, name, quick=quick).result()
