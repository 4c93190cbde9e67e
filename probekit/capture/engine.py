"""One forward pass over a corpus that feeds every observer.

The pass hooks the union of the observers' sites, leaves the forward after the deepest one, gathers
the content tokens once per site and batch, and hands them over. Its floor is the bare forward over
the same batches; ``benchmarks/bench_pass.py`` measures the ratio.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from probekit.capture.observers import Batch
from probekit.capture.tokens import batches, plan_shards
from probekit.errors import InterruptedRun, NumericalError, ProbekitError, StudyError
from probekit.models.inputs import PaddingSide, pad_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from probekit.capture.observers import Observer, State
    from probekit.capture.shards import ShardStore
    from probekit.capture.tokens import ShardPlan, TokenizedCorpus, TokenizedText
    from probekit.models import Subject
    from probekit.models.backends import Backend
    from probekit.sites import Site

#: Bytes of observer state that a shard may reach before it is cut smaller.
SHARD_BYTES = 64 << 20
SMALLEST_BUDGET = 16
#: Keys of states with the axes (layer, language, unit, …).
BY_TEXT = frozenset({"vectors", "norms"})


class Progress(Protocol):
    """Told about the pass as it goes; see ``studies.progress`` for the terminal's."""

    def start(self, *, n_tokens: int, done: int) -> None:
        """The pass has ``n_tokens`` to read, ``done`` of them in earlier, finished shards."""

    def advance(self, n_tokens: int) -> None:
        """``n_tokens`` more were read."""

    def say(self, message: str) -> None:
        """Something the user should know."""


class Silent:
    """No progress."""

    def start(self, *, n_tokens: int, done: int) -> None:
        """Say nothing."""

    def advance(self, n_tokens: int) -> None:
        """Say nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class PassSettings:
    """How a pass runs.

    Attributes
    ----------
    token_budget
        Most padded tokens in one forward; None: 384 on a CPU, 16,384 on a GPU. Halved when memory
        runs out.
    units_per_shard
        Units in a shard; None: 16, or fewer where their pooled vectors would exceed 64 MiB.
    padding_side
        Results do not depend on it.
    """

    token_budget: int | None = None
    units_per_shard: int | None = None
    padding_side: PaddingSide = "right"

    def resolve(self, subject: Subject, n_languages: int) -> PassSettings:
        """The settings with nothing left open."""
        anatomy = subject.anatomy
        per_unit = 4 * n_languages * (anatomy.n_blocks + 1) * anatomy.d_model
        budget = self.token_budget or (384 if subject.device.type == "cpu" else 16_384)
        units = self.units_per_shard or max(1, min(16, SHARD_BYTES // per_unit))
        return PassSettings(budget, units, self.padding_side)


@dataclass(frozen=True)
class Captured:
    """What a pass leaves: its shards, in order.

    Attributes
    ----------
    store, plan
        Where the shards are and which units they hold.
    made
        Those that this call made; the others were finished before.
    notes
        ``token_budget`` that each shard was made with, by shard.
    """

    store: ShardStore
    plan: tuple[ShardPlan, ...]
    made: tuple[ShardPlan, ...]
    notes: tuple[dict[str, int], ...] = field(default=())

    @property
    def n_resumed(self) -> int:
        """Shards that were finished before this call."""
        return len(self.plan) - len(self.made)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of ``observer/key`` in one shard."""
        return self.store.shape(self.plan[0], name)

    def layer(self, name: str, row: int) -> np.ndarray:
        """Row ``row`` of ``observer/key`` over all units: array (language, unit, width)."""
        parts = [self.store.read_row(shard, name, row) for shard in self.plan]
        return np.concatenate(parts, axis=1)


def capture(
    subject: Subject,
    tokens: TokenizedCorpus,
    observers: Sequence[Observer],
    *,
    store: ShardStore,
    backend: Backend,
    settings: PassSettings | None = None,
    progress: Progress | None = None,
) -> Captured:
    """Read the corpus once; finished shards in ``store`` are not read again.

    Raises
    ------
    NumericalError
        NaN or infinity in an activation; names layer and unit.
    InterruptedRun
        Ctrl-C; finished shards are kept.
    StorageError
        A shard could not be written.
    StudyError
        Memory runs out even with one text at a time.
    """
    chosen = (settings or PassSettings()).resolve(subject, tokens.n_languages)
    progress = progress or Silent()
    assert chosen.units_per_shard is not None
    plan = plan_shards(tokens.n_units, chosen.units_per_shard)
    finished = [store.valid(shard) for shard in plan]
    done = sum(_n_tokens(tokens, shard) for shard, ok in zip(plan, finished, strict=True) if ok)
    progress.start(n_tokens=tokens.n_tokens, done=done)
    reader = _Reader(subject, tokens, tuple(observers), backend, chosen, progress)
    # memory that ran out before an interruption runs out again: keep the budget it forced
    earlier = [store.notes(shard) for shard, ok in zip(plan, finished, strict=True) if ok]
    reader.token_budget = min([reader.token_budget, *(n["token_budget"] for n in earlier)])
    for shard, ok in zip(plan, finished, strict=True):
        if ok:
            continue
        try:
            states = reader.read(shard)
        except KeyboardInterrupt:
            msg = (
                f"interrupted after {store_count(store, plan)} of {len(plan)} shards. The "
                "same command resumes where it stopped."
            )
            raise InterruptedRun(msg) from None
        store.write(shard, states, notes={"token_budget": reader.token_budget})
    notes = tuple(store.notes(shard) for shard in plan)
    made = tuple(shard for shard, ok in zip(plan, finished, strict=True) if not ok)
    return Captured(store, plan, made, notes)


