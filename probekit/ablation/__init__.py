"""Ablation: run a model with neurons zeroed and see what its languages lose. No weight is touched.

Language neurons are a correlation until zeroing them hurts their own language more than zeroing as
many random neurons of the same layers.
"""

from __future__ import annotations

from probekit.ablation.ablate import ablate
from probekit.ablation.from_run import ablate_run
from probekit.ablation.result import AblationResult
from probekit.ablation.saved import save_ablation, saved_ablation

__all__ = ["AblationResult", "ablate", "ablate_run", "save_ablation", "saved_ablation"]
