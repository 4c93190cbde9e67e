"""Residual-stream vectors of every layer at chosen positions, batch by batch.

Costs one forward over the texts; what is held at once is one batch's chosen positions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.capture.engine import PassSettings
from probekit.capture.tokens import TokenizedText, batches
from probekit.errors import NumericalError
from probekit.models.backends import open_backend
from probekit.models.inputs import pad_batch
from probekit.sites import residual_sites

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from probekit.models import Subject
    from probekit.sites import Site

    Residuals = Float[Tensor, "layers positions d_model"]


def residuals(
    subject: Subject, texts: Sequence[TokenizedText], *, token_budget: int | None = None
) -> Iterator[tuple[list[TokenizedText], Residuals]]:
    """Read texts and hand over their content positions at layers -1 … n_blocks - 1.

    Yields
    ------
    texts
        Those of one batch, similar in length; the positions come text after text.
    vectors
        Tensor (layers, positions, d_model), float32, on the subject's device.

    Raises
    ------
    NumericalError
        A vector is not finite.
    """
    import torch

    anatomy = subject.anatomy
    sites = residual_sites(anatomy.n_blocks)
    budget = PassSettings(token_budget).resolve(subject, 1).token_budget
    assert budget is not None
    backend = open_backend("hooks", subject)
    for rows in batches(texts, token_budget=budget):
        inputs = pad_batch(subject, [text.ids for text in rows])
        width = inputs["input_ids"].shape[1]
        at = torch.tensor(
            [row * width + position for row, text in enumerate(rows) for position in text.content],
            device=subject.device,
        )
        found = torch.empty(len(sites), len(at), anatomy.d_model, device=subject.device)

        def keep(site: Site, hidden: Tensor, *, at: Tensor = at, found: Tensor = found) -> None:
            flat = hidden.reshape(-1, hidden.shape[-1])
            found[site.layer + 1] = flat.index_select(0, at).float()

        backend.run(inputs, sites, keep)
        check_finite(found)
        yield rows, found


def check_finite(vectors: Residuals) -> None:
    """Stop on NaN or infinity.

    Raises
    ------
    NumericalError
        Names the first layer that has one.
    """
    finite = vectors.isfinite().all(dim=2).all(dim=1)
    if not finite.all():
        layer = int((~finite).nonzero()[0]) - 1
        msg = (
            f"activations contain NaN or infinity at layer {layer}. Try --dtype float32; if it "
            "stays, the checkpoint is damaged."
        )
        raise NumericalError(msg)
