"""The part of a model that an erasure changes: from the first block that moves to the last needed.

Blocks below the first that moves never change, so their output is computed once a batch and kept
(float32 or the model's type) while it fits a memory budget; a step then costs the blocks above it.
The forward ends after the last block that is needed: the read layer of RMU, or the last block.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from probekit.models.backends.sharing import PassIsOver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from probekit.erasure.texts import TextBatch
    from probekit.models import Subject


class Tail:
    """Runs blocks ``first`` … ``last`` of a subject on batches.

    Parameters
    ----------
    subject
        The model.
    first
        Shallowest block that moves; None when the embedding itself does.
    cache_bytes
        Most bytes of kept outputs; batches beyond it run from the start each time.
    kept
        Outputs of an earlier tail of the same base, first block and batches, to go on with.
    """

    def __init__(
        self,
        subject: Subject,
        first: int | None,
        *,
        cache_bytes: int,
        kept: dict[int, Tensor] | None = None,
    ) -> None:
        self.subject = subject
        self.first = first or 0
        self.cache_bytes = cache_bytes
        self._kept = {} if kept is None else kept
        self.used_bytes = sum(t.numel() * t.element_size() for t in self._kept.values())
        self._skips: bool | None = None if self.first else False
        self._extra = 0
        self._plain = True

    def run(self, batch: TextBatch, last: int | None = None) -> Tensor:
        """Output of block ``last`` (the model's last when not said): (text, position, width)."""
        last = self.subject.anatomy.n_blocks - 1 if last is None else last
        start = self._start_of(batch) if last >= self.first else None
        if start is None:
            return self._forward(batch, last, side="output")
        with self._skipping(start):
            return self._forward(batch, last, side="output")

    def _start_of(self, batch: TextBatch) -> Tensor | None:
        """Input of block ``first``, kept where the budget allows."""
        import torch

        if self._skips is False:
            return None
        found = self._kept.get(id(batch))
        if found is not None:
            if self._skips is None:
                self._skips = self._agrees(batch, found)
            return found if self._skips else None
        size = batch.n_tokens * self.subject.anatomy.d_model * self.subject.dtype.itemsize
        if self.used_bytes + size > self.cache_bytes:
            return None
        with torch.no_grad():
            start = self._forward(batch, self.first, side="input").clone()
        if self._skips is None:
            self._skips = self._agrees(batch, start)
            if not self._skips:
                return None
        self._kept[id(batch)] = start
        self.used_bytes += size
        return start

    def _agrees(self, batch: TextBatch, start: Tensor) -> bool:
        """Whether this architecture can be entered at a block: compared once with the whole."""
        import torch

        with torch.no_grad():
            whole = self._forward(batch, self.first, side="output").clone()
            try:
                with self._skipping(start):
                    part = self._forward(batch, self.first, side="output")
            except Exception:  # blocks that hand more than their output to the next (T5)
                return False
        return bool(torch.allclose(whole, part, rtol=1e-4, atol=1e-5 * float(whole.abs().max())))

    def _forward(self, batch: TextBatch, layer: int, *, side: str) -> Tensor:
        """Run the model until the input or output of a block."""
        anatomy, model = self.subject.anatomy, self.subject.model
        seen: list[Tensor] = []

        def before(_module: Any, args: Any, kwargs: Any) -> None:
            seen.append(args[0] if args else kwargs["hidden_states"])
            raise PassIsOver

        def after(_module: Any, _args: Any, output: Any) -> None:
            seen.append(output[0] if isinstance(output, tuple) else output)
            raise PassIsOver

        def look(_module: Any, _args: Any, output: Any) -> None:
            self._plain = not isinstance(output, tuple)
            self._extra = 0 if self._plain else len(output) - 1

        block = model.get_submodule(anatomy.block(layer))
        with ExitStack() as hooks:
            if side == "input":
                hooks.callback(block.register_forward_pre_hook(before, with_kwargs=True).remove)
                if layer:
                    below = model.get_submodule(anatomy.block(layer - 1))
                    hooks.callback(below.register_forward_hook(look).remove)
            else:
                hooks.callback(block.register_forward_hook(after).remove)
            with suppress(PassIsOver):
                model(**batch.inputs, use_cache=False)
        return seen[0].reshape(*batch.inputs["input_ids"].shape, -1)

    @contextmanager
    def _skipping(self, start: Tensor) -> Iterator[None]:
        """Blocks below ``first`` pass on what they get; block ``first`` gets ``start``."""
        anatomy, model = self.subject.anatomy, self.subject.model
        blocks = [model.get_submodule(anatomy.block(layer)) for layer in range(self.first)]

        def pass_on(*args: Any, **kwargs: Any) -> Any:
            hidden = args[0] if args else kwargs["hidden_states"]
            return hidden if self._plain else (hidden, *(None,) * self._extra)

        def enter(_module: Any, args: Any, kwargs: Any) -> Any:
            fresh = start.clone()  # some families add into their input
            if args:
                return (fresh, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": fresh}

        entry = model.get_submodule(anatomy.block(self.first))
        handle = entry.register_forward_pre_hook(enter, with_kwargs=True)
        try:
            for block in blocks:
                block.forward = pass_on
            yield
        finally:
            handle.remove()
            for block in blocks:
                block.__dict__.pop("forward", None)
