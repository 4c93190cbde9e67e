"""Backends: three ways to see the same activations, behind one protocol.

``hooks`` (default) hangs plain PyTorch hooks on the Hugging Face modules; ``transformer_lens`` and
``nnsight`` run the same weights through those libraries, for people who live there and as an
independent check. All three must agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from probekit.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from torch import Tensor

    from probekit.models.subject import Subject
    from probekit.sites import Site

BACKENDS: tuple[str, ...] = ("hooks", "transformer_lens", "nnsight")


@runtime_checkable
class Backend(Protocol):
    """Runs one padded batch and hands over the activations that were asked for."""

    name: str

    def run(
        self,
        inputs: Mapping[str, Tensor],
        sites: Collection[Site],
        consume: Callable[[Site, Tensor], None],
    ) -> None:
        """Call ``consume(site, activation[batch, position, width])`` once per site.

        The forward stops after the deepest site; nothing is left hooked afterwards. The activation
        is the model's own tensor, which a later operation may write over (Falcon adds its
        attention into it): reduce or clone it, do not keep it.
        """


def open_backend(name: str, subject: Subject) -> Backend:
    """Open the backend called ``name`` over a subject.

    Raises
    ------
    ModelError
        No backend of that name.
    """
    if name == "hooks":
        from probekit.models.backends.hooks import HooksBackend

        return HooksBackend(subject)
    if name == "transformer_lens":
        from probekit.models.backends.transformer_lens import TransformerLensBackend

        return TransformerLensBackend(subject)
    if name == "nnsight":
        from probekit.models.backends.nnsight import NnsightBackend

        return NnsightBackend(subject)
    msg = f"backend must be one of {BACKENDS}. Got {name!r} instead."
    raise ModelError(msg)


__all__ = ["BACKENDS", "Backend", "open_backend"]
