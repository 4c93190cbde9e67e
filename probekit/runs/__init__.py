"""Runs: a study's outcome on disk; written once, checked when opened, read by xarray alone.

Knows files and arrays; measures nothing: a comparison of two runs (``run.diff``) sets their numbers
side by side. Figures and selection reach a run through its accessors.
"""

from __future__ import annotations

from probekit.runs.manifest import Manifest
from probekit.runs.packing import pack, unpack
from probekit.runs.run import Run, open_run
from probekit.runs.writer import write_results

__all__ = ["Manifest", "Run", "open_run", "pack", "unpack", "write_results"]