def store_count(store: ShardStore, plan: Sequence[ShardPlan]) -> int:
    """How many shards of a plan lie in a store."""
    return sum(store.path(shard.index).exists() for shard in plan)


def _n_tokens(tokens: TokenizedCorpus, shard: ShardPlan) -> int:
    return sum(len(text.ids) for text in tokens.of_units(shard.start, shard.stop))


class _Reader:
    """Reads shards; keeps the token budget, which memory may force down."""

    def __init__(
        self,
        subject: Subject,
        tokens: TokenizedCorpus,
        observers: tuple[Observer, ...],
        *rest: Any,
    ) -> None:
        self.subject, self.tokens, self.observers = subject, tokens, observers
        self.backend, self.settings, self.progress = rest
        self.token_budget: int = self.settings.token_budget
        self.wanted: dict[Site, list[Observer]] = {}
        for observer in observers:
            for site in observer.sites(subject.anatomy):
                self.wanted.setdefault(site, []).append(observer)

    def read(self, shard: ShardPlan) -> dict[str, State]:
        """States of all observers for one shard, with a smaller budget if memory runs out."""
        while True:
            try:
                return self._read_once(shard)
            except (RuntimeError, MemoryError) as error:
                if isinstance(error, ProbekitError) or not is_out_of_memory(error):
                    raise
                if self.token_budget <= SMALLEST_BUDGET:
                    raise _too_large(error) from error
                self.token_budget //= 2
                self.progress.say(f"out of memory: token budget halved to {self.token_budget}")
            free_device_memory(self.subject)

    def _read_once(self, shard: ShardPlan) -> dict[str, State]:
        states = self._states(shard, self.token_budget, self.progress)
        if not all_finite(states):
            # A pooling product spreads NaN over its batch; alone, every text shows its own.
            check_finite(self._states(shard, 1, Silent()), shard, self.tokens)
            check_finite(states, shard, self.tokens)
        return states

    def _states(self, shard: ShardPlan, token_budget: int, progress: Progress) -> dict[str, State]:
        for observer in self.observers:
            observer.start(shard, n_languages=self.tokens.n_languages, anatomy=self.subject.anatomy)
        texts = self.tokens.of_units(shard.start, shard.stop)
        for rows in batches(texts, token_budget=token_budget):
            self._forward(rows)
            progress.advance(sum(len(text.ids) for text in rows))
        return {observer.name: observer.state() for observer in self.observers}

    def _forward(self, rows: Sequence[TokenizedText]) -> None:
        inputs = pad_batch(
            self.subject, [text.ids for text in rows], side=self.settings.padding_side
        )
        width = inputs["input_ids"].shape[1]
        batch = Batch(rows, width, self.settings.padding_side, self.subject.device)

        def consume(site: Site, hidden: Tensor) -> None:
            flat = hidden.reshape(-1, hidden.shape[-1])
            content = flat.index_select(0, batch.content_index).float()
            for observer in self.wanted[site]:
                observer.observe(site, content, hidden=hidden, batch=batch)

        self.backend.run(inputs, self.wanted.keys(), consume)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device or the host has no memory left."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text


def _too_large(error: BaseException) -> StudyError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    msg = (
        f"memory runs out even with one text at a time ({reason}). "
        "Lower --max-tokens, use --dtype bfloat16, or another --device."
    )
    return StudyError(msg)


def free_device_memory(subject: Subject) -> None:
    """Give cached blocks back to a GPU."""
    import torch

    if subject.device.type == "cuda":
        torch.cuda.empty_cache()


def all_finite(states: dict[str, State]) -> bool:
    """Whether no state holds NaN or infinity."""
    arrays = (array for state in states.values() for array in state.values())
    return all(np.isfinite(array).all() for array in arrays if array.dtype.kind == "f")


def check_finite(states: dict[str, State], shard: ShardPlan, tokens: TokenizedCorpus) -> None:
    """Stop on NaN or infinity, naming the layer and, where it is known, unit and language.

    Raises
    ------
    NumericalError
        Some value is not finite.
    """
    for name, state in states.items():
        for key in sorted(state, key=lambda key: key not in BY_TEXT):
            array = state[key]
            if array.dtype.kind != "f" or np.isfinite(array).all():
                continue
            where = np.argwhere(~np.isfinite(array))[0]
            at = f"layer {where[0] - 1}"
            if key in BY_TEXT:
                unit, language = tokens.units[shard.start + where[2]], tokens.languages[where[1]]
                at += f", unit {unit!r} in {language!r}"
            msg = (
                f"activations contain NaN or infinity at {at} ({name}/{key}). Try --dtype "
                "float32; if it stays, the checkpoint is damaged."
            )
            raise NumericalError(msg)
