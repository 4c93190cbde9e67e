"""Runs: a study's outcome on disk; written once, checked when opened, read by xarray alone.

Knows files and arrays; computes nothing. Figures and selection reach a run through its accessors.
"""

from __future__ import annotations

from probekit.runs.manifest import Manifest
from probekit.runs.run import Run, open_run
from probekit.runs.writer import write_results

__all__ = ["Manifest", "Run", "open_run", "write_results"]
