"""Fitting the tuned lens: which positions, the closed form, the descent.

The closed form streams float64 moments: ``16 · n_blocks · d_model²`` bytes whatever the corpus.
The descent keeps the sampled positions (``n_blocks · d_model · 4`` bytes each) and needs about as
much again for Adam. It never multiplies by the whole vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from probekit.errors import CorpusError
from probekit.models.head import before_unembedding, unembedding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from probekit.capture import TokenizedCorpus
    from probekit.capture.tokens import TokenizedText
    from probekit.models import Subject

    Residuals = Float[Tensor, "layers positions d_model"]

LEAST_UNITS = 10
VALIDATION_UNITS, TEST_UNITS = 8, 24
#: Shrinkage towards the plain lens, as a share of each input dimension's variance.
PENALTIES = (0.01, 0.1, 1.0)
#: The descent: positions a step, tokens of the last layer's top taken whole, uniform negatives.
STEP_POSITIONS, TOP, NEGATIVES = 128, 64, 4096
#: Largest change of an output in one step, as a share of its size.
STEP_SIZE = 0.06


@dataclass(frozen=True)
class Parts:
    """Texts with their sampled positions as content, by what they are used for; units disjoint."""

    fit: tuple[TokenizedText, ...]
    validation: tuple[TokenizedText, ...]
    test: tuple[TokenizedText, ...]


def sample_parts(tokens: TokenizedCorpus, *, positions_per_language: int, seed: int) -> Parts:
    """Draw positions, as many in every language, from units that no two parts share.

    Three fifths of the units are for fitting (up to ``positions_per_language`` content tokens a
    language), a fifth for choosing (at most 8) and a fifth for the report (at most 24), with one
    content token a text in the last two.

    Raises
    ------
    CorpusError
        Fewer than 10 units.
    """
    if tokens.n_units < LEAST_UNITS:
        msg = (
            f"corpus needs at least {LEAST_UNITS} units to fit and test a tuned lens. "
            f"Got {tokens.n_units}: add units."
        )
        raise CorpusError(msg)
    rng = np.random.default_rng([seed, 3])
    order = rng.permutation(tokens.n_units)
    fifth = max(2, tokens.n_units // 5)
    groups = {
        "test": order[: min(fifth, TEST_UNITS)],
        "validation": order[fifth : fifth + min(fifth, VALIDATION_UNITS)],
    }
    held = {
        name: tuple(
            replace(text, content=(int(rng.choice(text.content)),))
            for unit in np.sort(units)
            for text in tokens.of_units(int(unit), int(unit) + 1)
        )
        for name, units in groups.items()
    }
    fit = [t for unit in np.sort(order[2 * fifth :]) for t in tokens.of_units(unit, unit + 1)]
    return Parts(_thin(fit, positions_per_language, rng), **held)


def _thin(
    texts: Sequence[TokenizedText], most: int, rng: np.random.Generator
) -> tuple[TokenizedText, ...]:
    """Keep up to ``most`` content positions of each language; texts left without one are gone."""
    kept: dict[int, set[int]] = {}
    places = [(row, position) for row, text in enumerate(texts) for position in text.content]
    by_language: dict[int, list[int]] = {}
    for place, (row, _) in enumerate(places):
        by_language.setdefault(texts[row].language, []).append(place)
    for found in by_language.values():
        for place in rng.permutation(found)[:most]:
            row, position = places[place]
            kept.setdefault(row, set()).add(position)
    return tuple(replace(texts[row], content=tuple(sorted(kept[row]))) for row in sorted(kept))


@dataclass(frozen=True)
class Affine:
    """``x ↦ x @ matrix + offset``, one map a layer: tensors (maps, d, d) and (maps, d)."""

    matrix: Tensor
    offset: Tensor

    def __call__(self, vectors: Residuals) -> Residuals:
        """Map the vectors of each layer by that layer's map."""
        import torch

        return torch.baddbmm(self.offset[:, None].to(vectors), vectors, self.matrix.to(vectors))


