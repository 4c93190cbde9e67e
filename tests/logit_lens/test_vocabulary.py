"""Chunked statistics over the vocabulary against a float64 softmax over all of it at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probekit.errors import InputError, ModelError
from probekit.logit_lens import sweep
from probekit.logit_lens.sweep import block_positions, chunk_tokens
from probekit.logit_lens.vocabulary import lens_rows, read_vocabulary
from probekit.models.head import Unembedding, unembedding
from tests.logit_lens.plain import plain_lens, rank_of
from tests.tiny import CAUSAL, ENCODER_DECODERS, MASKED, N_BLOCKS, tiny_subject

WITH_HEAD = (*CAUSAL, *MASKED, *ENCODER_DECODERS)
CPU = torch.device("cpu")
POSITIONS, LAYERS, WIDTH, VOCABULARY = 5, 4, 8, 101


def subject_with_head(family):
    stack = "decoder" if family in ENCODER_DECODERS else None
    return tiny_subject(family, stack=stack)


def hidden(seed=0, width=32, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(POSITIONS, LAYERS, width, generator=generator)


def planted(seed=0, scale=1.0, **options):
    """Rows and a head without any model, and the logits they make in float64."""
    generator = torch.Generator().manual_seed(seed)
    rows = scale * torch.randn(POSITIONS, LAYERS, WIDTH, generator=generator)
    head = Unembedding(torch.randn(VOCABULARY, WIDTH, generator=generator), **options)
    z = rows.double() @ head.weight.double().T
    if head.bias is not None:
        z = z + head.bias.double()
    z = z * head.logit_scale
    return rows, head, z if head.softcap is None else head.softcap * (z / head.softcap).tanh()


def classes_of(size, n, seed=0):
    return torch.randint(0, n, (size,), generator=torch.Generator().manual_seed(seed))


TARGETS = np.array([[3, 100], [50, 0], [7, 7], [99, 31], [64, 65]])


@pytest.mark.parametrize("family", WITH_HEAD)
def test_chunks_say_what_the_models_own_head_says(family):
    subject = subject_with_head(family)
    x = hidden()
    logits = subject.logits(x).detach()
    found = read_vocabulary(
        lens_rows(subject, x), unembedding(subject), targets=TARGETS, top=264, chunk=50
    )
    plain = plain_lens(logits)
    log2 = np.take_along_axis(plain.log2, found.top_ids, -1)
    np.testing.assert_allclose(found.top_log2, log2, atol=1e-4)
    assert (np.sort(found.top_ids, -1) == np.arange(264)).all()
    np.testing.assert_allclose(found.entropy, plain.entropy, atol=1e-4)
    np.testing.assert_allclose(found.kl, plain.kl, atol=1e-4)


@pytest.mark.parametrize("family", WITH_HEAD)
def test_the_last_blocks_lens_is_the_models_output(family):
    subject = subject_with_head(family)
    ids = torch.arange(10, 19)[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if family in ENCODER_DECODERS:
        inputs["decoder_input_ids"] = ids
    kept = []
    block = subject.model.get_submodule(subject.anatomy.block(N_BLOCKS - 1))
    hook = block.register_forward_hook(
        lambda _m, _a, out: kept.append((out[0] if isinstance(out, tuple) else out).clone())
    )
    output = subject.forward(inputs).logits[0]
    hook.remove()
    rows = lens_rows(subject, kept[-1].transpose(0, 1))
    found = read_vocabulary(rows, unembedding(subject), top=264, chunk=37)
    wanted = output.double().log_softmax(-1).numpy() / np.log(2)
    got = np.empty_like(wanted)
    np.put_along_axis(got, found.top_ids[:, 0], found.top_log2[:, 0], axis=-1)
    np.testing.assert_allclose(got, wanted, atol=1e-4)


@pytest.mark.parametrize("chunk", [1, 7, 64, 101, 4096])
def test_the_chunk_changes_nothing(chunk):
    rows, head, logits = planted(scale=4.0)
    options = {"targets": TARGETS, "classes": classes_of(VOCABULARY, 4), "n_classes": 4, "top": 5}
    found = read_vocabulary(rows, head, chunk=chunk, **options)
    plain = plain_lens(logits)
    np.testing.assert_allclose(found.entropy, plain.entropy, atol=2e-5)
    np.testing.assert_allclose(found.kl, plain.kl, atol=2e-5, rtol=1e-6)
    assert np.array_equal(found.top_ids, plain.order[..., :5])
    log2 = np.take_along_axis(plain.log2, np.broadcast_to(TARGETS[:, None], (5, 4, 2)), -1)
    np.testing.assert_allclose(found.target_log2, log2, atol=2e-5)
    assert np.array_equal(found.target_rank, rank_of(logits, TARGETS))
    members = np.eye(4)[options["classes"].numpy()]
    np.testing.assert_allclose(found.mass, np.exp2(plain.log2) @ members, atol=1e-6)
    np.testing.assert_allclose(found.mass.sum(-1), 1, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"logit_scale": 0.25},
        {"softcap": 2.0},
        {"softcap": 30.0, "logit_scale": 3.0},
        {"bias": torch.linspace(-3, 3, VOCABULARY)},
        {"bias": torch.linspace(-3, 3, VOCABULARY), "softcap": 5.0},
    ],
)
def test_scale_cap_and_bias(options):
    rows, head, logits = planted(**options)
    found = read_vocabulary(rows, head, targets=TARGETS, chunk=16)
    plain = plain_lens(logits)
    np.testing.assert_allclose(found.entropy, plain.entropy, atol=2e-5)
    np.testing.assert_allclose(found.kl, plain.kl, atol=2e-5, rtol=1e-6)
    assert np.array_equal(found.target_rank, rank_of(logits, TARGETS))
    assert not np.allclose(plain.entropy, plain_lens(planted()[2]).entropy)


def test_logits_of_hundreds_rise_over_the_chunks_without_overflow():
    # every chunk's largest logit is far above all before it, so the shift must move each time
    head = Unembedding(torch.linspace(0, 1, VOCABULARY)[:, None])
    rows = torch.tensor([[[900.0], [-900.0], [1e-3], [700.0]]])
    logits = rows.double() @ head.weight.double().T
    found = read_vocabulary(rows, head, targets=np.array([[0, 100]]), chunk=3)
    plain = plain_lens(logits)
    np.testing.assert_allclose(found.entropy, plain.entropy, atol=1e-4)
    np.testing.assert_allclose(found.kl, plain.kl, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(
        found.target_log2[0], plain.log2[0][:, [0, 100]], atol=1e-4, rtol=1e-6
    )
    assert found.target_rank[0].tolist() == [[101, 1], [1, 101], [101, 1], [101, 1]]


def test_uniform_logits_have_the_entropy_of_the_vocabulary():
    rows, _, _ = planted()
    head = Unembedding(torch.zeros(VOCABULARY, WIDTH))
    classes = torch.arange(VOCABULARY) % 2
    found = read_vocabulary(rows, head, targets=TARGETS, classes=classes, n_classes=2, chunk=10)
    np.testing.assert_allclose(found.entropy, np.log2(VOCABULARY), atol=1e-6)
    np.testing.assert_allclose(found.kl, 0, atol=1e-6)
    assert (found.target_rank == 1).all()  # ties share the best rank
    np.testing.assert_allclose(found.mass[..., 0], 51 / 101, atol=1e-7)


def test_a_layer_equal_to_the_last_diverges_by_nothing():
    rows, head, _ = planted()
    rows[:, 1] = rows[:, -1]
    found = read_vocabulary(rows, head, chunk=16)
    assert found.kl[:, 1].max() < 1e-5
    assert (found.kl[:, -1] == 0).all()
    assert found.kl[:, 0].min() > 0.1


def test_positions_do_not_know_each_other(monkeypatch):
    rows, head, _ = planted()
    together = read_vocabulary(rows, head, targets=TARGETS, top=3)
    monkeypatch.setattr(sweep, "_ROWS", {"cpu": LAYERS})  # one position a sweep
    alone = read_vocabulary(rows, head, targets=TARGETS, top=3)
    for name, values in vars(together).items():
        np.testing.assert_allclose(getattr(alone, name), values, atol=1e-5, err_msg=name)
        backwards = getattr(read_vocabulary(rows.flip(0), head, targets=TARGETS[::-1], top=3), name)
        np.testing.assert_allclose(backwards[::-1], values, atol=1e-5, err_msg=name)


def test_layers_are_one_by_one_what_they_are_together():
    rows, head, _ = planted()
    found = read_vocabulary(rows, head)
    for layer in range(LAYERS - 1):
        pair = read_vocabulary(rows[:, [layer, -1]], head)
        np.testing.assert_allclose(pair.entropy[:, 0], found.entropy[:, layer], atol=1e-6)
        np.testing.assert_allclose(pair.kl[:, 0], found.kl[:, layer], atol=1e-5)


@pytest.mark.parametrize("shares", [(0.9, 0.05, 0.05), (0.0, 0.5, 0.5), (1.0, 0.0, 0.0)])
def test_classes_of_any_sizes_have_their_masses(shares):
    rows, head, logits = planted()
    counts = [round(share * VOCABULARY) for share in shares]
    classes = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    classes = torch.cat([classes, classes[-1:].expand(VOCABULARY - len(classes))])
    classes = classes[torch.randperm(VOCABULARY, generator=torch.Generator().manual_seed(1))]
    found = read_vocabulary(rows, head, classes=classes, n_classes=3, chunk=9)
    wanted = np.exp2(plain_lens(logits).log2) @ np.eye(3)[classes.numpy()]
    np.testing.assert_allclose(found.mass, wanted, atol=1e-6)
    np.testing.assert_allclose(found.mass.sum(-1), 1, atol=1e-12)


def test_ranks_can_be_left_out():
    rows, head, _ = planted()
    found = read_vocabulary(rows, head, targets=TARGETS, ranks=False)
    assert found.target_rank.shape == (POSITIONS, LAYERS, 0)
    assert found.target_log2.shape == (POSITIONS, LAYERS, 2)


def test_without_targets_and_classes_their_axes_are_empty():
    rows, head, _ = planted()
    found = read_vocabulary(rows, head)
    assert found.target_log2.shape == found.target_rank.shape == (POSITIONS, LAYERS, 0)
    assert found.mass.shape == (POSITIONS, LAYERS, 0)
    assert found.top_ids.shape == (POSITIONS, LAYERS, 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_products_are_reduced_in_float32(dtype):
    rows, head, _ = planted(bias=torch.linspace(-1, 1, VOCABULARY))
    half = Unembedding(head.weight.to(dtype), head.bias.to(dtype))
    logits = torch.nn.functional.linear(rows.to(dtype), half.weight, half.bias).float()
    found = read_vocabulary(rows.to(dtype), half, chunk=20)
    plain = plain_lens(logits)
    np.testing.assert_allclose(found.entropy, plain.entropy, atol=1e-4)
    np.testing.assert_allclose(found.kl, plain.kl, atol=1e-4)


def test_no_buffer_is_larger_than_rows_by_chunk(monkeypatch):
    """Every new tensor of a sweep, whatever makes it; the vocabulary is 20 chunks."""
    from torch.utils._python_dispatch import TorchDispatchMode

    sizes = []

    class Spy(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            made = out if isinstance(out, (tuple, list)) else (out,)
            tensors = [each for each in made if isinstance(each, torch.Tensor)]
            sizes.extend(each.untyped_storage().nbytes() for each in tensors)
            return out

    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4, LAYERS, WIDTH, generator=generator)
    head = Unembedding(torch.randn(20 * 128, WIDTH, generator=generator))
    weight, classes = head.weight.untyped_storage().nbytes(), classes_of(20 * 128, 3)
    with Spy():
        read_vocabulary(
            rows, head, targets=TARGETS[:4], classes=classes, n_classes=3, chunk=128, top=4
        )
    own = [size for size in sizes if size not in {weight, classes.untyped_storage().nbytes()}]
    one_chunk = 4 * LAYERS * 128 * 4
    assert max(own) == 2 * one_chunk  # the two buffers, made as one
    assert sum(size == 2 * one_chunk for size in own) > 1  # and seen again as views


def test_translation_moves_all_layers_but_the_last():
    subject = tiny_subject("llama")
    x = hidden()
    seen = []

    def translate(row, vectors):
        seen.append(row)
        return vectors * (row + 2)

    moved = lens_rows(subject, x, translate=translate)
    plain = lens_rows(subject, torch.stack([*((x[:, i] * (i + 2)) for i in range(3)), x[:, 3]], 1))
    torch.testing.assert_close(moved, plain)
    assert seen == [0, 1, 2]


def test_sizes_suit_the_device():
    assert block_positions(19, CPU) == 16
    assert block_positions(1000, CPU) == 1
    assert block_positions(19, torch.device("cuda")) > 100
    assert 304 * chunk_tokens(304, CPU) <= sweep._NUMBERS["cpu"]
    assert chunk_tokens(10**9, CPU) == 256


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, r"top must be between 1 and 101, the vocabulary\. Got 0"),
        ({"top": 102}, r"top must be between 1 and 101, the vocabulary\. Got 102"),
        ({"chunk": 0}, "chunk must be at least 1. Got 0"),
        ({"targets": np.full((POSITIONS, 1), 101)}, "targets must be token ids from 0 to 100"),
        ({"targets": np.full((POSITIONS, 1), -1)}, "targets must be token ids from 0 to 100"),
        ({"targets": np.zeros((2, 1), dtype=int)}, r"targets must have shape \(5, targets\)"),
    ],
)
def test_settings_outside_their_domain_are_refused(options, message):
    rows, head, _ = planted()
    with pytest.raises(InputError, match=message):
        read_vocabulary(rows, head, **options)


def test_no_position_is_refused():
    rows, head, _ = planted()
    with pytest.raises(InputError, match="rows must have at least one position"):
        read_vocabulary(rows[:0], head)


def test_a_stack_without_unembedding_is_refused():
    with pytest.raises(ModelError, match="has no unembedding"):
        lens_rows(tiny_subject("t5", stack="encoder"), hidden())
