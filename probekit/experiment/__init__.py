"""The whole loop as one plan: teach facts, select layers, erase there and elsewhere, verify.

A plan names every arm (algorithm, source languages, place, seed); arms are made one by one, each
kept as a file, and compared fact by fact. May import every room that computes; draws nothing.
Reading an outcome loads no model library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.experiment.outcome import Outcome, open_outcome

if TYPE_CHECKING:
    from probekit.experiment.plan import Arm, Plan
    from probekit.experiment.runner import run_plan

__all__ = ["Arm", "Outcome", "Plan", "open_outcome", "run_plan"]

_ROOMS = {"Arm": "plan", "Plan": "plan", "run_plan": "runner"}


def __getattr__(name: str) -> Any:
    """What carries out a plan is imported when it is asked for: it loads torch."""
    if name not in _ROOMS:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
