"""The lens over the vocabulary against the bare unembedding products.

Built-in model in float32 on the CPU (width 640, 262,144 tokens, 19 layers): residual vectors of
sampled positions of the built-in corpus, captured beforehand. The floor is the same products of the
same rows by the same chunks into one buffer, nothing else. The usual way keeps a running
log-sum-exp and reads each chunk with softmax, compare and sort. Accuracy is against a softmax in
float64 over all logits of one position. One process, by turns.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.common import Row, at_most, speed_ratio, spread, take_turns
from probekit import Subject, load, open_corpus
from probekit.capture import tokenize
from probekit.capture.tokens import TokenizedText
from probekit.logit_lens import TokenLanguages, lens_rows, read_vocabulary, token_languages
from probekit.logit_lens.residuals import residuals
from probekit.logit_lens.sweep import block_positions, chunk_tokens
from probekit.models.head import Unembedding, unembedding

FLOOR, LENS, USUAL = "bare products", "lens", "usual chunked lens"
TARGET = 1.25
TOLERANCE = 1e-4


class Task:
    """Rows, unembedding, true tokens and token classes of some positions."""

    def __init__(self, subject: Subject, n_positions: int) -> None:
        corpus = open_corpus("builtin", limit=8)
        tokens = tokenize(subject, corpus)
        texts = [text for text in tokens.texts if len(text.content) > 1][:n_positions]
        one_each = [TokenizedText(t.unit, t.language, t.ids, t.content[:1]) for t in texts]
        read = list(residuals(subject, one_each))
        vectors = torch.cat([part.transpose(0, 1) for _, part in read])
        order = [text for part, _ in read for text in part]
        self.head: Unembedding = unembedding(subject)
        self.rows = lens_rows(subject, vectors)
        self.truth = np.array([[text.ids[text.content[0] + 1]] for text in order])
        told: TokenLanguages = token_languages(
            tokens,
            subject.tokenizer,
            languages=corpus.languages,
            vocabulary=self.head.vocabulary,
        )
        self.classes, self.n_classes = torch.as_tensor(told.classes), told.n_classes

    def blocks(self) -> list[torch.Tensor]:
        """Rows of each sweep."""
        step = block_positions(self.rows.shape[1], self.rows.device)
        return list(self.rows.split(step))

    def lens(self) -> Any:
        """Everything the corpus lens asks for."""
        return read_vocabulary(
            self.rows,
            self.head,
            targets=self.truth,
            classes=self.classes,
            n_classes=self.n_classes,
        )

    @torch.inference_mode()
    def floor(self) -> None:
        """The products alone."""
        for block in self.blocks():
            rows = block.flatten(0, 1)
            chunk = chunk_tokens(len(rows), rows.device)
            out = torch.empty(len(rows), chunk)
            for start in range(0, self.head.vocabulary, chunk):
                torch.mm(rows, self.head.weight[start : start + chunk].T, out=out)

    @torch.inference_mode()
    def usual(self) -> None:
        """The same statistics as one writes them first: a log-sum-exp, a softmax, a pass each."""
        for block, truth in zip(self.blocks(), self._truths(), strict=True):
            n, layers, width = block.shape
            rows = block.reshape(-1, width)
            aims = (block @ self.head.weight[truth].transpose(1, 2)).reshape(-1, 1)
            chunk = chunk_tokens(len(rows), rows.device)
            total = torch.full((len(rows),), -torch.inf)
            for start in range(0, self.head.vocabulary, chunk):
                z = rows @ self.head.weight[start : start + chunk].T
                part = torch.logsumexp(z, 1)
                p = torch.softmax(z, 1)
                (p * z).sum(1)
                by_position = p.view(n, layers, -1)
                (by_position[:, -1:] * z.view(n, layers, -1)).sum(2)
                z.max(1)
                (z > aims).sum(1)
                classes = self.classes[start : start + chunk]
                torch.zeros(len(rows), self.n_classes).index_add_(1, classes, p)
                total = torch.logaddexp(total, part)

    def _truths(self) -> list[torch.Tensor]:
        step = block_positions(self.rows.shape[1], self.rows.device)
        return list(torch.as_tensor(self.truth).split(step))

    def differences(self) -> dict[str, float]:
        """How far the lens is from float64, relative where values exceed 1."""
        found = self.lens()
        z = self.rows[0].double() @ self.head.weight.double().T
        log2 = (z.log_softmax(1) / np.log(2)).numpy()
        p = np.exp2(log2)
        wanted = {
            "entropy": -(p * log2).sum(1),
            "kl": (p[-1] * (log2[-1] - log2)).sum(1),
            "mass": np.stack([p[:, self.classes == c].sum(1) for c in range(self.n_classes)], 1),
        }
        return {
            name: float((abs(getattr(found, name)[0] - w) / np.maximum(1, abs(w))).max())
            for name, w in wanted.items()
        }


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Time everyone; ``quick`` only shows that it runs."""
    subject = load("builtin", dtype="float32", device="cpu")
    task = Task(subject, 4 if quick else 48)
    contestants: dict[str, Callable[[], object]] = {
        FLOOR: task.floor,
        LENS: task.lens,
        USUAL: task.usual,
    }
    seconds = take_turns(contestants, repeats=1 if quick else 7)
    n_rows = task.rows.shape[0] * task.rows.shape[1]
    buffer = len(task.blocks()[0].flatten(0, 1))
    chunk = chunk_tokens(buffer, task.rows.device)
    return {
        "rows": n_rows,
        "vocabulary": task.head.vocabulary,
        "seconds": seconds,
        "lens_to_floor": speed_ratio(seconds, FLOOR, LENS),
        "usual_to_floor": speed_ratio(seconds, FLOOR, USUAL),
        "gigaflops": 2e-9 * n_rows * task.head.weight.numel() / median(seconds[FLOOR]),
        "buffers_megabytes": 2 * 4e-6 * buffer * chunk,
        "logits_megabytes": 4e-6 * buffer * task.head.vocabulary,
        "differences": task.differences(),
    }


def rows(result: dict[str, Any]) -> list[Row]:
    """Ratios to the floor, memory and accuracy."""
    size = f"{result['rows']:,} rows × {result['vocabulary']:,} tokens"
    speed = f"{median(result['seconds'][FLOOR]):.2f} s, {result['gigaflops']:.0f} GFLOP/s"
    ratio, usual = result["lens_to_floor"], result["usual_to_floor"]
    memory = f"{result['buffers_megabytes']:.1f} MB ({result['logits_megabytes']:.0f} MB)"
    worst = max(result["differences"].values())
    return [
        Row("lens", f"floor: bare products, {size}", speed),
        at_most(
            Row("lens", "lens / bare products, time", spread(ratio)), ratio["median"], target=TARGET
        ),
        Row("lens", "usual chunked lens / bare products, time", spread(usual)),
        Row("lens", "buffers of a sweep (its logits at once)", memory),
        at_most(
            Row("lens", "largest difference from float64", f"{worst:.1e}"),
            worst,
            target=TOLERANCE,
            unit="",
        ),
    ]
