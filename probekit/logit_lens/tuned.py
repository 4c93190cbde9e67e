"""Tuned lens: an affine map a layer, ahead of the final norm, that makes early layers readable.

``lens_l(h) = head(h + A_l h + b_l)`` (Belrose et al. 2023, arXiv 2303.08112). Fitting starts from a
closed form and descends a little from there; for every layer the plain lens, the closed form or the
descent is kept, whichever diverges least from the model's own output on held-out units. Costs one
pass over the sampled texts and about 20,000 products with the vocabulary: minutes on a CPU for the
built-in model, seconds on a GPU.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from probekit.capture.notebook_progress import standing
from probekit.capture.tokens import TokenizedCorpus, longest_text, tokenize
from probekit.errors import InputError
from probekit.logit_lens.residuals import residuals
from probekit.logit_lens.tuned_fit import PENALTIES, TOP, Affine, Descent, Moments, sample_parts
from probekit.logit_lens.tuned_report import KINDS, make_report
from probekit.logit_lens.vocabulary import lens_rows, read_vocabulary
from probekit.models.head import require_head, unembedding

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    import plotly.graph_objects as go
    import xarray as xr
    from torch import Tensor

    from probekit.capture.engine import Progress
    from probekit.capture.tokens import TokenizedText
    from probekit.corpora import ParallelCorpus
    from probekit.logit_lens.tuned_fit import Parts, Residuals
    from probekit.models import Subject

MAX_TOKENS = 128
#: Positions a language that the descent learns from, of those the closed form saw.
DESCENT_POSITIONS = 128
#: Steps of descent where none are asked for.
STEPS = {"cpu": 60}
GPU_STEPS = 500
#: Positions read against the vocabulary at once, with all their maps.
_BLOCK = 32
_FIGURE = "probekit.figures.tuned"

#: One lens for all layers: its name, or a name by layer, and its maps.
Candidate = tuple[str | np.ndarray, Affine]


@dataclass(frozen=True, eq=False)
class TunedLens:
    """Translators of one model.

    Attributes
    ----------
    matrix, offset
        ``A`` and ``b``: tensors (n_blocks, d_model, d_model) and (n_blocks, d_model), float32, for
        layers −1 … n_blocks − 2. The last block needs none.
    report
        Divergence from the model's own output before and after, on held-out units; see
        :func:`probekit.logit_lens.tuned_report.make_report`.
    unembedding_sha256
        Hash of the unembedding that they were fitted for.
    """

    matrix: Tensor
    offset: Tensor
    report: xr.Dataset
    unembedding_sha256: str

    @property
    def n_blocks(self) -> int:
        """Blocks of the model."""
        return int(self.matrix.shape[0])

    @property
    def d_model(self) -> int:
        """Width of the model."""
        return int(self.matrix.shape[1])

    def translate(self, layer: int, hidden: Tensor) -> Tensor:
        """``h + A h + b`` for vectors (…, d_model) of a layer; the last block's as they are.

        Raises
        ------
        InputError
            The model has no such layer.
        """
        last = self.n_blocks - 1
        if not -1 <= layer <= last:
            msg = f"layer must be between -1 and {last}. Got {layer} instead."
            raise InputError(msg)
        if layer == last:
            return hidden
        x = hidden.float()
        matrix = self.matrix[layer + 1].to(x.device)
        return (x + x @ matrix.T + self.offset[layer + 1].to(x.device)).to(hidden.dtype)

    def translate_row(self, row: int, hidden: Tensor) -> Tensor:
        """:meth:`translate` for layer ``row − 1``, as :func:`lens_rows` counts."""
        return self.translate(row - 1, hidden)

    @classmethod
    def fit(
        cls,
        subject: Subject,
        corpus: ParallelCorpus | TokenizedCorpus,
        *,
        positions_per_language: int = 512,
        steps: int | None = None,
        seed: int = 0,
        ridge: float | None = None,
        progress: Progress | None = None,
    ) -> TunedLens:
        """Fit translators on text.

        Parameters
        ----------
        subject
            A model with an unembedding.
        corpus
            At least 10 units; every language counts alike.
        positions_per_language
            Most content tokens of a language that the closed form sees.
        steps
            Of descent; 0 for none. None: 60 on a CPU, 500 on a GPU.
        seed
            Of the split, the positions and the descent.
        ridge
            Shrinkage towards the plain lens, as a share of a dimension's variance. None: by layer,
            the best of .01, .1 and 1 on held-out units.
        progress
            Told how far it is. Unless given, a notebook shows a bar and anything else nothing.

        Raises
        ------
        ModelError, CorpusError, InputError
            No unembedding; fewer than 10 units; a number outside its domain.
        """
        require_head(subject)
        _check(positions_per_language, steps, ridge)
        tokens = corpus
        if not isinstance(tokens, TokenizedCorpus):
            longest = longest_text(subject) or MAX_TOKENS
            tokens = tokenize(subject, tokens, max_tokens=min(MAX_TOKENS, longest))
        parts = sample_parts(tokens, positions_per_language=positions_per_language, seed=seed)
        if steps is None:
            steps = STEPS.get(subject.device.type, GPU_STEPS)
        penalties = PENALTIES if ridge is None else (ridge,)
        with standing(progress) as told:
            fitter = _Fitter(subject, parts, seed=seed, progress=told)
            return fitter.run(penalties, steps, languages=tokens.languages)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one safetensors file.

        Raises
        ------
        StorageError
            The file cannot be written.
        """
        from probekit.logit_lens.tuned_file import write_lens

        return write_lens(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], subject: Subject) -> TunedLens:
        """Read a lens that was fitted for this subject.

        Raises
        ------
        ModelError
            No such file, not a tuned lens, or one of another model.
        """
        from probekit.logit_lens.tuned_file import read_lens

        return cls(**read_lens(path, subject))

    def figure(self) -> go.Figure:
        """Divergence by layer, before and after: :func:`probekit.figures.tuned.tuned_by_layer`."""
        figure: go.Figure = importlib.import_module(_FIGURE).tuned_by_layer(self.report)
        return figure

    def __repr__(self) -> str:
        before, after = (float(self.report[f"{name}_mean"].mean()) for name in ("plain", "tuned"))
        return (
            f"TunedLens({self.n_blocks} translators of width {self.d_model}, KL {before:.2f} → "
            f"{after:.2f} nats over layers)"
        )


