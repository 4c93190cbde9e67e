"""Changes of log-perplexity against plain cross-entropy, text by text."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from probekit.ablation import ablate
from probekit.ablation import log_loss as losses
from probekit.ablation.ablate import spread_units
from probekit.ablation.log_loss import choose_targets
from probekit.capture.tokens import tokenize
from probekit.corpora import ParallelCorpus
from probekit.errors import InputError, LanguageError, ModelError
from probekit.models.examination import count_hooks
from tests.texts import parallel
from tests.tiny import D_MLP, subject_of, tiny_model, tiny_subject

CORPUS = parallel(8)
NEURONS = {"en": [(0, 3), (1, 5), (1, 6)], "de": [(2, j) for j in range(20)], "sw": []}


def plain_losses(subject, corpus):
    """Sum of next-token losses of every text after its first token, (language, unit)."""
    table = np.zeros((len(corpus.languages), corpus.n_units))
    for a, code in enumerate(corpus.languages):
        for i, text in enumerate(corpus.texts[code]):
            ids = torch.tensor([subject.tokenizer(text)["input_ids"]])
            with torch.no_grad():
                loss = subject.model(ids, labels=ids).loss
            table[a, i] = float(loss) * (ids.shape[1] - 1)
    return table


def broken(family, block, neurons):
    subject = tiny_subject(family)
    down = subject.anatomy.require_neurons().down
    weight = subject.model.get_submodule(f"{subject.anatomy.block(block)}.{down}").weight
    with torch.no_grad():
        if family == "gpt2":
            weight[list(neurons)] = 0
        else:
            weight[:, list(neurons)] = 0
    return subject


def run(family="llama", neurons=NEURONS, **options):
    options = {"positions": None, "bootstrap": 50} | options
    return ablate(tiny_subject(family), CORPUS, neurons, **options)


@pytest.fixture(scope="module")
def found():
    return run()


@pytest.mark.parametrize("family", ["llama", "gpt2", "phi3", "gemma2", "granite"])
def test_changes_are_those_of_a_model_with_the_columns_zeroed(family):
    neurons = {"de": [(1, j) for j in range(0, 30, 2)]}
    data = run(family, neurons).data
    before = plain_losses(tiny_subject(family), CORPUS)
    after = plain_losses(broken(family, 1, range(0, 30, 2)), CORPUS)
    n = data["n_scored"].to_numpy()
    expected = (after - before).sum(axis=1)
    np.testing.assert_allclose(data["log_perplexity"], before.sum(axis=1) / n, rtol=1e-4)
    np.testing.assert_allclose(data["change"][0], expected / n, atol=2e-4)
    np.testing.assert_allclose(data["change_text"][0], expected / 8, atol=5e-3)
    assert np.abs(expected / n).max() > 0.01


def test_a_language_without_neurons_changes_nothing(found):
    for name in ("change", "random", "excess", "change_low", "change_high"):
        assert (found.data[name].sel(ablated="sw") == 0).all(), name
    assert (found.data["change"].sel(ablated="de") != 0).all()


def test_excess_is_change_minus_random_and_lies_in_its_interval(found):
    data = found.data
    np.testing.assert_allclose(data["excess"], data["change"] - data["random"], atol=1e-12)
    for name in ("change", "random", "excess", "excess_text", "log_perplexity"):
        assert (data[f"{name}_low"] <= data[name] + 1e-12).all()
        assert (data[name] <= data[f"{name}_high"] + 1e-12).all()
    assert data["n_neurons"].to_numpy().tolist() == [3, 20, 0]


def test_random_draws_differ_by_seed_and_do_not_depend_on_other_languages(found):
    assert np.array_equal(run().data["random"], found.data["random"])
    assert not np.array_equal(run(seed=1).data["random"], found.data["random"])
    alone = run(neurons={"de": NEURONS["de"]}).data
    assert np.array_equal(alone["random"][0], found.data["random"].sel(ablated="de"))


def test_the_random_change_is_the_mean_over_units_of_their_draws(found):
    data, counts = found.data, found.data["n_scored"].to_numpy()
    assert data.sizes["draw"] == 3
    one = run(controls=1).data
    np.testing.assert_allclose(one["random_draw"].isel(draw=0), one["random"])
    tokens = tokenize(tiny_subject("llama"), CORPUS)
    scored = choose_targets(tokens, most=None, seed=0).counts
    by_draw = np.stack([scored[:, draw::3].sum(axis=1) for draw in range(3)])
    joined = (data["random_draw"].to_numpy() * by_draw).sum(axis=1) / counts
    np.testing.assert_allclose(joined, data["random"], atol=1e-12)


def test_batches_and_pieces_of_logits_change_nothing(found, monkeypatch):
    monkeypatch.setattr(losses, "LOGIT_BYTES", 1)
    other = run(token_budget=1)
    for name in ("change", "random", "log_perplexity"):
        np.testing.assert_allclose(other.data[name], found.data[name], atol=2e-5)


def test_logits_never_exceed_their_budget(monkeypatch):
    subject, rows = tiny_subject("llama"), []
    monkeypatch.setattr(losses, "LOGIT_BYTES", 4 * 264 * 5)
    head = subject.model.lm_head
    head.register_forward_hook(lambda _m, _a, out: rows.append(out.shape[0]))
    ablate(subject, CORPUS, {"en": NEURONS["en"]}, bootstrap=20)
    assert max(rows) == 5


def test_fewer_positions_score_fewer_tokens(found):
    few = run(positions=2)
    assert few.data["n_scored"].to_numpy().tolist() == [16, 16, 16]
    assert (few.data["n_scored"] < found.data["n_scored"]).all()


def test_targets_are_content_with_a_token_before_them():
    tokens = tokenize(tiny_subject("llama", bos=True), CORPUS)
    every = choose_targets(tokens, most=None, seed=0)
    assert all(1 in positions for positions in every.targets)
    some = choose_targets(tokens, most=3, seed=0)
    for kept, all_of_them in zip(some.targets, every.targets, strict=True):
        assert set(kept) <= set(all_of_them)
        assert list(kept) == sorted(set(kept))
    assert choose_targets(tokens, most=3, seed=1).targets != some.targets


def test_units_are_spread_over_the_corpus():
    units = tuple(f"u{i}" for i in range(100))
    assert spread_units(units, 4) == ("u0", "u33", "u66", "u99")
    assert spread_units(units[:5], 10) == units[:5]
    assert run(limit=4).data.attrs["n_units"] == 4


def test_nothing_is_left_in_the_model():
    subject = tiny_subject("llama")
    ablate(subject, CORPUS, NEURONS, bootstrap=20)
    assert count_hooks(subject.model) == 0
    assert subject.state_sha256 == tiny_subject("llama").state_sha256


def test_json_and_table_agree(found):
    content = json.loads(found.to_json())
    assert content["rows"] == found.table()
    assert len(content["rows"]) == 9
    row = content["rows"][3]
    assert (row["ablated"], row["language"], row["n_neurons"]) == ("de", "en", 20)
    assert row["change"] == float(found.data["change"].sel(ablated="de", language="en"))
    assert set(content["log_perplexity"]) == {"en", "de", "sw"}
    assert content["how"]["controls"] == 3
    assert "3 languages" in repr(found)


def test_own_and_others_split_the_excess(found):
    own, others = found.own_and_others()["de"]
    excess = found.data["excess"].sel(ablated="de")
    assert own == float(excess.sel(language="de"))
    assert others == pytest.approx(float(excess.sel(language=["en", "sw"]).mean()))


@pytest.mark.parametrize(("family", "stack"), [("bert", None), ("t5", "decoder")])
def test_a_model_that_sees_the_whole_text_is_refused(family, stack):
    subject = tiny_subject(family, stack=stack)
    assert subject.anatomy.head
    with pytest.raises(ModelError, match="sees the whole text"):
        ablate(subject, CORPUS, NEURONS)


def test_a_model_without_a_head_is_refused():
    subject = subject_of(tiny_model("llama").model)
    with pytest.raises(ModelError, match="has no unembedding"):
        ablate(subject, CORPUS, NEURONS)


def test_a_mixture_of_experts_is_refused_by_name():
    with pytest.raises(ModelError, match="Mixtral"):
        run("mixtral")


def test_a_text_of_one_token_is_named():
    corpus = ParallelCorpus(
        name="short",
        units=CORPUS.units,
        texts={**CORPUS.texts, "sw": ("x", *CORPUS.texts["sw"][1:])},
    )
    with pytest.raises(InputError, match=r"unit 'u0' in 'sw' has no token that follows another"):
        ablate(tiny_subject("llama"), corpus, NEURONS)


@pytest.mark.parametrize(
    ("neurons", "options", "error", "said"),
    [
        ({}, {}, InputError, "at least one language"),
        ({"fr": [(0, 1)]}, {}, LanguageError, "names 'fr'"),
        ({"en": [(0, D_MLP)]}, {}, InputError, f"neurons 0 … {D_MLP - 1}"),
        (NEURONS, {"limit": 3}, InputError, "at least 4 units"),
        (NEURONS, {"controls": 0}, InputError, "controls must be at least 1"),
        (NEURONS, {"positions": 0}, InputError, "positions must be at least 1"),
        (NEURONS, {"limits": 5}, InputError, "no setting 'limits'"),
    ],
)
def test_bad_input_is_named(neurons, options, error, said):
    with pytest.raises(error, match=said):
        run(neurons=neurons, **options)
