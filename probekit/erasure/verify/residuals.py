"""Outputs of every block at chosen tokens: what probes and damage read. One forward a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.facts.encoding import encode
from probekit.facts.scoring import by_length
from probekit.models.backends import open_backend
from probekit.models.inputs import pad_batch
from probekit.sites import Site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from probekit.facts.question import FactSet
    from probekit.models import Subject

Ids = tuple[int, ...]


def prompt_residuals(subject: Subject, facts: FactSet, batch_tokens: int) -> NDArray[np.float64]:
    """Output of every block at the last token before the answer, (n_blocks, n_questions, width)."""
    contexts = [found.context for found in encode(subject, facts)]
    read = _read(subject, contexts, batch_tokens, whole=False)
    return np.stack([read[ids] for ids in contexts], axis=1)


def text_residuals(
    subject: Subject, texts: Sequence[str], batch_tokens: int
) -> NDArray[np.float64]:
    """Mean output of every block over a text but its first token, (n_blocks, n_texts, width)."""
    read = subject.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
    ids = [tuple(each) for each in read]
    found = _read(subject, ids, batch_tokens, whole=True)
    return np.stack([found[each] for each in ids], axis=1)


def _read(
    subject: Subject, texts: Sequence[Ids], batch_tokens: int, *, whole: bool
) -> dict[Ids, NDArray[np.float64]]:
    """Every distinct text's rows, (n_blocks, width)."""
    import torch

    backend = open_backend("hooks", subject)
    sites = [Site(block, "resid_post") for block in range(subject.anatomy.n_blocks)]
    found: dict[Ids, NDArray[np.float64]] = {}
    for batch in by_length(set(texts), batch_tokens):
        rows: dict[int, Any] = {}
        with torch.inference_mode():
            backend.run(pad_batch(subject, batch), sites, _keeper(batch, rows, whole=whole))
        layers = np.stack([rows[site.layer] for site in sites])
        found |= {ids: layers[:, row] for row, ids in enumerate(batch)}
    return found


def _keeper(batch: list[Ids], rows: dict[int, Any], *, whole: bool) -> Any:
    """What a backend hands activations to: every text's row of a block, into ``rows``."""
    import torch

    def keep(site: Site, seen: Any) -> None:
        picked = [
            seen[row, 1 : len(ids)].double().mean(dim=0)
            if whole and len(ids) > 1
            else seen[row, len(ids) - 1].double()
            for row, ids in enumerate(batch)
        ]
        rows[site.layer] = torch.stack(picked).cpu().numpy()

    return keep