class Moments:
    """Weighted sums of inputs (every layer but the last) and targets (the last), in float64.

    The target is the last layer's vector at the sample's usual size: a final norm ignores the size,
    and positions with massive activations would rule the squares. Without a final norm it is the
    vector itself.
    """

    def __init__(self, *, normed: bool) -> None:
        self.normed = normed
        self.weight = 0.0
        self.size = 0.0

    def target(self, last: Tensor) -> Tensor:
        """What the vectors of the last layer are fitted as."""
        return last / _size(last) if self.normed else last

    def add(self, vectors: Residuals, weights: Tensor) -> None:
        """Add positions (layers, positions, d_model) with their weights."""
        x, y = vectors[:-1].double(), self.target(vectors[-1].double())
        if not self.weight:
            layers, _, d = x.shape
            self.pilot, self.pilot_y = x.mean(1, keepdim=True), y.mean(0)
            self.x, self.y = x.new_zeros(layers, d), y.new_zeros(d)
            self.xx, self.xy = x.new_zeros(layers, d, d), x.new_zeros(layers, d, d)
        w = weights.double()
        self.weight += float(w.sum())
        self.size += float((w * _size(vectors[-1].double())[:, 0]).sum())
        x, y = x - self.pilot, y - self.pilot_y
        weighted = (x * w[:, None]).transpose(1, 2)
        self.x += weighted.sum(2)
        self.y += w @ y
        self.xx.baddbmm_(weighted, x)
        self.xy.baddbmm_(weighted, y.expand(len(x), *y.shape))

    def ridge(self, penalty: float) -> Affine:
        """Minimise ``Σ w‖x M + b − y‖² + penalty · Σ_j var_j ‖M_j − s I_j‖²`` for every layer.

        ``s I`` is the plain lens (Din et al. 2023, arXiv 2303.09435, without the shrinkage): the
        best scalar where a final norm takes the size away, else 1. A dimension is shrunk by its own
        variance, so the massive ones do not decide for all.
        """
        import torch

        n, x, y = self.weight, self.x / self.weight, self.y / self.weight
        cxx = self.xx / n - x[:, :, None] * x[:, None]
        cxy = self.xy / n - x[:, :, None] * y
        variance = cxx.diagonal(dim1=1, dim2=2)
        share = torch.ones(len(x), dtype=x.dtype, device=x.device)
        if self.normed:
            share = (cxy.diagonal(dim1=1, dim2=2).sum(1) / variance.sum(1)).clamp(min=0)
        floor = 1e-9 * variance.mean(1, keepdim=True)
        shrink = torch.diag_embed(penalty * variance + floor)
        goal = cxy + share[:, None, None] * shrink
        # a layer at a time: the solver of a batch needs a second copy of all its layers
        solved = [
            torch.cholesky_solve(right, torch.linalg.cholesky(left))
            for left, right in zip(cxx + shrink, goal, strict=True)
        ]
        matrix = torch.stack(solved)
        offset = y + self.pilot_y - torch.einsum("ld,lde->le", x + self.pilot[:, 0], matrix)
        size = self.size / n if self.normed else 1.0
        return Affine((size * matrix).float(), (size * offset).float())

    def constant(self) -> Tensor:
        """The mean target: the best guess that knows the languages but not the text."""
        size = self.size / self.weight if self.normed else 1.0
        mean: Tensor = size * (self.y / self.weight + self.pilot_y)
        return mean.float()

    def spread(self) -> Tensor:
        """Mean standard deviation of a dimension by layer, tensor (layers,)."""
        mean = self.x / self.weight
        variance = self.xx.diagonal(dim1=1, dim2=2) / self.weight - mean**2
        deviation: Tensor = variance.clamp(min=0).sqrt()
        return deviation.mean(1).float()


def _size(vectors: Tensor) -> Tensor:
    return vectors.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-12)


