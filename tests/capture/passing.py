"""One call for a pass over a small corpus in a test."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from probekit.capture import PassSettings, PooledVectors, ShardStore, capture, tokenize
from probekit.capture.engine import Captured
from probekit.models.backends import open_backend


def read(
    subject: Any,
    corpus: Any,
    *,
    observers: Any = None,
    backend: Any = None,
    folder: Path | None = None,
    keep_first_token: bool = False,
    progress: Any = None,
    **settings: Any,
) -> Captured:
    """Run a pass into a folder, a new temporary one unless given."""
    settings.setdefault("units_per_shard", 5)
    return capture(
        subject,
        tokenize(subject, corpus, keep_first_token=keep_first_token),
        observers or (PooledVectors(),),
        store=ShardStore(folder or Path(tempfile.mkdtemp()), "test"),
        backend=backend or open_backend("hooks", subject),
        settings=PassSettings(**settings),
        progress=progress,
    )


def vectors(subject: Any, corpus: Any, *, pooling: str = "mean", **options: Any) -> np.ndarray:
    """Pooled vectors of a pass, array (layer, language, unit, width)."""
    found = read(subject, corpus, observers=(PooledVectors(pooling),), **options)
    rows = range(subject.anatomy.n_blocks + 1)
    return np.stack([found.layer("pooled/vectors", row) for row in rows])
