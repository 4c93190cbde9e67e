"""The workbench: a Dash app over finished runs. Uses public names of probekit only.

``create_app(runs)`` makes the app, ``serve(runs)`` opens it on 127.0.0.1, ``export_site(run,
folder)`` writes it as a folder that needs no server, ``example_runs()`` is a folder with a run to
look at. Importing this package loads no library;
making the app loads dash (about half a second), the first figure plotly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probekit_app.application import create_app
    from probekit_app.example import example_runs
    from probekit_app.export import export_site
    from probekit_app.serving import serve

_LAZY = {
    "create_app": "probekit_app.application",
    "example_runs": "probekit_app.example",
    "export_site": "probekit_app.export",
    "serve": "probekit_app.serving",
}

__all__ = ["create_app", "example_runs", "export_site", "serve"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    msg = f"module 'probekit_app' has no attribute {name!r}"
    raise AttributeError(msg)
