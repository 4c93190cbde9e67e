"""The default backend: forward hooks on the Hugging Face modules, nothing in between.

Costs what the observers cost: a hook hands over the tensor that the model made anyway. The forward
is left by an exception after the deepest block that is needed, so later blocks, final norm and
unembedding are not computed.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from probekit.errors import ModelError
from probekit.models.backends.sharing import PassIsOver, as_batch
from probekit.sites import EMBED, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import torch
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

    from probekit.models.subject import Subject

    Consume = Callable[[Site, Tensor], None]


class HooksBackend:
    """Plain PyTorch hooks over a subject's own modules."""

    name = "hooks"

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def run(self, inputs: Mapping[str, Tensor], sites: Collection[Site], consume: Consume) -> None:
        """Run one batch; see :class:`probekit.models.backends.Backend`."""
        last = last_site(sites)
        if last is None:
            return
        shape = inputs["input_ids"].shape
        with ExitStack() as hooks:
            for site in sorted(set(sites)):
                hooks.callback(self._hand_over(site, consume, shape=shape).remove)
            module, side, _ = locate(self.subject, last)
            hooks.callback(_watch(module, side, _stop).remove)  # hooks run in this order: last
            with suppress(PassIsOver):
                self.subject.forward(inputs)

    def _hand_over(self, site: Site, consume: Consume, *, shape: torch.Size) -> RemovableHandle:
        module, side, part = locate(self.subject, site)

        def see(hidden: Tensor) -> None:
            consume(site, as_batch(hidden, shape)[..., : part or None])

        return _watch(module, side, see)


def _watch(module: nn.Module, side: str, see: Callable[[Any], None]) -> RemovableHandle:
    """Show a module's first input or first output to ``see``."""
    if side == "input":
        return module.register_forward_pre_hook(
            lambda _, args, kwargs: see(args[0] if args else kwargs["hidden_states"]),
            with_kwargs=True,
        )
    return module.register_forward_hook(
        lambda _module, _args, output: see(output[0] if isinstance(output, tuple) else output)
    )


def _stop(_: Any) -> None:
    raise PassIsOver


def last_site(sites: Collection[Site]) -> Site | None:
    """Name the site after which nothing is needed: the deepest block's output, or the embedding."""
    if not sites:
        return None
    deepest = max(site.layer for site in sites)
    return EMBED if deepest == EMBED.layer else Site(deepest, "resid_post")


def locate(subject: Subject, site: Site) -> tuple[nn.Module, str, int]:
    """Find a site: its module, ``input`` or ``output``, how many leading features (0: all).

    Raises
    ------
    ModelError
        The subject has no such layer, or no such part.
    """
    path, side, part = place(subject, site)
    return subject.model.get_submodule(path), side, part


def place(subject: Subject, site: Site) -> tuple[str, str, int]:
    """Like :func:`locate`, with the module's path instead of the module."""
    anatomy = subject.anatomy
    if not -1 <= site.layer < anatomy.n_blocks:
        msg = (
            f"site {site} is outside the model: {anatomy.architecture} has blocks 0 to "
            f"{anatomy.n_blocks - 1}. Ask for one of those."
        )
        raise ModelError(msg)
    block = anatomy.block(max(site.layer, 0))
    if site.kind in {"embed", "resid_post"}:
        return block, "input" if site == EMBED else "output", 0
    if site.kind == "mlp_act":
        return f"{block}.{anatomy.require_neurons().down}", "input", 0
    if site.kind == "mlp_pre":
        neurons = anatomy.require_neurons()
        part = neurons.width if neurons.pre_part == "first_half" else 0
        return f"{block}.{neurons.pre}", "output", part
    whole = anatomy.attention if site.kind == "attn_out" else anatomy.mlp
    path = anatomy.roles.get(site.kind) or whole
    if path is None:
        msg = (
            f"site {site} is not known for {anatomy.architecture}: its anatomy names no such "
            f"sublayer. Use 'resid_post.{site.layer}'."
        )
        raise ModelError(msg)
    return f"{block}.{path}", "output", 0
