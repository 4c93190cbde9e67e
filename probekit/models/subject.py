"""A subject: a loaded model, its tokenizer and its anatomy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from probekit.models.fingerprint import state_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch import Tensor

    from probekit.models.anatomy import Anatomy
    from probekit.models.head import Hidden, Logits


@dataclass(frozen=True)
class Subject:
    """A model that can be studied.

    Attributes
    ----------
    model
        The Hugging Face module, in evaluation mode, on ``device`` in ``dtype``.
    tokenizer
        Its Hugging Face tokenizer.
    anatomy
        Where its blocks, norms, neurons and unembedding are.
    source, revision, adapter
        Where it came from, as given to :func:`probekit.load`.
    """

    model: Any
    tokenizer: Any
    anatomy: Anatomy
    source: str
    revision: str | None = None
    adapter: str | None = None

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(self.model.parameters()).device  # type: ignore[no-any-return]

    @property
    def dtype(self) -> torch.dtype:
        """Floating type of the parameters."""
        return next(p.dtype for p in self.model.parameters() if p.is_floating_point())  # type: ignore[no-any-return]

    @property
    def n_parameters(self) -> int:
        """Number of parameters, tied ones once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @cached_property
    def state_sha256(self) -> str:
        """SHA-256 over names, types, shapes and bytes of every tensor, in name order."""
        return state_sha256(self.model)

    def forward(self, inputs: Mapping[str, Tensor]) -> Any:
        """Run the model on ready inputs (see ``models.inputs``) without a cache: its own output."""
        import torch

        with torch.inference_mode():
            return self.model(**inputs, use_cache=False)

    def logits(self, hidden: Hidden) -> Logits:
        """Logits of a residual-stream vector: final norm, unembedding, logit scale and soft-cap.

        Raises
        ------
        ModelError
            The stack has no unembedding (an encoder).
        """
        from probekit.models.head import logits

        return logits(self, hidden)

    def __repr__(self) -> str:
        a = self.anatomy
        dtype = str(self.dtype).removeprefix("torch.")
        return (
            f"Subject({self.source!r}, {a.architecture}, {a.n_blocks} blocks, width {a.d_model}, "
            f"{self.n_parameters / 1e6:,.0f} M parameters, {dtype} on {self.device})"
        )

    def _repr_html_(self) -> str:
        from probekit.models.display import subject_html

        return subject_html(self)
