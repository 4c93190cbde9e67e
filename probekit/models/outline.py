"""``outline``: a subject without its weights, for what must be known before they are loaded.

Reads configuration and tokenizer (megabytes); of the weights only the head exists, as zeros, so
that a lens can say whether it could read it. Takes seconds, most of them importing transformers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probekit.errors import ModelError
from probekit.models import loading
from probekit.models.anatomy import Stack, find_anatomy
from probekit.models.builtin import quiet_transformers
from probekit.models.subject import Subject

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, repr=False)
class Outline(Subject):
    """A subject that cannot run: its anatomy, its tokenizer and its sizes.

    Attributes
    ----------
    planned_device, planned_dtype
        Where and as what the weights would be loaded.
    size
        Number of parameters, tied ones once.
    """

    planned_device: torch.device
    planned_dtype: torch.dtype
    size: int

    @property
    def device(self) -> torch.device:
        """Where the weights would be."""
        return self.planned_device

    @property
    def dtype(self) -> torch.dtype:
        """What type they would have."""
        return self.planned_dtype

    @property
    def n_parameters(self) -> int:
        """Number of parameters, tied ones once."""
        return self.size

    @property
    def n_bytes(self) -> int:
        """Bytes of the weights in the planned type."""
        return self.size * self.planned_dtype.itemsize


def outline(
    source: str,
    revision: str | None = None,
    *,
    dtype: loading.DType = "auto",
    device: str = "auto",
    stack: Stack | None = None,
) -> Outline:
    """Everything of :func:`probekit.load` but the weights; code of a model's own never runs.

    Raises
    ------
    ModelError
        As :func:`probekit.load` would, for all that can be known without weights.
    """
    target, kind = loading.resolve_device(device), loading.resolve_dtype_name(dtype)
    where, gguf = loading.locate_source(source)
    with quiet_transformers():
        config, tokenizer = loading.open_without_weights(where, revision, gguf=gguf, named=source)
        planned = loading.torch_dtype(kind, config=config, on=target)
        model = _empty(loading.choose_class(config, source=source), config, named=source)
    size = sum(parameter.numel() for parameter in model.parameters())
    anatomy = find_anatomy(model, stack=stack)
    for path in anatomy.head:
        _zero(model.get_submodule(path))
    return Outline(
        model,
        tokenizer,
        anatomy,
        source,
        revision=revision,
        planned_device=target,
        planned_dtype=planned,
        size=size,
    )


def _empty(auto_class: Any, config: Any, *, named: str) -> Any:
    """The modules of a configuration, with parameters that have shapes and no memory."""
    import torch

    try:
        with torch.device("meta"):
            model = auto_class.from_config(config, dtype=torch.float32)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:240].rstrip(".:")
        msg = f"model {named!r} cannot be laid out: {reason}. {loading.SOURCES}"
        raise ModelError(msg) from error
    return model.eval().requires_grad_(requires_grad=False)


def _zero(module: Any) -> None:
    import torch

    module.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.zero_()
