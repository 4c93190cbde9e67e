"""Coordinates that every group of a run shares: blocks, depth, languages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.corpora import language_info
from probekit.sites import LANGUAGE, LANGUAGE_B, LAYER, depth

if TYPE_CHECKING:
    from probekit.corpora import ParallelCorpus


def language_coordinates(corpus: ParallelCorpus) -> dict[str, Any]:
    """Codes, and beside them name, script and direction."""
    infos = [language_info(code) for code in corpus.languages]
    codes = np.array(corpus.languages, dtype=object)
    return {
        LANGUAGE: (LANGUAGE, codes),
        LANGUAGE_B: (LANGUAGE_B, codes),
        "language_name": (LANGUAGE, np.array([info.name for info in infos], dtype=object)),
        "script": (LANGUAGE, np.array([info.script for info in infos], dtype=object)),
        "direction": (LANGUAGE, np.array([info.direction for info in infos], dtype=object)),
    }


def run_coordinates(corpus: ParallelCorpus, *, n_blocks: int) -> dict[str, Any]:
    """Layers -1 … n_blocks - 1 with their depth, and the languages."""
    layers = np.arange(-1, n_blocks)
    return {
        LAYER: (LAYER, layers, {"long_name": "block; -1 is the embedding"}),
        "depth": (LAYER, np.array([depth(int(layer), n_blocks) for layer in layers])),
        **language_coordinates(corpus),
    }
