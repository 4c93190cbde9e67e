"""Counts of firing neurons equal a slow count with hooks of their own, whatever the batching."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probekit.capture.firing import (
    FiringNeurons,
    content_tokens,
    merge_firing,
    narrow,
)
from probekit.capture.shards import iterate_states
from probekit.capture.tokens import tokenize
from probekit.errors import InputError, ModelError
from probekit.measures.unit_groups import exchanged_labels, unit_groups
from tests.capture.passing import read
from tests.texts import parallel
from tests.tiny import D_MLP, N_BLOCKS, tiny_subject

CORPUS = parallel(9)
N_UNITS, N_LANGUAGES = 9, 3
GROUPS = unit_groups(N_UNITS, 4, seed=1)
LABELS = exchanged_labels(N_UNITS, N_LANGUAGES, n=2, seed=1)

#: Where plain transformers has the value whose sign decides, and how much of it.
GATES = {
    "llama": ("model.layers.{}.mlp.gate_proj", False),
    "gemma3": ("model.layers.{}.mlp.gate_proj", False),
    "phi3": ("model.layers.{}.mlp.gate_up_proj", True),
    "gpt2": ("transformer.h.{}.mlp.c_fc", False),
    "bloom": ("transformer.h.{}.mlp.dense_h_to_4h", False),
    "opt": ("model.decoder.layers.{}.fc1", False),
}


def counted(subject, *, observer=None, **options):
    observer = observer or FiringNeurons(GROUPS, LABELS)
    done = read(subject, CORPUS, observers=(observer,), **options)
    return merge_firing(iterate_states(done.store, done.plan, observer.name))


def slow_count(subject, family):
    """Firing of every text, array (layer, language, unit, neuron): one text at a time."""
    name, fused = GATES[family]
    special = set(subject.tokenizer.all_special_ids)
    rows = []
    for layer in range(N_BLOCKS):
        seen = []
        hook = subject.model.get_submodule(name.format(layer)).register_forward_hook(
            lambda _m, _a, out, seen=seen: seen.append(out.reshape(-1, out.shape[-1]))
        )
        table = []
        for code in CORPUS.languages:
            for text in CORPUS.texts[code]:
                ids = subject.tokenizer(text)["input_ids"]
                with torch.no_grad():
                    subject.model(torch.tensor([ids]))
                content = [p for p, token in enumerate(ids) if token not in special and p > 0]
                values = seen.pop()
                width = values.shape[1] // 2 if fused else values.shape[1]
                table.append((values[content, :width] > 0).sum(0).numpy())
        hook.remove()
        rows.append(np.array(table).reshape(N_LANGUAGES, N_UNITS, -1))
    return np.stack(rows)


def assert_counts(found, expected, *, slack=0):
    """A pre-activation within rounding of zero may fall on either side in another batch shape."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).sum() <= slack
    assert expected.sum() > 1000


@pytest.mark.parametrize("family", GATES)
def test_counts_equal_a_slow_count(family):
    subject = tiny_subject(family)
    fired = slow_count(subject, family)
    found = counted(subject)
    assert_counts(found.by_group.sum(axis=0), fired.sum(axis=2), slack=2)
    for group in range(4):
        expected = fired[:, :, group == GROUPS].sum(axis=2)
        assert np.abs(found.by_group[group] - expected).sum() <= 2
    for number, labels in enumerate(LABELS):
        expected = np.zeros_like(found.exchanged[number])
        for unit in range(N_UNITS):
            for language in range(N_LANGUAGES):
                expected[:, labels[unit, language]] += fired[:, language, unit]
        assert_counts(found.exchanged[number], expected, slack=2)


def test_a_fused_gate_is_not_taken_whole():
    found = counted(tiny_subject("phi3"))
    assert found.by_group.shape == (4, N_BLOCKS, N_LANGUAGES, D_MLP)


def test_types_and_active_units_follow_from_the_counts():
    subject = tiny_subject("llama")
    lengths = content_tokens(tokenize(subject, CORPUS))
    active = 2 * slow_count(subject, "llama") >= lengths[None, :, :, None]
    found = counted(subject)
    assert np.array_equal(found.active, active.sum(axis=2))
    n = active.sum(axis=1)
    kinds = [n == 0, n == 1, (n > 1) & (n < 3), n == 3]
    assert np.array_equal(found.types, np.stack([kind.sum(axis=2) for kind in kinds], axis=-1))
    assert (found.types.sum(axis=-1) == D_MLP).all()
    assert (found.types.sum(axis=(0, 1)) > 0).all()


def test_a_higher_active_share_activates_fewer():
    subject = tiny_subject("llama")
    few = counted(subject, observer=FiringNeurons(GROUPS, LABELS, active_share=0.9))
    many = counted(subject, observer=FiringNeurons(GROUPS, LABELS, active_share=0.1))
    assert few.active.sum() < counted(subject).active.sum() < many.active.sum()
    assert np.array_equal(few.by_group, many.by_group)


@pytest.mark.parametrize(
    "options",
    [
        {"token_budget": 1},
        {"token_budget": 4096},
        {"padding_side": "left"},
        {"units_per_shard": 1},
        {"units_per_shard": 9},
    ],
    ids=str,
)
def test_batches_padding_and_shards_change_nothing(options):
    subject = tiny_subject("gpt2")
    found, plain = counted(subject, **options), counted(subject)
    for name in ("by_group", "exchanged", "active", "types"):
        assert np.abs(getattr(found, name) - getattr(plain, name)).sum() <= 4, name
    assert plain.by_group.sum() > 1000


def test_keeping_the_first_token_counts_it():
    subject = tiny_subject("llama")
    assert counted(subject, keep_first_token=True).by_group.sum() > counted(subject).by_group.sum()


def test_a_mixture_of_experts_is_refused_by_name():
    with pytest.raises(ModelError, match=r"Mixtral.*no readable MLP neurons"):
        FiringNeurons(GROUPS, LABELS).sites(tiny_subject("mixtral").anatomy)


def test_content_tokens_are_those_of_the_texts():
    tokens = tokenize(tiny_subject("llama"), CORPUS)
    lengths = content_tokens(tokens)
    assert lengths.shape == (N_LANGUAGES, N_UNITS)
    assert lengths[1, 4] == len(CORPUS.texts["de"][4].encode()) - 1
    assert lengths.sum() == sum(len(text.content) for text in tokens.texts)


def test_settings_tell_draws_apart():
    plain = FiringNeurons(GROUPS, LABELS).settings()
    assert (plain["groups"], plain["exchanges"]) == (4, 2)
    other = exchanged_labels(N_UNITS, N_LANGUAGES, n=2, seed=2)
    assert FiringNeurons(GROUPS, other).settings() != plain
    assert FiringNeurons(GROUPS, LABELS, active_share=0.2).settings() != plain
    assert FiringNeurons(GROUPS.copy(), LABELS.copy()).settings() == plain


def test_counts_are_narrowed_only_where_they_fit():
    assert narrow(np.array([65_535], dtype=np.int32)).dtype == np.uint16
    assert narrow(np.array([65_536], dtype=np.int32)).tolist() == [65_536]


def test_no_state_is_refused():
    with pytest.raises(InputError, match="at least one shard"):
        merge_firing([])
