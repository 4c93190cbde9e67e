"""The pass: a subject reads a corpus once, observers reduce it, shards make it resumable.

May import ``models`` and ``corpora``; knows no measure, no figure and no run format.
"""

from __future__ import annotations

from probekit.capture.engine import PassSettings, capture
from probekit.capture.observers import Batch, Observer
from probekit.capture.pooled import PooledVectors
from probekit.capture.shards import ShardStore
from probekit.capture.token_statistics import TokenStatistics
from probekit.capture.tokens import TokenizedCorpus, tokenize

__all__ = [
    "Batch",
    "Observer",
    "PassSettings",
    "PooledVectors",
    "ShardStore",
    "TokenStatistics",
    "TokenizedCorpus",
    "capture",
    "tokenize",
]
