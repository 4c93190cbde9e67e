"""Where probekit keeps what it makes once: ``PROBEKIT_CACHE``, or the platform's user cache."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """The folder; it may not exist yet."""
    import platformdirs

    given = os.environ.get("PROBEKIT_CACHE")
    return Path(given or platformdirs.user_cache_dir("probekit", appauthor=False))
