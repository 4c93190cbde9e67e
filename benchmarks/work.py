"""What the contestants of ``bench_pass`` read, and the pass itself.

Everything that is made once lies here: tokens, sorted batches, padded inputs, pooling matrices.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers import Peer
from probekit import ParallelCorpus, Subject, open_corpus
from probekit.capture import (
    Batch,
    PassSettings,
    PooledVectors,
    ShardStore,
    TokenizedCorpus,
    TokenStatistics,
    capture,
    tokenize,
)
from probekit.capture.engine import Captured
from probekit.capture.tokens import TokenizedText, batches
from probekit.models.backends import open_backend
from probekit.models.inputs import pad_batch

TOKEN_BUDGET, MAX_TOKENS, NAIVE_ROWS = 384, 64, 8

Inputs = list[dict[str, torch.Tensor]]


@dataclass(frozen=True)
class Work:
    """What all contestants read: a corpus as tokens, and as the batches of the pass."""

    subject: Subject
    corpus: ParallelCorpus
    tokens: TokenizedCorpus
    rows: list[Batch]
    inputs: Inputs
    matrices: list[torch.Tensor]


def prepare(subject: Subject, n_units: int) -> Work:
    """Tokenize, sort, pad."""
    corpus = open_corpus("builtin", limit=n_units)
    tokens = tokenize(subject, corpus, max_tokens=MAX_TOKENS)
    return _padded(subject, corpus, tokens, list(batches(tokens.texts, token_budget=TOKEN_BUDGET)))


def in_eights(work: Work) -> Work:
    """The same texts as scripts read them: language after language, eight at a time, unsorted."""
    texts = sorted(work.tokens.texts, key=lambda text: (text.language, text.unit))
    eights = [texts[at : at + NAIVE_ROWS] for at in range(0, len(texts), NAIVE_ROWS)]
    return _padded(work.subject, work.corpus, work.tokens, eights)


def _padded(
    subject: Subject,
    corpus: ParallelCorpus,
    tokens: TokenizedCorpus,
    groups: list[list[TokenizedText]],
) -> Work:
    rows, inputs = [], []
    for texts in groups:
        padded = pad_batch(subject, [text.ids for text in texts])
        inputs.append(padded)
        rows.append(Batch(texts, padded["input_ids"].shape[1], "right", subject.device))
    return Work(subject, corpus, tokens, rows, inputs, [b.pooling_matrix("mean") for b in rows])


def run_pass(work: Work, then: Callable[[Captured], object] = lambda _: None) -> None:
    """The whole pass into shards on disk, and something with its outcome."""
    with tempfile.TemporaryDirectory() as folder:
        captured = capture(
            work.subject,
            work.tokens,
            (PooledVectors(), TokenStatistics()),
            store=ShardStore(Path(folder), "benchmark"),
            backend=open_backend("hooks", work.subject),
            settings=PassSettings(token_budget=TOKEN_BUDGET, units_per_shard=work.corpus.n_units),
        )
        then(captured)


def all_layers(captured: Captured, n_layers: int) -> np.ndarray:
    """Pooled vectors of the pass, (layer, language, unit, d_model)."""
    return np.stack([captured.layer("pooled/vectors", row) for row in range(n_layers)])


@torch.inference_mode()
def pooled_by(work: Work, peer: Peer) -> np.ndarray:
    """Pooled vectors from a peer's block outputs, (block, language, unit, d_model)."""
    shape = (work.tokens.n_languages, work.tokens.n_units, work.subject.anatomy.d_model)
    vectors = torch.empty(work.subject.anatomy.n_blocks, *shape)
    for batch, inputs, matrix in zip(work.rows, work.inputs, work.matrices, strict=True):
        languages = [text.language for text in batch.texts]
        units = [text.unit for text in batch.texts]
        for layer, hidden in enumerate(peer(inputs)):
            content = hidden.reshape(-1, shape[-1]).index_select(0, batch.content_index)
            vectors[layer, languages, units] = matrix @ content.float()
    return vectors.numpy()
