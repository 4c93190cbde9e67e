"""Other ways to get every block's output, each with the options that serve it best.

A peer takes the inputs of one batch and gives the outputs of all blocks, in order. nnsight and
TransformerLens rewire the modules they wrap, so each gets a copy of the model of its own (one more
gigabyte each for the built-in model).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from torch import Tensor

    from probekit import Subject

Peer = Callable[[Mapping[str, "Tensor"]], Sequence["Tensor"]]


def transformers_peer(subject: Subject) -> Peer:
    """``output_hidden_states=True`` on the base model, which leaves the unembedding out.

    The last one comes after the final norm: it is not the last block's output.
    """

    def outputs(inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        body = subject.model.base_model
        found = body(**inputs, use_cache=False, output_hidden_states=True).hidden_states
        return found[1:]

    return outputs


def nnsight_peer(subject: Subject) -> Peer:
    """One trace a batch: the outputs of all blocks saved, the forward left after the last."""
    from nnsight import NNsight

    traced = NNsight(subject.model)
    paths = [subject.anatomy.block(layer) for layer in range(subject.anatomy.n_blocks)]
    parts = dict(traced.named_modules())
    blocks = [parts[f"{traced.path}.{path}"] for path in paths]

    def outputs(inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        with traced.trace(**inputs, use_cache=False) as tracer:
            saved: Any = list().save()  # noqa: C408 - nnsight saves objects made in the trace
            for block in blocks:
                saved.append(block.output)
            tracer.stop()
        return [value[0] if isinstance(value, tuple) else value for value in saved]

    return outputs


def transformer_lens_peer(subject: Subject) -> Peer:
    """``run_with_cache`` of the bridge, filtered to the block outputs, left before the final norm.

    ``stop_at_layer`` cannot stop after the last block, which would cost it the unembedding; its own
    exception, raised in a hook of the final norm, can.
    """
    from transformer_lens.model_bridge.exceptions import StopAtLayerException
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    model = subject.model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about attention patterns, which are not read
        bridge = build_bridge_from_module(model, type(model).__name__, hf_config=model.config)
    names = [f"blocks.{layer}.hook_out" for layer in range(subject.anatomy.n_blocks)]

    def stop(hidden: Tensor, hook: Any) -> NoReturn:
        raise StopAtLayerException(hidden)

    bridge.hook_dict["ln_final.hook_in"].add_hook(stop, is_permanent=True)
    options = {"return_cache_object": False, "output_attentions": False, "use_cache": False}

    def outputs(inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        rest = {name: value for name, value in inputs.items() if name != "input_ids"}
        _, cache = bridge.run_with_cache(inputs["input_ids"], names_filter=names, **rest, **options)
        return [cache[name] for name in names]

    return outputs
