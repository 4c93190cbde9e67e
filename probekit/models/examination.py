"""The measurements behind the doctor, one method a row.

Kept apart from ``doctor.py``, which says what is reported and how. An error between two captures is
relative and taken per token, ``‖a − b‖ / ‖b‖``, and the worst token counts: one massive token then
neither hides the others nor is held to an absolute bound.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from probekit.models.backends import open_backend
from probekit.models.head import final_norm
from probekit.models.inputs import PaddingSide, pad_batch
from probekit.sites import Site, SiteKind, residual_sites

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from probekit.models.subject import Subject

    Ids = list[list[int]]
    Tokens = dict[Site, Tensor]  # each [token, width], the tokens of all texts in order

NOT_APPLICABLE = "not applicable"

#: A feature is called massive when it exceeds this many median token norms of its layer.
MASSIVE = 1.0


class Finding(NamedTuple):
    """One measured row, with the fields of ``doctor.Check``."""

    name: str
    value: float | str | None
    detail: str
    ok: bool = True
    per_layer: tuple[float, ...] = ()


class Examination:
    """All measurements of one stack of one subject on the same few texts."""

    def __init__(self, subject: Subject, ids: Ids, *, tolerance: float) -> None:
        self.subject, self.ids, self.tolerance = subject, ids, tolerance
        self.layers = residual_sites(subject.anatomy.n_blocks)
        self.hooks_at_start = count_hooks(subject.model)
        # transformers itself leaves hooks on a model asked for hidden states: with them a plain
        # forward, no probekit in it, sets the number that every capture must return to
        self.reference = self._plain_forward()
        self.hooks_before = count_hooks(subject.model)

    def findings(self) -> tuple[Finding, ...]:
        """Every row, in the order in which they are read; hooks are counted last."""
        return (
            self.blocks(),
            self.norms(),
            self.neurons(),
            self.unembedding(),
            self.finite(),
            self.capture(),
            self.lens(),
            self.norm_position(),
            self.batching(),
            self.padding(),
            self.massive(),
            self.hooks(),
        )

    def _plain_forward(self) -> Any:
        """Run the right-padded batch through plain Hugging Face, hidden states included."""
        import torch

        with torch.inference_mode():
            inputs = pad_batch(self.subject, self.ids)
            return self.subject.model(**inputs, use_cache=False, output_hidden_states=True)

    @cached_property
    def hidden_states(self) -> tuple[Tensor, ...]:
        """``output_hidden_states`` of this stack, content tokens only; empty if none are given."""
        both = f"{self.subject.anatomy.stack}_hidden_states"
        found = getattr(self.reference, both, None)
        found = found if found is not None else getattr(self.reference, "hidden_states", None)
        return tuple(self._content(hidden) for hidden in found or ())

    @cached_property
    def captured(self) -> Tokens:
        """Every layer of the right-padded batch, by the hooks."""
        return self._capture(self.ids, self.layers)

    @cached_property
    def last(self) -> Tensor:
        """Output of the last block as the model holds it (its own type and device)."""
        anatomy = self.subject.anatomy
        here = Site(anatomy.n_blocks - 1, "resid_post")
        got: list[Tensor] = []
        run = open_backend("hooks", self.subject).run
        run(pad_batch(self.subject, self.ids), [here], lambda _, hidden: got.append(hidden.clone()))
        return got[0]

    def blocks(self) -> Finding:
        """Every block runs once, in order."""
        anatomy = self.subject.anatomy
        order: list[int] = []
        handles = [
            self.subject.model.get_submodule(anatomy.block(layer)).register_forward_hook(
                lambda *_, layer=layer: order.append(layer)
            )
            for layer in range(anatomy.n_blocks)
        ]
        try:
            self.subject.forward(pad_batch(self.subject, self.ids[:1]))
        finally:
            for handle in handles:
                handle.remove()
        ok = order == list(range(anatomy.n_blocks))
        ran = "each runs once, in order" if ok else f"ran in the order {order}"
        detail = f"{anatomy.n_blocks} blocks of width {anatomy.d_model}, {ran}"
        return Finding("blocks", anatomy.blocks, f"{detail}; found by {anatomy.found_by}", ok)

    def norms(self) -> Finding:
        """Norms inside a block, and the one after the last block."""
        anatomy = self.subject.anatomy
        block = self.subject.model.get_submodule(anatomy.block(0))
        inside = [name for name, part in block.named_modules() if _is_norm(part)]
        final = anatomy.final_norm
        kind = type(self.subject.model.get_submodule(final)).__name__ if final else "none"
        detail = f"final norm: {kind}; in a block: {', '.join(inside) or 'none'}"
        return Finding("norms", final or NOT_APPLICABLE, detail)

    def neurons(self) -> Finding:
        """Check the width of captured neurons, and that the down projection leads to mlp_out."""
        neurons = self.subject.anatomy.neurons
        if neurons is None:
            why = f"{NOT_APPLICABLE}: {self.subject.anatomy.no_neurons}"
            return Finding("neurons", None, why)
        errors, widths = self._through_down()
        ok = widths == {neurons.width} and self._close(errors)
        detail = (
            f"{neurons.pre} ({neurons.pre_part}) to {neurons.down}, widths {sorted(widths)}; "
            f"down projection of mlp_act against mlp_out: {max(errors):.1e}"
        )
        return Finding("neurons", neurons.width, detail, ok)

    def unembedding(self) -> Finding:
        """Where logits come from, and how many there are."""
        anatomy = self.subject.anatomy
        if not anatomy.head:
            detail = f"{NOT_APPLICABLE}: nothing leads from this stack to logits"
            return Finding("unembedding", None, detail)
        width = self.reference.logits.shape[-1]
        path = " → ".join(anatomy.head)
        return Finding("unembedding", anatomy.unembed, f"{path}; {width} logits")

    def finite(self) -> Finding:
        """Count NaN and infinite values at every layer."""
        bad = tuple(int((~hidden.isfinite()).sum()) for hidden in self.captured.values())
        detail = f"{sum(bad)} NaN or infinite values over all layers"
        return Finding("finite", sum(bad), detail, not any(bad), bad)

    def capture(self) -> Finding:
        """Hooks against ``output_hidden_states``, every layer."""
        name, states = "capture parity", self.hidden_states
        if len(states) != len(self.layers):
            found = f"the model gives {len(states)} hidden states for {len(self.layers)} layers"
            return Finding(name, None, found, ok=False)
        pairs = [*zip(self.captured.values(), states, strict=True)][:-1]
        _, ended = self._ending()
        absolute = (*(largest_difference(*pair) for pair in pairs), ended[0])
        errors = (*(relative_error(*pair) for pair in pairs), ended[1])
        worst = max(range(len(errors)), key=lambda index: _nan_is_worst(errors[index]))
        detail = (
            f"worst at layer {worst - 1}: max|difference| {absolute[worst]:.1e}, "
            f"relative {errors[worst]:.1e}"
        )
        return Finding(name, max(absolute), detail, self._close(errors), absolute)

    def lens(self) -> Finding:
        """Head of the last block's output against the model's own logits."""
        import torch

        if not self.subject.anatomy.head:
            return Finding("lens parity", None, f"{NOT_APPLICABLE}: no unembedding")
        own = self._content(self.reference.logits)
        with torch.inference_mode():
            lens = self._content(self.subject.logits(self.last))
        error, absolute = relative_error(lens, own), largest_difference(lens, own)
        detail = f"lens of the last block against the logits: relative {error:.1e}"
        return Finding("lens parity", absolute, detail, self._close([error]))

    def norm_position(self) -> Finding:
        """Which form of the last block's output ``hidden_states[-1]`` is."""
        if not self.hidden_states:
            return Finding("final norm", None, f"{NOT_APPLICABLE}: no hidden states")
        where, (_, error) = self._ending()
        detail = f"hidden_states[-1] is {where} (relative {error:.1e}); probekit reads before it"
        return Finding("final norm", where, detail, self._close([error]))

    def batching(self) -> Finding:
        """One padded batch against one text at a time."""
        singles = [self._capture([text], self.layers) for text in self.ids]
        alone = {site: _joined(single[site] for single in singles) for site in self.layers}
        return self._agreement("batch = single", alone, "eight texts padded against each alone")

    def padding(self) -> Finding:
        """Left against right padding."""
        left = self._capture(self.ids, self.layers, side="left")
        return self._agreement("left = right", left, "left against right padding")

    def massive(self) -> Finding:
        """Report the largest feature of each layer against its median token norm."""
        ratios, where = [], []
        for site, hidden in self.captured.items():
            size = hidden.abs().amax(dim=0)
            feature = int(size.argmax())
            ratio = float(size[feature]) / max(float(hidden.norm(dim=-1).median()), 1e-12)
            ratios.append(ratio)
            where.append((ratio, site.layer, feature))
        top = sorted(where, reverse=True)[:3]
        shown = ", ".join(f"layer {at} dimension {dim}: {ratio:.1f}" for ratio, at, dim in top)
        count = sum(ratio > MASSIVE for ratio in ratios)
        detail = f"max|x| over median norm; above {MASSIVE:g} in {count} layers; {shown}"
        return Finding("massive activations", max(ratios), detail, per_layer=tuple(ratios))

    def hooks(self) -> Finding:
        """Compare the hooks on all modules after the captures with those before them."""
        after, before = count_hooks(self.subject.model), self.hooks_before
        own = before - self.hooks_at_start
        detail = f"{before} before the captures, {after} after"
        detail += f" ({own} left by transformers' output_hidden_states)" if own else ""
        return Finding("hooks removed", after - before, detail, after == before)

    def _ending(self) -> tuple[str, tuple[float, float]]:
        """Name the form that ``hidden_states[-1]`` is; its absolute and relative error."""
        import torch

        subject, target = self.subject, self.hidden_states[-1]
        forms = {"the last block's output": self.last}
        with torch.inference_mode():
            if subject.anatomy.final_norm:
                forms["after the final norm"] = final_norm(subject, self.last)
            form = self.last
            for path in subject.anatomy.head[:-1]:
                form = subject.model.get_submodule(path)(form)
                forms.setdefault(f"after {path}", form)
        errors = {
            name: (largest_difference(form, target), relative_error(form, target))
            for name, form in ((name, self._content(form)) for name, form in forms.items())
        }
        return min(errors.items(), key=lambda item: _nan_is_worst(item[1][1]))

    def _agreement(self, name: str, other: Tokens, what: str) -> Finding:
        pairs = [(other[site], self.captured[site]) for site in self.layers]
        errors = tuple(relative_error(*pair) for pair in pairs)
        worst = max(range(len(errors)), key=lambda index: _nan_is_worst(errors[index]))
        detail = f"{what}: worst at layer {worst - 1}, max|difference| "
        detail += f"{largest_difference(*pairs[worst]):.1e}, tolerance {self.tolerance:g}"
        return Finding(name, errors[worst], detail, self._close(errors), errors)

    def _capture(self, ids: Ids, sites: Iterable[Site], *, side: PaddingSide = "right") -> Tokens:
        inputs = pad_batch(self.subject, ids, side=side)
        mask = inputs["attention_mask"].bool()
        found: Tokens = {}

        def keep(site: Site, hidden: Tensor) -> None:
            found[site] = hidden[mask].float().cpu()

        wanted = tuple(sites)
        open_backend("hooks", self.subject).run(inputs, wanted, keep)
        return {site: found[site] for site in wanted}

    def _content(self, hidden: Tensor) -> Tensor:
        mask = pad_batch(self.subject, self.ids)["attention_mask"].bool()
        return hidden[mask].float().cpu()

    def _through_down(self) -> tuple[list[float], set[int]]:
        """Error of down(mlp_act) against mlp_out at every block, and the widths seen."""
        anatomy, inputs = self.subject.anatomy, pad_batch(self.subject, self.ids)
        down, mask = anatomy.require_neurons().down, inputs["attention_mask"].bool()
        errors: list[float] = []
        widths: set[int] = set()
        held: dict[str, Tensor] = {}

        def see(site: Site, hidden: Tensor) -> None:
            if site.kind != "mlp_out":
                held[site.kind] = hidden[mask]
                widths.add(hidden.shape[-1])
                return
            module = self.subject.model.get_submodule(f"{anatomy.block(site.layer)}.{down}")
            again = module.forward(held["mlp_act"])  # not called: its hooks are what is running
            errors.append(relative_error(again.float(), hidden[mask].float()))

        kinds: tuple[SiteKind, ...] = ("mlp_pre", "mlp_act", "mlp_out")
        sites = [Site(layer, kind) for layer in range(anatomy.n_blocks) for kind in kinds]
        open_backend("hooks", self.subject).run(inputs, sites, see)
        return errors, widths

    def _close(self, errors: Iterable[float]) -> bool:
        return all(error <= self.tolerance for error in errors)  # NaN is not close


def relative_error(a: Tensor, b: Tensor) -> float:
    """``max over tokens of ‖a − b‖ / ‖b‖``; infinite where the shapes differ."""
    if a.shape != b.shape:
        return float("inf")
    scale = b.norm(dim=-1).clamp(min=1e-12)
    return float(((a - b).norm(dim=-1) / scale).max())


def largest_difference(a: Tensor, b: Tensor) -> float:
    """``max |a − b|``; infinite where the shapes differ."""
    if a.shape != b.shape:
        return float("inf")
    return float((a - b).abs().max())


def count_hooks(model: Any) -> int:
    """Count forward, pre-forward and backward hooks on every module."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(part, kind)) for part in model.modules() for kind in kinds)


def _is_norm(part: Any) -> bool:
    return "norm" in type(part).__name__.lower()


def _nan_is_worst(error: float) -> float:
    return error if error == error else float("inf")  # noqa: PLR0124 - NaN differs from itself


def _joined(pieces: Iterable[Tensor]) -> Tensor:
    import torch

    return torch.cat(list(pieces))
