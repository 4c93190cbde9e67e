"""The nnsight backend: the same weights seen through an nnsight 0.8 trace.

For people who live in nnsight, and as an independent check of the hooks. nnsight puts its own
``forward`` on every module it wraps and leaves it there, so it is given a twin that shares the
parameters. Costs wrapping (under a second) and a trace per batch. Importing nnsight adds a ``save``
method to every Python object; that is nnsight's doing, and happens only where this backend is used.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from probekit.errors import ModelError
from probekit.models.backends.hooks import last_site, place
from probekit.models.backends.sharing import as_batch, twin
from probekit.sites import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from torch import Tensor

    from probekit.models.subject import Subject

#: A trace must ask in the order in which a forward arrives; within a block it is this one.
FORWARD_ORDER = ("embed", "attn_out", "mlp_pre", "mlp_act", "mlp_out", "resid_post")


class NnsightBackend:
    """A trace over a twin of the subject's model."""

    name = "nnsight"

    def __init__(self, subject: Subject) -> None:
        from nnsight import NNsight

        self.subject = subject
        with warnings.catch_warnings():
            # BERT's submodule called `output` moves to another attribute; paths stay as they are
            warnings.filterwarnings("ignore", message=".*nnsight already serves.*")
            self._traced = NNsight(twin(subject.model))
        self._parts = dict(self._traced.named_modules())

    def run(
        self,
        inputs: Mapping[str, Tensor],
        sites: Collection[Site],
        consume: Callable[[Site, Tensor], None],
    ) -> None:
        """Run one batch; see :class:`probekit.models.backends.Backend`.

        Raises
        ------
        ModelError
            The model computes its parts in another order than a trace can follow.
        """
        import torch
        from nnsight.intervention.interleaver import OutOfOrderError

        last = last_site(sites)
        if last is None:
            return
        ordered = sorted(set(sites), key=_forward_order)
        readers = [(site, *place(self.subject, site)) for site in ordered]
        end = (last, *place(self.subject, last))
        try:
            with torch.inference_mode():
                self._trace(inputs, readers, end, consume=consume)
        except OutOfOrderError as error:
            msg = (
                f"backend 'nnsight' cannot follow {self.subject.anatomy.architecture}: its parts "
                "do not run in the usual order. Use the default backend 'hooks'."
            )
            raise ModelError(msg) from error

    def _trace(
        self,
        inputs: Mapping[str, Tensor],
        readers: list[tuple[Site, str, str, int]],
        end: tuple[Site, str, str, int],
        *,
        consume: Callable[[Site, Tensor], None],
    ) -> None:
        shape = inputs["input_ids"].shape
        ends_inside = readers[-1][0] != end[0]
        with self._traced.trace(**inputs, use_cache=False) as tracer:
            for site, path, side, part in readers:
                hidden = self._read(path, side)
                consume(site, as_batch(hidden, shape)[..., : part or None])
            if ends_inside:
                self._read(end[1], end[2])
            tracer.stop()

    def _read(self, path: str, side: str) -> Any:
        envoy = self._parts[f"{self._traced.path}.{path}"]
        value = envoy.input if side == "input" else envoy.output
        return value[0] if isinstance(value, tuple) else value


def _forward_order(site: Site) -> tuple[int, int]:
    return site.layer, FORWARD_ORDER.index(site.kind)
