"""A backend that hands over planted vectors instead of a model's, text by text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from probekit.models.builtin import quiet_transformers

if TYPE_CHECKING:
    import numpy as np
    import pytest

    from probekit.corpora import ParallelCorpus


class PlantedBackend:
    """Every token of unit i in language a carries ``vectors[layer + 1, a, i]``."""

    name = "hooks"

    def __init__(self, subject: Any, corpus: ParallelCorpus, vectors: np.ndarray) -> None:
        self._vectors = torch.from_numpy(vectors).float()
        self._place = {}
        for a, code in enumerate(corpus.languages):
            with quiet_transformers():
                encoded = subject.tokenizer(list(corpus.texts[code]))["input_ids"]
            self._place |= {tuple(ids): (a, i) for i, ids in enumerate(encoded)}

    def run(self, inputs: Any, sites: Any, consume: Any) -> None:
        ids, mask = inputs["input_ids"], inputs["attention_mask"].bool()
        rows = [self._place[tuple(ids[r][mask[r]].tolist())] for r in range(len(ids))]
        languages, units = torch.tensor(rows).T
        for site in sorted(sites):
            values = self._vectors[site.layer + 1, languages, units]
            consume(site, values[:, None].expand(-1, ids.shape[1], -1))


def plant(monkeypatch: pytest.MonkeyPatch, corpus: ParallelCorpus, vectors: np.ndarray) -> None:
    """Make every study of ``corpus`` see ``vectors``, array (layer, language, unit, width)."""
    from probekit.models import backends

    monkeypatch.setattr(
        backends, "open_backend", lambda _, subject: PlantedBackend(subject, corpus, vectors)
    )
