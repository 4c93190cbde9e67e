"""Studies started from the page: child processes of ``probekit run``, and files that say how far.

Each study is a process group of its own, so it outlives the server; a server that starts again
finds it by its status file. Nothing here loads a model: models and corpora are read in children.
Of these files only ``fields``, ``shown`` and ``callbacks``, of which the page is made, know Dash.
"""

from __future__ import annotations

from probekit_app.jobs.job import Job
from probekit_app.jobs.jobs import Jobs

__all__ = ["Job", "Jobs"]
