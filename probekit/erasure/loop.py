"""The training loop: steps in an order that the seed alone decides, checks, one checkpoint a check.

A killed run goes on from its last check and ends in the same bytes. Weights below float32 are
trained through float32 masters. Costs three times the tensors that move, in float32.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from probekit.erasure.progress import SilentSteps, StepProgress
from probekit.errors import InterruptedRun, NumericalError

if TYPE_CHECKING:
    from torch import Tensor

    from probekit.erasure.storage import Workplace

#: Loss of one step: (step) → (loss to minimise, its parts by name).
Objective = Callable[[int], tuple["Tensor", dict[str, float]]]


class Verdict(NamedTuple):
    """What a check says: why to stop (empty: go on), and whether to go back one check."""

    stop: str = ""
    back: bool = False


#: A check of the model as it is: (its numbers) and what they mean.
Check = Callable[[], tuple[dict[str, Any], Verdict]]


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """Steps, rate and limits of a loop; see :class:`~probekit.erasure.EraseSettings`."""

    what: str
    lr: float
    max_steps: int
    check_every: int
    clip: float
    max_seconds: float | None = None


@dataclass
class Log:
    """What a loop did.

    Attributes
    ----------
    steps
        Steps whose effect is in the tensors.
    losses
        Parts of the loss, one mapping a step.
    checks
        Numbers of every check, with its ``step``.
    stopped
        Why it stopped.
    seconds
        Training time, of all sittings together.
    """

    steps: int = 0
    losses: list[dict[str, float]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""
    seconds: float = 0.0


def shuffled(n: int, *, stream: tuple[int, ...]) -> Callable[[int], int]:
    """Which of ``n`` batches a step takes: every epoch in an order of its own, by seed alone."""

    def choose(step: int) -> int:
        epoch, place = divmod(step, n)
        return int(np.random.default_rng([*stream, epoch]).permutation(n)[place])

    return choose


class Loop:
    """AdamW without weight decay on some tensors, until a check or a limit says stop."""

    def __init__(
        self,
        tensors: dict[str, Tensor],
        settings: LoopSettings,
        *,
        place: Workplace | None = None,
        progress: StepProgress | None = None,
    ) -> None:
        self.tensors, self.settings, self.place = tensors, settings, place
        self.progress = progress or SilentSteps()
        self.masters = {
            name: tensor if tensor.dtype == torch.float32 else tensor.detach().float().clone()
            for name, tensor in tensors.items()
        }
        self.optimizer = torch.optim.AdamW(
            list(self.masters.values()), lr=settings.lr, weight_decay=0.0, foreach=False
        )
        self.log = Log()
        self._kept: dict[str, Tensor] = {}

    def run(self, objective: Objective, check: Check) -> Log:
        """Train; the tensors given hold the result.

        Raises
        ------
        InterruptedRun
            Ctrl-C; the last checkpoint is kept.
        NumericalError
            A loss or gradient that is not finite.
        """
        how = self.settings
        self._resume()
        log = self.log
        self.progress.start(how.what, total=how.max_steps, done=log.steps)
        try:
            if not log.checks:
                self._check(check)
            for _ in self._steps():
                self._step(objective)
                if log.steps % how.check_every == 0 or log.steps == how.max_steps or self._late():
                    self._check(check)
        except KeyboardInterrupt:
            raise self._interrupted() from None
        return log

    def _steps(self) -> Iterator[int]:
        """Count steps until something stops them."""
        while not self.log.stopped and self.log.steps < self.settings.max_steps:
            yield self.log.steps
        self.log.stopped = self.log.stopped or "max_steps"

    def _late(self) -> bool:
        limit = self.settings.max_seconds
        return limit is not None and self.log.seconds >= limit

    def _step(self, objective: Objective) -> None:
        start = time.perf_counter()
        loss, parts = objective(self.log.steps)
        if not bool(torch.isfinite(loss)):
            msg = (
                f"loss of step {self.log.steps} is not finite. Lower lr, or load the subject in "
                "float32."
            )
            raise NumericalError(msg)
        if loss.requires_grad:  # a bounded loss may have nothing left to say
            loss.backward()  # type: ignore[no-untyped-call]
        for name, tensor in self.tensors.items():
            if self.masters[name] is not tensor and tensor.grad is not None:
                self.masters[name].grad = tensor.grad.float()
        torch.nn.utils.clip_grad_norm_(
            list(self.masters.values()), self.settings.clip, error_if_nonfinite=True, foreach=False
        )
        self.optimizer.step()
        self._spread()
        for tensor in (*self.tensors.values(), *self.masters.values()):
            tensor.grad = None
        self.log.steps += 1
        self.log.losses.append(parts)
        self.log.seconds += time.perf_counter() - start
        told = " ".join(f"{name} {value:.4g}" for name, value in parts.items())
        self.progress.step(self.log.steps, told)

    def _spread(self) -> None:
        """Masters to the tensors they stand for."""
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                if self.masters[name] is not tensor:
                    tensor.copy_(self.masters[name])

    def _check(self, check: Check) -> None:
        numbers, verdict = check()
        log = self.log
        log.checks.append({"step": log.steps, **numbers})
        log.stopped = verdict.stop or ("max_seconds" if self._late() else "")
        if verdict.back and self._kept:
            with torch.no_grad():
                for name, value in self._kept.items():
                    self.masters[name].copy_(value)
            self._spread()
            log.steps = next(c["step"] for c in reversed(log.checks[:-1]))
        self._kept = {name: tensor.detach().clone() for name, tensor in self.masters.items()}
        self._save()

    def _save(self) -> None:
        if self.place is None:
            return
        tensors = {f"value/{name}": tensor for name, tensor in self.masters.items()}
        for name, master in self.masters.items():
            for key, value in self.optimizer.state.get(master, {}).items():
                tensors[f"{key}/{name}"] = value
        self.place.save_checkpoint(tensors, vars(self.log))

    def _resume(self) -> None:
        found = self.place.read_checkpoint() if self.place is not None else None
        if found is None:
            return
        tensors, notes = found
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(tensors[f"value/{name}"])
                state = {
                    key: tensors[f"{key}/{name}"].to(master.device if key != "step" else "cpu")
                    for key in ("step", "exp_avg", "exp_avg_sq")
                    if f"{key}/{name}" in tensors
                }
                if state:
                    self.optimizer.state[master] = state
        self._spread()
        self._kept = {name: tensor.detach().clone() for name, tensor in self.masters.items()}
        self.log = Log(**notes)

    def _interrupted(self) -> InterruptedRun:
        kept = self.log.checks[-1]["step"] if self.log.checks and self.place else None
        where = "nothing is kept" if kept is None else f"step {kept} is kept"
        return InterruptedRun(
            f"interrupted at step {self.log.steps} of at most {self.settings.max_steps}; {where}. "
            "The same command resumes where it stopped."
        )
