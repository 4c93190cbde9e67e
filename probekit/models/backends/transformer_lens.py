"""The TransformerLens backend: the same weights seen through a TransformerLens 4 bridge.

For people who live in TransformerLens, and as an independent check of the hooks. The bridge rewires
modules in place and switches to eager attention, so it is given a twin that shares the parameters;
numbers differ from the default backend by the rounding of eager against fused attention. Costs a
boot (about a second) and a slower forward.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from probekit.errors import ModelError
from probekit.models.backends.hooks import last_site, place
from probekit.models.backends.sharing import PassIsOver, as_batch, twin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from torch import Tensor

    from probekit.models.subject import Subject
    from probekit.sites import Site

#: Hook points of a block for each kind of site, in the order they are tried.
HOOK_POINTS: Mapping[str, tuple[str, ...]] = {
    "embed": ("hook_in",),
    "resid_post": ("hook_out",),
    "mlp_pre": ("mlp.gate.hook_out", "mlp.in.hook_out"),
    "mlp_act": ("mlp.out.hook_in",),
    "attn_out": ("attn.o.hook_out", "self_attn.o.hook_out"),
    "mlp_out": ("mlp.out.hook_out",),
}


class TransformerLensBackend:
    """Bridge hooks over a twin of the subject's model.

    Raises
    ------
    ModelError
        TransformerLens has no adapter for the architecture.
    """

    name = "transformer_lens"

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._bridge = _boot(subject)

    def run(
        self,
        inputs: Mapping[str, Tensor],
        sites: Collection[Site],
        consume: Callable[[Site, Tensor], None],
    ) -> None:
        """Run one batch; see :class:`probekit.models.backends.Backend`."""
        import torch

        last = last_site(sites)
        if last is None:
            return
        shape = inputs["input_ids"].shape

        def watch(site: Site) -> tuple[str, Callable[..., None]]:
            return self.hook_point(site), lambda hidden, **_: consume(site, as_batch(hidden, shape))

        hooks = [watch(site) for site in sorted(set(sites))]
        hooks.append((self.hook_point(last), _stop))  # hooks of one point run in this order
        with torch.inference_mode(), self._bridge.hooks(fwd_hooks=hooks), suppress(PassIsOver):
            self._bridge.original_model(**inputs, use_cache=False)

    def hook_point(self, site: Site) -> str:
        """Name the bridge's hook point for a site.

        Raises
        ------
        ModelError
            The subject has no such site, or the bridge gives none for it.
        """
        place(self.subject, site)  # the subject's own limits come first
        anatomy, names = self.subject.anatomy, self._bridge.hook_dict
        both = getattr(self.subject.model.config, "is_encoder_decoder", False)
        block = f"{anatomy.stack}_blocks" if both else "blocks"
        for point in HOOK_POINTS[site.kind]:
            name = f"{block}.{max(site.layer, 0)}.{point}"
            if name in names:
                return name
        msg = (
            f"site {site} has no hook in TransformerLens' bridge for {anatomy.architecture}. "
            "Use the default backend 'hooks'."
        )
        raise ModelError(msg)


def _boot(subject: Subject) -> Any:
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    architecture = subject.anatomy.architecture
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about attention that does not concern a capture
        try:
            body = twin(subject.model)
            return build_bridge_from_module(body, architecture, hf_config=body.config)
        except Exception as error:
            msg = (
                f"backend 'transformer_lens' cannot open {architecture}: "
                f"{(str(error).splitlines() or [type(error).__name__])[0]}. "
                "Use the default backend 'hooks'."
            )
            raise ModelError(msg) from error


def _stop(_hidden: Tensor, **_: Any) -> None:
    raise PassIsOver
