"""Token means of MLP activations equal plain hooks on the down projection."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probekit.capture.mlp_space import MLPMeans, mlp_means_name
from probekit.capture.shards import iterate_states
from probekit.errors import ModelError
from tests.capture.passing import read
from tests.texts import parallel
from tests.tiny import N_BLOCKS, tiny_subject

CORPUS = parallel(6)
DOWN = {
    "llama": "model.layers.{}.mlp.down_proj",
    "phi3": "model.layers.{}.mlp.down_proj",
    "gpt2": "transformer.h.{}.mlp.c_proj",
    "bloom": "transformer.h.{}.mlp.dense_4h_to_h",
    "opt": "model.decoder.layers.{}.fc2",
}


def means(subject, **options):
    observers = tuple(MLPMeans(layer) for layer in range(N_BLOCKS))
    done = read(subject, CORPUS, observers=observers, units_per_shard=4, **options)
    return np.stack(
        [
            np.concatenate(
                [s["means"] for s in iterate_states(done.store, done.plan, mlp_means_name(layer))],
                axis=1,
            )
            for layer in range(N_BLOCKS)
        ]
    )


def slow_means(subject, family):
    rows = []
    for layer in range(N_BLOCKS):
        seen = []
        module = subject.model.get_submodule(DOWN[family].format(layer))
        hook = module.register_forward_pre_hook(
            lambda _m, args, seen=seen: seen.append(args[0].reshape(-1, args[0].shape[-1]))
        )
        for code in CORPUS.languages:
            for text in CORPUS.texts[code]:
                with torch.no_grad():
                    subject.model(torch.tensor([subject.tokenizer(text)["input_ids"]]))
        hook.remove()
        pooled = [values[1:].mean(0).numpy() for values in seen]
        rows.append(np.array(pooled).reshape(3, 6, -1))
    return np.stack(rows)


@pytest.mark.parametrize("family", DOWN)
@pytest.mark.parametrize("side", ["right", "left"])
def test_means_equal_plain_hooks(family, side):
    subject = tiny_subject(family)
    found, expected = means(subject, padding_side=side), slow_means(subject, family)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=5e-5 * np.abs(expected).max())


def test_a_mixture_of_experts_is_refused_by_name():
    with pytest.raises(ModelError, match="Mixtral"):
        MLPMeans(0).sites(tiny_subject("mixtral").anatomy)
