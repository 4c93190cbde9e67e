"""Studies: configuration → pass → measures → run. Wiring only; no formula lives here."""

from __future__ import annotations

from probekit.studies.study import Study

__all__ = ["Study"]
