"""Many L2-regularised softmax regressions at once, as one batched limited-memory BFGS.

A batch holds training sets (say, languages × folds) that each carry many problems (tasks ×
baselines) over the same features, so that one matrix product serves them all. Features come in
coordinates whose columns are orthogonal (see ``basis``), where the Hessian is nearly diagonal: a
diagonal preconditioner then reaches the optimum in five to fifty steps whatever the spectrum. A
step costs two products of ``(classes · problems × width) · (width × rows)``, written with the few
columns first because that is several times faster, and one softmax; problems that are done leave
the batch when most others are done too. Inside, axes are (sets, classes, problems, width or rows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Int
    from torch import Tensor

#: Steps that the approximation of the Hessian remembers.
MEMORY = 4
#: A step may end where the slope is up to this share of the first one, uphill.
OVERSHOOT = 0.5
#: The batch is thinned out when fewer than this share of its problems is left.
THIN = 0.4
_TRIES = 12
_FLATTEST = 1e-6


@dataclass(frozen=True)
class Problems:
    """What to solve: for every training set and problem, ``min Σ loss + λ/2 ‖W‖²``.

    Attributes
    ----------
    features
        Tensor (sets, rows, width): orthogonal columns of mean zero, padded rows all zero.
    spectrum
        Tensor (sets, width): squared norms of those columns.
    rows
        Tensor (sets, rows): 1 for a row, 0 for padding.
    labels
        Tensor (sets, rows, problems): classes 0 … n_classes - 1; anything in range for padding.
    penalty
        Tensor (sets, problems): λ, that is 1/C of scikit-learn.
    n_classes
        At least 2. Two classes are one weight vector, as in scikit-learn.
    intercept_penalty
        λ of the intercept; 0 leaves it free, as in scikit-learn.
    """

    features: Float[Tensor, "sets rows width"]
    spectrum: Float[Tensor, "sets width"]
    rows: Float[Tensor, "sets rows"]
    labels: Int[Tensor, "sets rows problems"]
    penalty: Float[Tensor, "sets problems"]
    n_classes: int
    intercept_penalty: float = 0.0


@dataclass(frozen=True)
class Solution:
    """Weights of every problem.

    Attributes
    ----------
    weights
        Tensor (sets, width, classes, problems), classes summing to zero.
    intercept
        Tensor (sets, classes, problems), summing to zero.
    converged
        Tensor (sets, problems).
    n_steps
        Steps that the slowest problem took.
    """

    weights: Float[Tensor, "sets width classes problems"]
    intercept: Float[Tensor, "sets classes problems"]
    converged: Bool[Tensor, "sets problems"]
    n_steps: int


def solve(
    problems: Problems,
    *,
    tolerance: float | Tensor = 3e-4,
    max_steps: int = 500,
    start: Solution | None = None,
) -> Solution:
    """Minimise every problem of a batch; deterministic.

    Starts at zero, or at the solution for another penalty. A problem stops when the squared length
    of its Newton-like step, in the metric of the preconditioner, is below ``tolerance² · λ‖W‖²``:
    its weights are then about ``tolerance`` from the optimum, relative to their length; one number
    for all problems, or a tensor (problems,).
    """
    import torch

    work = _Work(_Objective.of(problems, tolerance), start)
    sets, n = problems.penalty.shape
    weights = work.at.weights.movedim(3, 1).clone()
    converged = torch.zeros(sets, n, dtype=torch.bool, device=weights.device)
    # where each problem of the (thinned) batch belongs
    place = torch.arange(sets * n, device=weights.device).view(sets, n)
    for step in range(1, max_steps + 1):
        direction, slope, done = work.direction()
        if step == max_steps or bool(done.all()):
            break
        if place.shape[1] * place.shape[0] > 1 and float((~done).float().mean()) < THIN:
            _keep(weights, converged, place=place, work=work, done=done)
            left = (~done).nonzero(as_tuple=True)
            place, direction, slope = place[left][:, None], *_pick(left, direction, slope)
            work = work.thinned(left)
            done = torch.zeros_like(place, dtype=torch.bool)
        work.move(direction, slope.where(~done, slope.new_zeros(())))
    _keep(weights, converged, place=place, work=work, done=done)
    return Solution(weights[:, :-1], weights[:, -1], converged, step)


def unflatten(tensor: Tensor, axis: int, sizes: Sequence[int]) -> Tensor:
    """Axis ``axis`` as several."""
    return tensor.reshape(*tensor.shape[:axis], *sizes, *tensor.shape[axis + 1 :])


def thin(matrix: Tensor, columns: Tensor) -> Tensor:
    """``matrix @ columns`` for a few columns, several times faster than written so."""
    return (columns.mT @ matrix.mT).mT


def _keep(weights: Tensor, converged: Tensor, *, place: Tensor, work: _Work, done: Tensor) -> None:
    """Write where a batch stands back to where its problems came from."""
    n = converged.shape[1]
    flat = place.flatten()
    weights[flat // n, :, :, flat % n] = work.at.weights.permute(0, 2, 3, 1).flatten(0, 1)
    converged[flat // n, flat % n] = done.flatten()


def _pick(left: tuple[Tensor, ...], *tensors: Tensor) -> list[Tensor]:
    """Some (set, problem) pairs of tensors, each as a set of its own.

    Problems are axis 2 of tensors with four axes, and axis 1 of others.
    """
    return [
        tensor.movedim(2, 1)[left][:, :, None] if tensor.ndim == 4 else tensor[left][:, None]
        for tensor in tensors
    ]


@dataclass(frozen=True)
class _Objective:
    """What every problem of a batch minimises; the intercept is the last column."""

    features: Tensor  # (sets, rows, width)
    spectrum: Tensor  # (sets, width + 1)
    rows: Tensor  # (sets, rows)
    targets: Tensor  # (sets, classes, problems, rows)
    ridge: Tensor  # (sets, problems, width + 1)
    tolerance: Tensor  # (sets, problems)

    @classmethod
    def of(cls, given: Problems, tolerance: float | Tensor) -> _Objective:
        """Add the intercept, whose column would be all ones; make labels one-hot."""
        import torch

        ones = given.rows[..., None]
        # two opposite weight vectors of penalty 2λ are one of penalty λ
        strength = given.penalty * (2.0 if given.n_classes == 2 else 1.0)
        free = torch.full_like(strength[..., None], given.intercept_penalty)
        width = given.features.shape[2]
        classes = torch.arange(given.n_classes, device=given.labels.device)
        hot = given.labels.mT[:, None] == classes[:, None, None]
        return cls(
            given.features,
            torch.cat([given.spectrum, ones.sum(1)], dim=1),
            given.rows,
            hot.to(given.features.dtype) * given.rows[:, None, None],
            torch.cat([strength[..., None].expand(-1, -1, width), free], dim=2),
            torch.ones_like(strength) * tolerance,
        )

    @property
    def epsilon(self) -> float:
        """Rounding error of the numbers."""
        import torch

        return float(torch.finfo(self.features.dtype).eps)

    def thinned(self, left: tuple[Tensor, ...]) -> _Objective:
        """Some problems, each with features of its own."""
        sets = left[0]
        return _Objective(
            self.features[sets],
            self.spectrum[sets],
            self.rows[sets],
            *_pick(left, self.targets, self.ridge, self.tolerance),
        )

    def metric(self, curvature: Tensor) -> Tensor:
        """Diagonal of the Hessian if every row had this curvature."""
        diagonal = curvature[..., None] * self.spectrum[:, None] + self.ridge
        return diagonal.clamp_min_(self.epsilon)[:, None]

    def scores(self, weights: Tensor) -> Tensor:
        """Scores of all rows: (sets, classes, problems, rows)."""
        scores = weights[..., :-1].flatten(1, 2) @ self.features.mT
        found = unflatten(scores, 1, weights.shape[1:3])
        return found.addcmul_(weights[..., -1:], self.rows[:, None, None])

    def chances(self, scores: Tensor) -> Tensor:
        """Softmax over classes, 0 for padded rows."""
        found = (scores - scores.amax(1, keepdim=True)).exp_()
        return found.mul_(self.rows[:, None, None] / found.sum(1, keepdim=True))

    def gradient(self, residual: Tensor, weights: Tensor) -> Tensor:
        """Of loss and ridge: (sets, classes, problems, width + 1)."""
        import torch

        product = unflatten(residual.flatten(1, 2) @ self.features, 1, weights.shape[1:3])
        found = torch.cat([product, residual.sum(3, keepdim=True)], dim=3)
        return found.addcmul_(self.ridge[:, None], weights)

    def curvature(self, chances: Tensor) -> Tensor:
        """Mean over rows of the loss's second derivative, (sets, problems)."""
        n_rows = self.rows.sum(1)[:, None]
        spread = n_rows - chances.square().sum((1, 3))
        return spread / (n_rows * (chances.shape[1] - 1))


