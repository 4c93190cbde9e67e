"""A prompt lens as the page draws it: arrays and token ids, each token's text said once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit_app.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probekit.logit_lens import PromptLens


def grid_of(lens: PromptLens) -> dict[str, Any]:
    """A lens as JSON; arrays are layer by layer, ``names`` holds the visible text of each id.

    Numbers are the lens's own, to six digits.
    """
    return {
        "text": lens.text,
        "model": lens.model,
        "predicts": lens.predicts,
        "layers": list(lens.layers),
        "positions": list(lens.positions),
        "tokens": [
            {"id": int(lens.ids[place]), "text": visible(lens.tokens[place])}
            for place in lens.positions
        ],
        "most_bits": round(math.log2(lens.vocabulary), 4),
        "vocabulary": lens.vocabulary,
        "names": names_of(lens.names),
        "final_ids": lens.final_ids.tolist(),
        "top_ids": lens.top_ids.tolist(),
        "top_probability": _short(lens.top_probability),
        "entropy": _short(lens.entropy),
        "kl": _short(lens.kl),
        "final_rank": lens.final_rank.tolist(),
        "final_probability": _short(lens.final_probability),
    }


def names_of(names: Mapping[int, str]) -> dict[str, str]:
    """Token id → text in which every character can be seen."""
    return {str(number): visible(text) for number, text in names.items()}


def _short(values: np.ndarray) -> list[Any]:
    """Floats to six significant digits: a third of the bytes."""
    flat = [float(f"{value:.6g}") for value in values.ravel().tolist()]
    found: list[Any] = np.array(flat).reshape(values.shape).tolist()
    return found