class Descent:
    """Adam on ``KL(last layer ‖ lens)``, a step at a time for all layers together.

    The softmax is sampled: the tokens among the last layer's 64 most probable at the step's
    positions are taken whole, and 4,096 tokens drawn uniformly from the rest stand for it, each
    weighed by how many it stands for. What it gains is judged by the exact divergence.

    Parameters
    ----------
    subject
        Whose final norm and unembedding.
    vectors
        Tensor (layers, positions, d_model): the positions it learns from.
    tops
        Array (positions, top) of the last layer's most probable tokens.
    start
        Maps to start from; not changed.
    spread
        Tensor (layers,): mean standard deviation of an input, which sets the step.
    """

    def __init__(
        self,
        subject: Subject,
        vectors: Residuals,
        tops: np.ndarray,
        *,
        start: Affine,
        spread: Tensor,
        seed: int,
    ) -> None:
        import torch

        self.subject, self.head, self.vectors = subject, unembedding(subject), vectors
        self.tops = torch.as_tensor(tops, device=vectors.device)
        self.matrix = start.matrix.clone().requires_grad_()
        self.offset = start.offset.clone().requires_grad_()
        d = vectors.shape[2]
        size = float(_size(vectors[-1]).mean())
        rates = STEP_SIZE * size / (d * spread.clamp(min=1e-12))
        self.rates: list[float] = rates.tolist()
        self.moments = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters}
        self.generator = torch.Generator().manual_seed(seed)

    @property
    def parameters(self) -> tuple[Tensor, Tensor]:
        """Matrices and offsets."""
        return self.matrix, self.offset

    def run(self, steps: int) -> Iterable[int]:
        """Take ``steps`` steps, with a rate that falls to zero; yields after each."""
        for step in range(steps):
            self._add_gradients()
            self._move(step, rate=1 - step / steps)
            yield step

    def result(self) -> Affine:
        """The maps as they are now."""
        return Affine(self.matrix.detach().clone(), self.offset.detach().clone())

    def _add_gradients(self) -> None:
        """Gradients of one step's positions; only one layer's logits are held."""
        import torch

        n = self.vectors.shape[1]
        rows = torch.randint(0, n, (min(STEP_POSITIONS, n),), generator=self.generator)
        x = self.vectors[:, rows.to(self.vectors.device)]
        ids, log_weight = self._candidates(torch.unique(self.tops[rows.to(self.tops.device)]))
        weight = self.head.weight[ids].float()
        bias = None if self.head.bias is None else self.head.bias[ids].float()
        with torch.no_grad():
            goal = torch.softmax(self._logits(x[-1], weight, bias) + log_weight, dim=-1)
        for layer in range(len(self.matrix)):
            with torch.enable_grad():
                moved = torch.addmm(self.offset[layer], x[layer], self.matrix[layer])
                z = self._logits(moved, weight, bias) + log_weight
                loss = -(goal * torch.log_softmax(z, dim=-1)).sum(1).mean()
                torch.autograd.backward(loss)

    def _candidates(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Token ids of a step, and the log of how many tokens each stands for."""
        import torch

        size = self.head.vocabulary
        drawn = torch.randint(0, size, (NEGATIVES,), generator=self.generator).to(whole.device)
        drawn = torch.unique(drawn[~torch.isin(drawn, whole)])
        log_weight = torch.zeros(len(whole) + len(drawn), device=whole.device)
        if len(drawn):
            log_weight[len(whole) :] = float(np.log((size - len(whole)) / len(drawn)))
        return torch.cat([whole, drawn]), log_weight

    def _logits(self, vectors: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Logits of some tokens, as the model's head makes them."""
        x = before_unembedding(self.subject, vectors.to(self.subject.dtype)).float()
        z = x @ weight.T
        z = (z if bias is None else z + bias) * self.head.logit_scale
        cap = self.head.softcap
        return z if cap is None else cap * (z / cap).tanh()

    def _move(self, step: int, *, rate: float) -> None:
        """One step of Adam (β .9 and .999) whose rate differs by layer."""
        import torch

        with torch.no_grad():
            for parameter, (mean, square) in self.moments.items():
                assert parameter.grad is not None
                mean.lerp_(parameter.grad, 0.1)
                square.lerp_(parameter.grad.square(), 0.001)
                shape = (-1, *[1] * (parameter.ndim - 1))
                rates = torch.tensor(self.rates, device=parameter.device).view(shape)
                by = (mean / (1 - 0.9 ** (step + 1))) / (
                    (square / (1 - 0.999 ** (step + 1))).sqrt() + 1e-12
                )
                parameter.sub_(rate * rates * by)
                parameter.grad = None