@dataclass(frozen=True)
class _Point:
    """Where a batch of problems stands."""

    weights: Tensor  # (sets, classes, problems, width + 1)
    scores: Tensor  # (sets, classes, problems, rows)
    gradient: Tensor  # as weights

    def thinned(self, left: tuple[Tensor, ...]) -> _Point:
        """Where some of the problems stand."""
        return _Point(*_pick(left, self.weights, self.scores, self.gradient))


class _Work:
    """A batch under way: where it stands and its last steps."""

    def __init__(self, objective: _Objective, start: Solution | None = None) -> None:
        import torch

        self.objective = objective
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        if start is None:
            *shape, _ = objective.targets.shape
            weights = objective.features.new_zeros(*shape, objective.features.shape[2] + 1)
        else:
            found = torch.cat([start.weights, start.intercept[:, None]], dim=1)
            weights = found.movedim(1, 3).contiguous()
        scores = objective.scores(weights)
        chances = objective.chances(scores)
        self.curvature = objective.curvature(chances)
        self.at = self._point(weights, scores, chances)

    def _point(self, weights: Tensor, scores: Tensor, chances: Tensor) -> _Point:
        gradient = self.objective.gradient(chances.sub_(self.objective.targets), weights)
        return _Point(weights, scores, gradient)

    def thinned(self, left: tuple[Tensor, ...]) -> _Work:
        """Some of its problems, with what they remember."""
        rest = object.__new__(_Work)
        rest.objective = self.objective.thinned(left)
        rest.at = self.at.thinned(left)
        (rest.curvature,) = _pick(left, self.curvature)
        rest.pairs = [tuple(_pick(left, *pair)) for pair in self.pairs]  # type: ignore[misc]
        return rest

    def direction(self) -> tuple[Tensor, Tensor, Tensor]:
        """Quasi-Newton direction, its slope, and which problems are done."""
        at, objective = self.at, self.objective
        direction = self._two_loops(at.gradient, objective.metric(self.curvature)).neg_()
        slope = (direction * at.gradient).sum((1, 3))
        size = (objective.ridge[:, None] * at.weights.square()).sum((1, 3))
        floor = (10 * objective.epsilon) ** 2 * objective.rows.sum(1)[:, None]
        return direction, slope, -slope <= objective.tolerance.square() * size + floor

    def _two_loops(self, gradient: Tensor, metric: Tensor) -> Tensor:
        """Inverse Hessian times the gradient (Nocedal & Wright 2006, algorithm 7.4)."""
        found, shares = gradient.clone(), []
        for step, change, inverse in reversed(self.pairs):
            share = (inverse * (step * found).sum((1, 3)))[:, None, :, None]
            found.addcmul_(share, change, value=-1.0)
            shares.append(share)
        found /= metric
        for (step, change, inverse), share in zip(self.pairs, reversed(shares), strict=True):
            back = (inverse * (change * found).sum((1, 3)))[:, None, :, None]
            found.addcmul_(share - back, step)
        return found

    def move(self, direction: Tensor, slope: Tensor) -> None:
        """Step until the slope has levelled out; problems of slope 0 stay where they are.

        The losses are convex: a step whose end still slopes down, or up by less than half of what
        it sloped down, has descended. Slopes bear rounding where differences of losses do not.
        """
        objective, at = self.objective, self.at
        along = objective.scores(direction)
        pull = objective.ridge[:, None] * direction
        ridge = ((pull * at.weights).sum((1, 3)), (pull * direction).sum((1, 3)))
        step = (slope < 0).to(slope.dtype)
        for _ in range(_TRIES):
            scores = at.scores.addcmul(step[:, None, :, None], along)
            chances = objective.chances(scores)
            there = ((chances - objective.targets) * along).sum((1, 3)) + ridge[0] + step * ridge[1]
            far = (there > -OVERSHOOT * slope) & (slope < 0)
            if not bool(far.any()):
                break
            step = step.where(~far, step * slope / (slope - there))
        moved = step[:, None, :, None] * direction
        self._remember(at, self._point(at.weights + moved, scores, chances), moved)

    def _remember(self, before: _Point, after: _Point, step: Tensor) -> None:
        """Keep the last steps, and the mean curvature of the losses along this one.

        A problem that did not move leaves no trace.
        """
        change = after.gradient - before.gradient
        product = (step * change).sum((1, 3))
        inverse = product.reciprocal().where(product > 0, product.new_zeros(()))
        self.pairs = [*self.pairs[-MEMORY + 1 :], (step, change, inverse)]
        square = step.square().sum(1)
        own = (square * self.objective.ridge).sum(2)
        mass = (square * self.objective.spectrum[:, None]).sum(2)
        found = ((product - own) / mass).clamp_min(_FLATTEST)
        self.curvature = found.where(mass > 0, self.curvature)
        self.at = after
