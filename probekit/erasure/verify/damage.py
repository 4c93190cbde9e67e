"""What else moved: how far the arrangement of retained texts changed, block by block.

Debiased CKA (Kornblith et al. 2019) between the base and the erased model on the same texts:
1 where nothing changed. One forward a text and model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.erasure.verify.residuals import text_residuals
from probekit.errors import NumericalError
from probekit.measures.cka import MIN_UNITS, cka
from probekit.measures.resampling import bootstrap_weights, permutations

if TYPE_CHECKING:
    from probekit.erasure.memory import Memory
    from probekit.erasure.verify.settings import VerifySettings
    from probekit.models import Subject

N_RESAMPLES = 200


def damage(
    subjects: tuple[Subject, Subject],
    texts: dict[str, tuple[str, ...]],
    how: VerifySettings,
    *,
    memory: Memory,
) -> dict[str, Any]:
    """``{language: [{block, cka, low, high, null95}]}``; languages with few texts are left out.

    Intervals are over texts; ``null95`` is the 95 % point when the texts of one side are permuted.
    """
    found: dict[str, Any] = {}
    for code, own in texts.items():
        if len(own) < 2 * MIN_UNITS:
            continue
        before = _base_rows(subjects[0], own, how.batch_tokens, memory=memory)
        after = text_residuals(subjects[1], own, how.batch_tokens)
        weights = bootstrap_weights(len(own), n_resamples=N_RESAMPLES, seed=how.seed)
        orders = permutations(len(own), n=N_RESAMPLES, seed=how.seed)
        rows: list[dict[str, Any]] = []
        for block, pair in enumerate(zip(before, after, strict=True)):
            try:
                got = cka(np.stack(pair), weights=weights, permutations=orders)
            except NumericalError:  # no spread left: the block says the same for every text
                rows.append({"block": block, "collapsed": True})
                continue
            rows.append(
                {
                    "block": block,
                    "cka": got.mean,
                    "low": got.mean_low,
                    "high": got.mean_high,
                    "null95": got.mean_null95,
                }
            )
        found[code] = rows
    return found


def _base_rows(base: Subject, texts: tuple[str, ...], batch_tokens: int, *, memory: Memory) -> Any:
    return memory.once(
        "texts",
        base,
        lambda: text_residuals(base, texts, batch_tokens),
        settings=(texts, batch_tokens),
    )
