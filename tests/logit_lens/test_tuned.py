"""The tuned lens: planted maps are found, nothing gets worse, a file knows its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from probekit.capture.engine import Silent
from probekit.capture.tokens import tokenize
from probekit.errors import CorpusError, InputError, ModelError, StorageError
from probekit.logit_lens.tuned import TunedLens, _Fitter, plain_maps
from probekit.logit_lens.tuned_fit import Descent, Moments, sample_parts
from probekit.logit_lens.vocabulary import lens_rows, read_vocabulary
from tests.texts import parallel
from tests.tiny import D_MODEL, N_BLOCKS, tiny_subject

if TYPE_CHECKING:
    from pathlib import Path

    from probekit import Subject

UNITS = 60


class Turn(torch.nn.Module):
    """A block that rotates the residual stream and shifts it: a lens can learn an affine map."""

    def __init__(self, seed: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        square = torch.randn(D_MODEL, D_MODEL, generator=generator)
        self.rotation = torch.nn.Parameter(torch.linalg.qr(square)[0], requires_grad=False)
        self.shift = torch.nn.Parameter(
            torch.randn(D_MODEL, generator=generator), requires_grad=False
        )

    def forward(self, hidden: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        return hidden @ self.rotation + self.shift


def planted(seed: int = 0) -> Subject:
    """A Llama whose last block is a `Turn`: the right translator of the layer before is known."""
    subject = tiny_subject("llama", seed)
    subject.model.model.layers[N_BLOCKS - 1] = Turn()
    return subject


@pytest.fixture(scope="module")
def subject() -> Subject:
    return planted()


@pytest.fixture(scope="module")
def texts():
    return parallel(UNITS, most_words=4)


@pytest.fixture(scope="module")
def tuned(subject, texts) -> TunedLens:
    return TunedLens.fit(subject, texts, positions_per_language=256, steps=30, seed=1)


def affine_data(n: int = 400, d: int = 6, layers: int = 2, seed: int = 0):
    """Vectors whose last layer is a known affine map of each layer before."""
    rng = np.random.default_rng(seed)
    last = rng.normal(size=(n, d))
    maps = rng.normal(size=(layers, d, d)) + 3 * np.eye(d)
    shifts = rng.normal(size=(layers, 1, d))
    before = (last - shifts) @ np.linalg.inv(maps)  # before @ map + shift = last
    return torch.tensor(np.concatenate([before, last[None]])), torch.tensor(maps), shifts[:, 0]


def moments_of(vectors: torch.Tensor, *, normed: bool, batches: int = 4) -> Moments:
    moments = Moments(normed=normed)
    for part in torch.chunk(vectors, batches, dim=1):
        moments.add(part, torch.ones(part.shape[1]))
    return moments


def test_the_closed_form_finds_a_planted_affine_map() -> None:
    vectors, maps, shifts = affine_data()
    found = moments_of(vectors, normed=False).ridge(0.0)
    torch.testing.assert_close(found.matrix.double(), maps, atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(found.offset.numpy(), shifts, atol=1e-4)


def test_the_closed_form_does_not_depend_on_how_the_text_is_cut() -> None:
    vectors, _, _ = affine_data()
    noisy = vectors + torch.randn(vectors.shape, generator=torch.Generator().manual_seed(0))
    one, many = (moments_of(noisy, normed=True, batches=k).ridge(0.1) for k in (1, 7))
    torch.testing.assert_close(one.matrix, many.matrix, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.offset, many.offset, atol=1e-5, rtol=1e-5)


def test_the_closed_form_survives_a_mean_far_larger_than_the_spread() -> None:
    vectors, maps, _ = affine_data()
    vectors[:-1] += 3000.0
    found = moments_of(vectors, normed=False).ridge(0.0)
    torch.testing.assert_close(found.matrix.double(), maps, atol=1e-4, rtol=1e-4)


def test_a_weight_of_two_is_a_position_seen_twice() -> None:
    vectors, _, _ = affine_data(50)
    vectors[0] += torch.randn(vectors[0].shape, generator=torch.Generator().manual_seed(1))
    weighted, repeated = Moments(normed=False), Moments(normed=False)
    weighted.add(vectors, 1.0 + (torch.arange(50) < 20))
    repeated.add(vectors, torch.ones(50))
    repeated.add(vectors[:, :20], torch.ones(20))
    torch.testing.assert_close(weighted.ridge(0.3).matrix, repeated.ridge(0.3).matrix)


@pytest.mark.parametrize("normed", [True, False])
def test_endless_shrinkage_is_the_plain_lens(normed: bool) -> None:
    vectors, _, _ = affine_data()
    for matrix in moments_of(vectors, normed=normed).ridge(1e9).matrix:
        scale = matrix.diagonal().mean()
        torch.testing.assert_close(matrix, scale * torch.eye(len(matrix)), atol=1e-4, rtol=0)
        assert scale == pytest.approx(1.0, abs=1e-4) or normed


def test_the_planted_rotation_is_recovered(subject, texts, tuned) -> None:
    row = list(tuned.report["layer"]).index(N_BLOCKS - 2)
    assert float(tuned.report["plain_mean"][row]) > 1.0
    assert float(tuned.report["tuned_mean"][row]) < 0.02
    turn = subject.model.model.layers[N_BLOCKS - 1]
    hidden = torch.randn(20, D_MODEL, generator=torch.Generator().manual_seed(5))
    hidden = hidden * subject_scale(subject, texts)
    expected = subject.logits(turn(hidden)).softmax(-1)
    found = subject.logits(tuned.translate(N_BLOCKS - 2, hidden)).softmax(-1)
    assert float((found - expected).abs().sum(1).mean()) < 0.2  # random directions, not the text's


def subject_scale(subject: Subject, texts) -> float:
    parts = sample_parts(tokenize(subject, texts), positions_per_language=64, seed=0)
    vectors = _Fitter(subject, parts, seed=0, progress=Silent())._read(parts.validation)
    return float(vectors[N_BLOCKS - 1].std())


def test_report_is_the_divergence_of_the_models_own_output(subject, texts, tuned) -> None:
    parts = sample_parts(tokenize(subject, texts), positions_per_language=256, seed=1)
    vectors = _Fitter(subject, parts, seed=1, progress=Silent())._read(parts.test)
    final = subject.logits(vectors[-1]).double().log_softmax(-1)
    for row, layer in enumerate(tuned.report["layer"].to_numpy()):
        lens = subject.logits(tuned.translate(int(layer), vectors[row])).double().log_softmax(-1)
        kl = float((final.exp() * (final - lens)).sum(-1).mean())
        assert kl == pytest.approx(float(tuned.report["tuned_mean"][row]), abs=1e-4)
        assert float(tuned.report["tuned_mean_low"][row]) <= kl + 1e-4
        assert kl - 1e-4 <= float(tuned.report["tuned_mean_high"][row])


def test_parts_share_no_unit_and_languages_weigh_alike(subject, texts) -> None:
    parts = sample_parts(tokenize(subject, texts), positions_per_language=50, seed=0)
    units = [{text.unit for text in part} for part in (parts.fit, parts.validation, parts.test)]
    assert not units[0] & units[1] | units[0] & units[2] | units[1] & units[2]
    for language in range(3):
        assert sum(len(t.content) for t in parts.fit if t.language == language) == 50
        assert sum(t.language == language for t in parts.test) == len(units[2])
    assert {len(text.content) for text in parts.test} == {1}


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "opt-post-norm", "bert", "cohere"])
def test_no_layer_is_worse_than_the_plain_lens_on_the_validation_part(family: str) -> None:
    subject = tiny_subject(family)
    parts = sample_parts(tokenize(subject, parallel(20)), positions_per_language=64, seed=0)
    fitter = _Fitter(subject, parts, seed=0, progress=Silent())
    sample, held = fitter._stream(parts.fit), fitter._read(parts.validation)
    wrong = fitter.moments.ridge(1.0)
    wrong.matrix.mul_(-1)  # a lens that is certain to lose
    candidates = [("plain", plain_maps(held)), ("ridge", wrong), *fitter._closed_forms([0.1])]
    kinds, chosen = fitter._choose(candidates, held)
    refined = fitter._descend(chosen, sample, 3)
    kinds, chosen = fitter._choose([(kinds, chosen), ("refined", refined)], held)
    nats = fitter._divergence([plain_maps(held), chosen], held).mean(0).reshape(2, -1)
    assert (nats[1] <= nats[0] + 1e-6).all()
    assert set(kinds) <= {"plain", "ridge", "refined"}


def test_a_layer_that_nothing_improves_keeps_the_plain_lens(subject, texts) -> None:
    parts = sample_parts(tokenize(subject, texts), positions_per_language=64, seed=0)
    fitter = _Fitter(subject, parts, seed=0, progress=Silent())
    fitter._stream(parts.fit)
    held = fitter._read(parts.validation)
    worse = fitter.moments.ridge(0.1)
    worse.matrix.mul_(-1)
    kinds, chosen = fitter._choose([("plain", plain_maps(held)), ("ridge", worse)], held)
    assert set(kinds) == {"plain"}
    torch.testing.assert_close(chosen.matrix, plain_maps(held).matrix)


def test_descent_lowers_the_divergence_from_the_plain_lens(subject, texts) -> None:
    parts = sample_parts(tokenize(subject, texts), positions_per_language=256, seed=0)
    fitter = _Fitter(subject, parts, seed=0, progress=Silent())
    sample = fitter._stream(parts.fit)
    start = plain_maps(sample)
    end = fitter._descend(start, sample, 40)
    nats = fitter._divergence([start, end], sample).mean(0).reshape(2, -1)
    assert (nats[1] < nats[0]).all()


@pytest.mark.parametrize("family", ["llama", "gemma2", "granite", "gpt2"])
def test_where_the_sample_is_the_vocabulary_the_gradient_is_the_exact_ones(family: str) -> None:
    subject = tiny_subject(
        family, **({"final_logit_softcapping": 5.0} if family == "gemma2" else {})
    )
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(N_BLOCKS + 1, 7, D_MODEL, generator=generator)
    start = plain_maps(vectors)
    size = subject.model.get_output_embeddings().weight.shape[0]
    tops = np.tile(np.arange(size), (7, 1))  # every token is taken whole
    descent = Descent(subject, vectors, tops, start=start, spread=torch.ones(N_BLOCKS), seed=0)
    torch.manual_seed(0)
    rows = torch.randint(0, 7, (7,), generator=torch.Generator().manual_seed(0))
    descent._add_gradients()
    matrix = start.matrix.clone().requires_grad_()
    final = subject.logits(vectors[-1, rows]).log_softmax(-1)
    total = 0.0
    for layer in range(N_BLOCKS):
        lens = subject.logits(vectors[layer, rows] @ matrix[layer]).log_softmax(-1)
        total = total + (final.exp() * (final - lens)).sum(1).mean()
    total.backward()
    torch.testing.assert_close(descent.matrix.grad, matrix.grad, atol=1e-5, rtol=1e-3)


def test_the_last_layer_is_never_translated(tuned) -> None:
    hidden = torch.randn(4, D_MODEL)
    assert tuned.translate(N_BLOCKS - 1, hidden) is hidden
    for layer in (-2, N_BLOCKS):
        with pytest.raises(InputError, match=f"layer must be between -1 and 2. Got {layer}"):
            tuned.translate(layer, hidden)


def test_rows_of_the_lens_are_layers_from_minus_one(subject, tuned) -> None:
    hidden = torch.randn(3, N_BLOCKS + 1, D_MODEL, generator=torch.Generator().manual_seed(0))
    rows = lens_rows(subject, hidden, translate=tuned.translate_row)
    by_hand = torch.stack([tuned.translate(k - 1, hidden[:, k]) for k in range(N_BLOCKS + 1)], 1)
    torch.testing.assert_close(rows, lens_rows(subject, by_hand))
    assert not torch.equal(rows[:, 0], lens_rows(subject, hidden)[:, 0])


def test_translation_keeps_the_type_of_the_vectors(tuned) -> None:
    hidden = torch.randn(4, D_MODEL)
    half = tuned.translate(0, hidden.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), tuned.translate(0, hidden), atol=0.2, rtol=0.05)


def test_same_seed_same_lens_other_seed_another(subject, texts, tuned) -> None:
    again = TunedLens.fit(subject, texts, positions_per_language=256, steps=30, seed=1)
    assert torch.equal(again.matrix, tuned.matrix)
    assert again.report.identical(tuned.report)
    other = TunedLens.fit(subject, texts, positions_per_language=256, steps=0, seed=2)
    assert not torch.equal(other.matrix, tuned.matrix)


def test_options_change_the_result(subject, texts, tuned) -> None:
    without = TunedLens.fit(subject, texts, positions_per_language=256, steps=0, seed=1)
    assert "refined" not in without.report["kept"].to_numpy()
    assert "refined" in tuned.report["kept"].to_numpy()
    fixed = TunedLens.fit(subject, texts, positions_per_language=256, steps=0, seed=1, ridge=5.0)
    fewer = TunedLens.fit(subject, texts, positions_per_language=32, steps=0, seed=1)
    assert not torch.equal(fixed.matrix, without.matrix)
    assert fewer.report.attrs["n_fit"] == 3 * 32
    assert without.report.attrs["n_fit"] > 3 * 32


def test_a_saved_lens_is_the_same_bit_for_bit(subject, tuned, tmp_path: Path) -> None:
    loaded = TunedLens.load(tuned.save(tmp_path / "lens.safetensors"), subject)
    assert torch.equal(loaded.matrix, tuned.matrix)
    assert torch.equal(loaded.offset, tuned.offset)
    assert loaded.report.identical(tuned.report)
    assert repr(loaded) == repr(tuned)
    first = (tmp_path / "lens.safetensors").read_bytes()
    assert loaded.save(tmp_path / "again.safetensors").read_bytes() == first


def test_another_models_lens_is_refused(tuned, tmp_path: Path) -> None:
    path = tuned.save(tmp_path / "lens.safetensors")
    with pytest.raises(ModelError, match="fitted for another unembedding"):
        TunedLens.load(path, planted(seed=9))
    deeper = tiny_subject("llama", num_hidden_layers=5)
    with pytest.raises(ModelError, match="has n_blocks 3, and 'tiny-llama' has 5"):
        TunedLens.load(path, deeper)


def test_files_that_are_no_lens_are_refused(subject, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    with pytest.raises(ModelError, match="is not a file"):
        TunedLens.load(tmp_path / "none.safetensors", subject)
    (tmp_path / "text").write_text("no tensors")
    with pytest.raises(ModelError, match="cannot be read"):
        TunedLens.load(tmp_path / "text", subject)
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="not a tuned lens of this version"):
        TunedLens.load(tmp_path / "other.safetensors", subject)


def test_a_lens_that_cannot_be_written_leaves_nothing(tuned, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="lens cannot be written"):
        tuned.save(tmp_path / "absent" / "lens.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_fitted_is_said(subject) -> None:
    with pytest.raises(CorpusError, match=r"at least 10 units .* Got 9"):
        TunedLens.fit(subject, parallel(9))
    for name, value in (("positions_per_language", 3), ("steps", -1), ("ridge", -0.5)):
        with pytest.raises(InputError, match=f"{name} must be at least .* Got {value}"):
            TunedLens.fit(subject, parallel(12), **{name: value})
    with pytest.raises(ModelError, match="no unembedding"):
        TunedLens.fit(tiny_subject("t5"), parallel(12))


def test_report_says_what_a_lens_that_reads_nothing_gets(subject, texts, tuned) -> None:
    report = tuned.report
    assert float(report.attrs["constant_mean"]) > float(report["tuned_mean"][-1])
    assert report["plain"].dims == ("layer", "language")
    assert list(report["language"].to_numpy()) == list(texts.languages)
    np.testing.assert_allclose(report["plain"].mean("language"), report["plain_mean"])
    assert (report["plain_low"] <= report["plain"]).all()
    assert (report["plain"] <= report["plain_high"]).all()
    assert all(np.isfinite(v).all() for v in report.data_vars.values() if v.dtype.kind == "f")


def test_the_figure_shows_both_lenses_and_the_fixed_guess(tuned) -> None:
    figure = tuned.figure()
    curves = {trace.name: trace for trace in figure.data if trace.name}
    assert {"plain lens", "tuned lens", "fixed guess"} <= set(curves)
    np.testing.assert_allclose(curves["tuned lens"].y, tuned.report["tuned_mean"])
    assert f"n = {tuned.report.attrs['n_positions']}" in curves["tuned lens"].text[0]


def test_divergence_agrees_with_the_readout_of_the_plain_lens(subject, texts) -> None:
    parts = sample_parts(tokenize(subject, texts), positions_per_language=64, seed=0)
    fitter = _Fitter(subject, parts, seed=0, progress=Silent())
    vectors = fitter._read(parts.test)
    read = read_vocabulary(lens_rows(subject, vectors.transpose(0, 1)), fitter.head, ranks=False)
    nats = fitter._divergence([plain_maps(vectors)], vectors)
    np.testing.assert_allclose(nats, read.kl[:, :-1] * np.log(2), atol=1e-5)
