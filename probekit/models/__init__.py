"""Models: load one, know its anatomy, capture from it. The only rooms that know transformers.

May import ``errors`` and ``sites``; may not know corpora, measures or files of a run.
"""

from __future__ import annotations

from probekit.models.anatomy import Anatomy, Neurons, find_anatomy
from probekit.models.loading import load
from probekit.models.subject import Subject

__all__ = ["Anatomy", "Neurons", "Subject", "find_anatomy", "load"]