def _check(positions_per_language: int, steps: int | None, ridge: float | None) -> None:
    rules: tuple[tuple[str, float | None, float], ...] = (
        ("positions_per_language", positions_per_language, 16),
        ("steps", steps, 0),
        ("ridge", ridge, 0),
    )
    for name, value, least in rules:
        if value is not None and not value >= least:
            msg = f"{name} must be at least {least}. Got {value} instead."
            raise InputError(msg)


class _Fitter:
    """One fit: reads the positions, solves, descends, chooses, reports."""

    def __init__(self, subject: Subject, parts: Parts, *, seed: int, progress: Progress) -> None:
        self.subject, self.parts, self.seed, self.progress = subject, parts, seed, progress
        self.head = unembedding(subject)
        self.moments = Moments(normed=subject.anatomy.final_norm is not None)

    def run(self, penalties: Sequence[float], steps: int, *, languages: Sequence[str]) -> TunedLens:
        """Fit all layers; the report is on units that nothing else has seen."""
        parts = self.parts
        texts = (*parts.fit, *parts.validation, *parts.test)
        self.progress.start(n_tokens=sum(len(text.ids) for text in texts), done=0)
        sample = self._stream(parts.fit)
        held = self._read(parts.validation)
        solved = self._closed_forms(penalties)
        best = self._choose([("plain", plain_maps(held)), *solved], held)
        if steps:
            best = self._choose([best, ("refined", self._descend(best[1], sample, steps))], held)
        kinds, chosen = best
        del sample, held
        return self._finish(kinds, chosen, steps=steps, languages=languages)

    def _finish(
        self, kinds: np.ndarray, chosen: Affine, *, steps: int, languages: Sequence[str]
    ) -> TunedLens:
        import torch

        from probekit.logit_lens.tuned_file import unembedding_sha256

        vectors = self._read(self.parts.test)
        constant = Affine(
            torch.zeros_like(chosen.matrix[:1]), self.moments.constant()[None].to(chosen.offset)
        )
        self.progress.say("measuring the divergence on the test units")
        nats = self._divergence([plain_maps(vectors), chosen, constant], vectors)
        report = make_report(
            nats,
            self.parts.test,
            kinds=list(kinds),
            languages=languages,
            n_fit=sum(len(text.content) for text in self.parts.fit),
            n_validation=len({text.unit for text in self.parts.validation}),
            steps=steps,
            seed=self.seed,
        )
        identity = torch.eye(chosen.matrix.shape[1], device=chosen.matrix.device)
        matrix = (chosen.matrix - identity).transpose(1, 2).contiguous()
        sha256 = unembedding_sha256(self.subject)
        return TunedLens(matrix.cpu(), chosen.offset.cpu(), report, sha256)

    def _read(self, texts: Sequence[TokenizedText]) -> Residuals:
        """Positions of texts, in the order of the texts."""
        import torch

        found: dict[tuple[int, int], Tensor] = {}
        for rows, vectors in residuals(self.subject, texts):
            sizes = [len(text.content) for text in rows]
            for text, part in zip(rows, torch.split(vectors, sizes, dim=1), strict=True):
                found[text.unit, text.language] = part
            self.progress.advance(sum(len(text.ids) for text in rows))
        return torch.cat([found[text.unit, text.language] for text in texts], dim=1)

    def _stream(self, texts: Sequence[TokenizedText]) -> Residuals:
        """Feed the moments, languages weighing alike; keeps a sample for the descent."""
        import torch

        n_languages = 1 + max(text.language for text in texts)
        counts = np.zeros(n_languages)
        for text in texts:
            counts[text.language] += len(text.content)
        rng = np.random.default_rng([self.seed, 4])
        share = np.minimum(1.0, DESCENT_POSITIONS / counts)
        kept = []
        for rows, vectors in residuals(self.subject, texts):
            languages = np.repeat([t.language for t in rows], [len(t.content) for t in rows])
            weights = counts.sum() / (n_languages * counts[languages])
            self.moments.add(vectors, torch.as_tensor(weights, device=vectors.device))
            drawn = np.flatnonzero(rng.random(len(languages)) < share[languages])
            kept.append(vectors[:, torch.as_tensor(drawn, device=vectors.device)])
            self.progress.advance(sum(len(text.ids) for text in rows))
        return torch.cat(kept, dim=1)

    def _closed_forms(self, penalties: Sequence[float]) -> list[Candidate]:
        self.progress.say(f"solving {self.subject.anatomy.n_blocks} layers in closed form")
        return [("ridge", self.moments.ridge(penalty)) for penalty in penalties]

    def _descend(self, start: Affine, sample: Residuals, steps: int) -> Affine:
        self.progress.say(f"descending {steps} steps from {sample.shape[1]} positions")
        rows = lens_rows(self.subject, sample[-1][:, None])
        top = min(TOP, self.head.vocabulary)
        tops = read_vocabulary(rows, self.head, ranks=False, top=top).top_ids[:, 0]
        descent = Descent(
            self.subject,
            sample,
            tops,
            start=start,
            spread=self.moments.spread(),
            seed=self.seed,
        )
        for _ in descent.run(steps):
            pass
        return descent.result()

    def _choose(
        self, candidates: Sequence[Candidate], held: Residuals
    ) -> tuple[np.ndarray, Affine]:
        """By layer, the map that diverges least on the validation part; the earlier of equals."""
        import torch

        self.progress.say(f"comparing {len(candidates)} lenses on the validation units")
        nats = self._divergence([maps for _, maps in candidates], held)
        n_layers = len(held) - 1
        mean = nats.mean(0).reshape(len(candidates), n_layers)
        best = mean.argmin(0)
        names = np.stack([np.broadcast_to(name, n_layers) for name, _ in candidates])
        layers = np.arange(n_layers)
        pick = [(candidates[c][1], layer) for layer, c in enumerate(best)]
        chosen = Affine(
            torch.stack([maps.matrix[layer] for maps, layer in pick]),
            torch.stack([maps.offset[layer] for maps, layer in pick]),
        )
        return names[best, layers].astype(KINDS), chosen

    def _divergence(self, maps: Sequence[Affine], vectors: Residuals) -> np.ndarray:
        """``KL(model ‖ lens)`` in nats, array (positions, Σ layers of each map)."""
        import torch

        found = []
        for part in torch.split(vectors, _BLOCK, dim=1):
            moved = [m(part[: len(m.matrix)]) for m in maps]
            rows = torch.cat([*moved, part[-1:]]).transpose(0, 1)
            read = read_vocabulary(lens_rows(self.subject, rows), self.head, ranks=False)
            found.append(read.kl[:, :-1] * np.log(2.0))
        return np.concatenate(found)


def plain_maps(vectors: Residuals) -> Affine:
    """The plain lens as maps: the identity at every layer but the last."""
    import torch

    layers, _, d = vectors.shape
    eye = torch.eye(d, device=vectors.device).expand(layers - 1, d, d)
    return Affine(eye, torch.zeros(layers - 1, d, device=vectors.device))
