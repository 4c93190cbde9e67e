"""The whole loop as one plan: teach facts, select layers, erase there and elsewhere, verify.

A plan names every arm (algorithm, source languages, place, seed); arms are made one by one, each
kept as a file, and compared fact by fact. May import every room that computes; draws nothing.
"""

from __future__ import annotations

from probekit.experiment.outcome import Outcome, open_outcome
from probekit.experiment.plan import Arm, Plan
from probekit.experiment.runner import run_plan

__all__ = ["Arm", "Outcome", "Plan", "open_outcome", "run_plan"]
