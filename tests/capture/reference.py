"""A plain reading of a model, one unpadded text at a time in float64: what a pass must equal.

Nothing of probekit's capture is used: ids come from the tokenizer, states from
``output_hidden_states``. Only the last block is read by a hook of its own, because most models hand
its output over normed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def hidden_states(subject: Any, text: str) -> tuple[list[int], np.ndarray]:
    """Token ids, and array (layer, position, width) of one text."""
    ids = subject.tokenizer(text)["input_ids"]
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids)).long()}
    key = "hidden_states"
    if subject.model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = inputs["input_ids"]
        key = f"{subject.anatomy.stack}_hidden_states"
    last: list[torch.Tensor] = []
    block = subject.model.get_submodule(subject.anatomy.blocks)[-1]
    hook = block.register_forward_hook(
        lambda _m, _a, out: last.append(out[0] if isinstance(out, tuple) else out)
    )
    with torch.no_grad():
        states = getattr(subject.model(**inputs, output_hidden_states=True), key)
    hook.remove()
    layers = [*states[:-1], last[-1]]
    return ids, torch.stack([layer[0] for layer in layers]).double().numpy()


def pooled(
    subject: Any, text: str, *, pooling: str = "mean", keep_first_token: bool = False
) -> np.ndarray:
    """Array (layer, width) of one text."""
    ids, states = hidden_states(subject, text)
    special = set(subject.tokenizer.all_special_ids)
    content = [p for p, token in enumerate(ids) if token not in special]
    if not keep_first_token:
        content = [p for p in content if p > 0] or content
    chosen = states[:, content]
    if pooling == "last":
        return chosen[:, -1]
    weights = np.ones(len(content)) if pooling == "mean" else np.arange(1, len(content) + 1)
    return np.einsum("lpd,p->ld", chosen, weights / weights.sum())


def pooled_corpus(subject: Any, corpus: Any, **options: Any) -> np.ndarray:
    """Array (layer, language, unit, width)."""
    columns = [
        [pooled(subject, text, **options) for text in corpus.texts[code]]
        for code in corpus.languages
    ]
    return np.moveaxis(np.array(columns), 2, 0)
