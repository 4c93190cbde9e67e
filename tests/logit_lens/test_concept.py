"""The concept lens: token sets, prompts, energy, masses against plain means."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from probekit.corpora import ParallelCorpus
from probekit.errors import CorpusError, InputError, LanguageError, ModelError
from probekit.logit_lens.concept import ConceptLens, concept_lens, other_words
from probekit.logit_lens.concept_items import (
    LEAST_WORDS,
    SHOTS,
    autonym,
    choose_sources,
    make_items,
    open_lexicon,
)
from probekit.logit_lens.concept_result import word_weights
from probekit.logit_lens.energy import Energy
from probekit.logit_lens.tuned import TunedLens
from probekit.logit_lens.words import Spelling, as_bytes, built_in_words, byte_alphabet, facts
from probekit.models.head import unembedding
from tests.texts import parallel
from tests.tiny import D_MODEL, N_BLOCKS, tiny_subject, tiny_tokenizer

if TYPE_CHECKING:
    from probekit import Subject

LATIN = ["haus", "Haus", "ha", "h", "a", "é", "éc"]
OTHERS = ["в", "во", "水", "م"]


def marked_tokenizer():
    """A SentencePiece-like vocabulary: ``▁`` for space, bytes as ``<0xE6>``."""
    pieces = [*LATIN, *OTHERS, "▁haus", "▁h", "▁во", "▁", "x", "<0xE6>", "<0xD0>", "<0xC3>", " "]
    vocabulary = {piece: n for n, piece in enumerate(["<unk>", *dict.fromkeys(pieces)])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def pieces_of(tokenizer, ids) -> set[str]:
    return set(tokenizer.convert_ids_to_tokens(sorted(ids)))


def brute_force(tokenizer, word: str) -> set[str]:
    """Every token of the vocabulary whose text, spaces aside, begins the word in either case."""
    forms = {word, word[0].upper() + word[1:], word[0].lower() + word[1:]}
    found = set()
    for token in tokenizer.get_vocab():
        text = token.removeprefix("▁")
        if text and any(form.startswith(text) for form in forms):
            found.add(token)
    return found


@pytest.mark.parametrize("word", ["haus", "Haus", "hausboot", "école", "Aha"])
def test_token_sets_are_the_brute_force_ones(word: str) -> None:
    tokenizer = marked_tokenizer()
    spelling = Spelling.of(tokenizer)
    assert spelling.scheme == "mark"
    assert pieces_of(tokenizer, spelling.tokens(word)) == brute_force(tokenizer, word)


def test_words_of_other_scripts_also_have_their_first_byte() -> None:
    tokenizer = marked_tokenizer()
    spelling = Spelling.of(tokenizer)
    for word, byte in (("вода", "<0xD0>"), ("水", "<0xE6>")):
        found = pieces_of(tokenizer, spelling.tokens(word))
        assert found == brute_force(tokenizer, word) | {byte}
    assert "<0xC3>" not in pieces_of(tokenizer, spelling.tokens("école"))


def test_a_space_alone_begins_no_word() -> None:
    tokenizer = marked_tokenizer()
    assert "▁" not in pieces_of(tokenizer, Spelling.of(tokenizer).tokens("haus"))


def test_byte_vocabularies_are_read_as_bytes() -> None:
    tokenizer = tiny_tokenizer()
    spelling = Spelling.of(tokenizer)
    assert spelling.scheme == "bytes"
    assert pieces_of(tokenizer, spelling.tokens("haus")) == {"h", "H"}
    water = pieces_of(tokenizer, spelling.tokens("вода"))  # one byte a token: 0xD0 of both cases
    assert water == {as_bytes("в")[0], as_bytes("В")[0]}
    assert pieces_of(tokenizer, spelling.tokens("école")) == set()  # no token is a whole é


def test_byte_alphabet_is_the_one_of_byte_level_tokenizers() -> None:
    assert set(byte_alphabet()) == set(pre_tokenizers.ByteLevel.alphabet())
    spell = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str
    for text in ("naïve", "水と", "в\n"):
        assert as_bytes(text) == spell(text)[0][0]


def test_special_tokens_begin_no_word() -> None:
    tokenizer = tiny_tokenizer()
    assert not set(tokenizer.all_special_ids) & set(Spelling.of(tokenizer).ids.values())


def test_built_in_words_are_single_words_that_all_languages_have() -> None:
    words = built_in_words(["en", "de", "zh"])
    assert words.n_units > 150
    for column in words.texts.values():
        assert not any(" " in term or any(c.isdigit() for c in term) for term in column)
    german = dict(zip(words.units, words.texts["de"], strict=True))
    assert german["territory:HU"] == "Ungarn"
    assert german["language:hu"] == "Ungarisch"
    assert not any(unit.startswith("month") for unit in words.units)
    assert "language:tlh" not in german  # Klingon is official nowhere


def test_facts_are_right_and_no_answer_comes_twice() -> None:
    countries, languages = facts(["en", "de"])
    known = dict(zip(countries.units, languages.units, strict=True))
    for country, language in (("HU", "hu"), ("BR", "pt"), ("JP", "ja"), ("TR", "tr")):
        assert known[f"territory:{country}"] == f"language:{language}"
    assert len(set(languages.units)) == languages.n_units > 30
    assert "territory:CH" not in known  # four official languages
    assert "territory:MT" not in known  # English is spoken as widely


def lexicon(task: str = "translation", codes=("ru", "de")):
    return open_lexicon(task, codes)


def items_of(task: str, target: str, source: str, n_words: int = 12, seed: int = 0):
    spelling = Spelling.of(marked_by_letters())
    lex = lexicon(task, dict.fromkeys([target, source]))
    return lex, make_items(
        lex, spelling, target=target, sources=[source], n_words=n_words, seed=seed
    )


def marked_by_letters():
    """A vocabulary of single letters of every script in use, with and without the space mark."""
    words = built_in_words(["en", "de", "ru", "ja"])
    letters = sorted({c for column in words.texts.values() for term in column for c in term})
    pieces = ["<unk>", "▁", *letters, *(f"▁{c}" for c in letters)]
    tokenizer = Tokenizer(
        models.BPE(vocab={p: n for n, p in enumerate(pieces)}, merges=[], unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def test_sets_of_an_item_are_disjoint_and_what_was_dropped_is_counted() -> None:
    lex, found = items_of("translation", "de", "ru", n_words=10_000)
    spelling = Spelling.of(marked_by_letters())
    meet = sum(
        bool(spelling.tokens(a) & spelling.tokens(b))
        for a, b in zip(lex.answers.texts["en"], lex.answers.texts["de"], strict=True)
    )
    assert found.n_meets_english == meet > 0
    assert found.n_meets_source == 0
    assert len(found.items) == found.n_candidates - meet
    for item in found.items:
        assert not item.target & item.english | item.target & item.source
        assert not item.english & item.source
        assert min(len(item.target), len(item.english), len(item.source)) > 0


def test_a_source_that_begins_like_the_answer_is_dropped() -> None:
    _, found = items_of("translation", "de", "id", n_words=10_000)
    assert found.n_meets_source > 0
    assert found.n_candidates == (len(found.items) + found.n_meets_english + found.n_meets_source)


def test_prompts_are_four_solved_lines_and_an_open_one() -> None:
    lex, found = items_of("translation", "ja", "ru")
    texts = lex.answers.texts
    solved = {
        f'Русский: "{a}" - 日本語: "{b}"' for a, b in zip(texts["ru"], texts["ja"], strict=True)
    }
    for item in found.items:
        *shots, last = item.prompt.split("\n")
        assert len(shots) == SHOTS
        assert set(shots) <= solved
        assert last == f'Русский: "{texts["ru"][item.word]}" - 日本語: "'
        assert texts["ja"][item.word] not in [shot.split('"')[-2] for shot in shots]


def test_repetition_asks_for_the_word_itself() -> None:
    lex, found = items_of("repetition", "ru", "ru")
    word = lex.answers.texts["ru"][found.items[0].word]
    assert found.items[0].prompt.endswith(f'Русский: "{word}" - Русский: "')
    assert found.sources == ()
    assert all(not item.source for item in found.items)


def test_cloze_asks_for_a_fact() -> None:
    lex, found = items_of("cloze", "ru", "ru")
    country = lex.asked.texts["ru"][found.items[0].word]
    assert lex.asked.units[found.items[0].word].startswith("territory:")
    assert found.items[0].prompt.endswith(f'Страна: "{country}" - Официальный язык: "')


def test_languages_share_their_words() -> None:
    lex = lexicon(codes=("ru", "ja"))
    spelling = Spelling.of(marked_by_letters())
    words = [
        {
            item.word
            for item in make_items(
                lex, spelling, target=target, sources=[source], n_words=20, seed=3
            ).items
        }
        for target, source in (("ru", "ja"), ("ja", "ru"))
    ]
    assert words[0] == words[1]
    other = make_items(lex, spelling, target="ru", sources=["ja"], n_words=20, seed=4)
    assert {item.word for item in other.items} != words[0]


def test_autonyms_are_the_languages_own_names() -> None:
    assert [autonym(code) for code in ("fr", "zh", "tr", "sw")] == [
        "Français", "中文", "Türkçe", "Kiswahili",
    ]  # fmt: skip


def test_sources_by_default_have_another_script() -> None:
    chosen = choose_sources(None, ["es", "ru", "sw", "ko"])
    assert chosen == {"es": ("ru",), "ru": ("zh",), "sw": ("ru",), "ko": ("ru",)}
    assert choose_sources("all", ["es", "ru", "zh"])["ru"] == ("es", "zh")
    assert choose_sources("fr", ["es", "ru"]) == {"es": ("fr",), "ru": ("fr",)}
    with pytest.raises(LanguageError, match="source must not be 'en'"):
        choose_sources("en", ["es"])
    with pytest.raises(LanguageError, match="no source but itself"):
        choose_sources("es", ["es"])


def test_energy_of_a_rank_one_unembedding_is_one_along_it_and_zero_across() -> None:
    direction = torch.nn.functional.normalize(torch.arange(1.0, 9.0), dim=0).double()
    energy = Energy(torch.outer(direction, direction))
    across = torch.zeros(8).double()
    across[0], across[1] = direction[1], -direction[0]
    found = energy(torch.stack([direction, 7 * direction, across, across + 0 * direction]))
    torch.testing.assert_close(found, torch.tensor([1.0, 1.0, 0.0, 0.0]).double())


def test_energy_of_an_even_unembedding_is_one_everywhere() -> None:
    energy = Energy(torch.eye(8).double() / 8)
    hidden = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(energy(hidden), torch.ones(20).double())
    assert energy.chance == pytest.approx(1.0)


def test_energy_ignores_length_and_stays_in_its_range() -> None:
    energy = Energy.of(tiny_subject("llama"))
    hidden = torch.randn(50, D_MODEL, generator=torch.Generator().manual_seed(0))
    found = energy(hidden)
    torch.testing.assert_close(found, energy(1000 * hidden))
    largest = math.sqrt(float(torch.linalg.eigvalsh(energy.gram)[-1])) / energy.norm
    assert 0 <= float(found.min()) <= float(found.max()) <= largest
    square = float(found.square().mean()) ** 0.5
    assert square == pytest.approx(energy.chance, rel=0.15)
    assert float(energy(torch.zeros(1, D_MODEL))) == 0.0


def gram_by_hand(subject, gain: torch.Tensor) -> torch.Tensor:
    rows = torch.nn.functional.normalize(unembedding(subject).weight.double() @ gain, dim=1)
    return rows.T @ rows / len(rows)


@pytest.mark.parametrize("family", ["llama", "gemma3", "cohere", "gpt2", "opt-projected"])
def test_energy_takes_the_gain_that_the_norm_applies(family: str) -> None:
    subject = tiny_subject(family)
    energy = Energy.of(subject)
    if family == "opt-projected":
        gain = subject.model.model.decoder.project_out.weight.double()
    else:
        norm = subject.model.get_submodule(subject.anatomy.final_norm)
        gain = torch.diag((1 + norm.weight if family == "gemma3" else norm.weight).double())
    if family in {"cohere", "gpt2"}:  # LayerNorm: a vector's mean is taken away
        gain = gain @ (torch.eye(D_MODEL).double() - 1 / D_MODEL)
    torch.testing.assert_close(energy.gram, gram_by_hand(subject, gain), atol=1e-5, rtol=1e-3)
    assert energy.centred == (family in {"cohere", "gpt2"})


def test_a_head_that_transforms_has_no_energy() -> None:
    with pytest.raises(ModelError, match="transforms vectors before it unembeds"):
        Energy.of(tiny_subject("bert"))


def test_other_words_are_the_mean_over_words_that_differ() -> None:
    rng = np.random.default_rng(0)
    mass = rng.random((3, 2, 5))
    members = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1.0]])
    found = other_words(mass, members, np.array([0, 1, 2]))
    by_hand = (mass[0, :, 2] + mass[0, :, 3] + mass[0, :, 4]) / 2  # token 1 is its own word's
    np.testing.assert_allclose(found[0], by_hand)
    twice = other_words(mass, members, np.array([0, 0, 2]))  # two prompts of one word
    np.testing.assert_allclose(twice[0], mass[0, :, 3] + mass[0, :, 4])


CODES = ("de", "ru", "ja")


def reader() -> Subject:
    """A tiny model that reads a prompt spelled byte by byte."""
    return tiny_subject("llama", bos=True, max_position_embeddings=1024)


@pytest.fixture(scope="module")
def found() -> ConceptLens:
    return concept_lens(reader(), languages=CODES, n_words=8)


def test_masses_are_those_of_the_full_softmax(found) -> None:
    subject = reader()
    spelling = Spelling.of(subject.tokenizer)
    lex = open_lexicon("translation", ["de", "ru", "ja", "zh", "ar"])  # targets and sources
    items = make_items(lex, spelling, target="ru", sources=["zh"], n_words=8, seed=0).items
    assert LEAST_WORDS <= len(items) == int(found.results["n_prompts"].sel(language="ru"))
    masses: dict[str, list[np.ndarray]] = {"target": [], "english": [], "source": []}
    entropies = []
    for item in items:
        ids = subject.tokenizer(item.prompt, return_tensors="pt")["input_ids"]
        states = subject.model(ids, output_hidden_states=True)
        before = torch.stack([h[0, -1] for h in states.hidden_states[:-1]])
        p = subject.logits(before).double().softmax(-1)
        p = torch.cat([p, states.logits[:, -1].double().softmax(-1)]).numpy()
        for name, values in masses.items():
            values.append(p[:, sorted(getattr(item, name))].sum(1))
        entropies.append(-(p * np.log2(p)).sum(1))
    results = found.results.sel(language="ru")
    for name, values in masses.items():
        np.testing.assert_allclose(results[name], np.mean(values, axis=0), atol=1e-5)
    np.testing.assert_allclose(results["entropy"], np.mean(entropies, axis=0), atol=1e-3)


def test_results_have_intervals_floors_and_no_holes(found) -> None:
    results = found.results
    assert results["target"].dims == ("layer", "language")
    assert list(results["layer"].to_numpy()) == list(range(-1, N_BLOCKS))
    for name in ("target", "english", "source", "right", "entropy", "energy", "target_other"):
        for ends in (name, f"{name}_mean"):
            assert (results[f"{ends}_low"] <= results[ends] + 1e-12).all()
            assert (results[ends] <= results[f"{ends}_high"] + 1e-12).all()
    for name in ("target", "english", "source"):
        chance = results[f"{name}_chance"]
        assert ((chance > 0) & (chance < 1)).all()
    total = results["target"] + results["english"] + results["source"]
    assert float(total.max()) <= 1
    assert all(np.isfinite(v).all() for v in results.data_vars.values() if v.dtype.kind == "f")
    np.testing.assert_allclose(results["target"].mean("language"), results["target_mean"])
    assert results.attrs["energy_chance"] > 0


def test_the_result_goes_to_json_and_to_a_table(found) -> None:
    document = json.loads(found.to_json())
    target = document["variables"]["target"]
    assert target["axes"] == ["layer", "language"]
    np.testing.assert_allclose(target["values"], found.results["target"])
    assert document["attributes"]["task"] == "translation"
    assert found.table().row_count == N_BLOCKS + 1
    assert "24 prompts: de, ru, ja" in repr(found)


def test_the_figure_shows_bands_floors_and_counts(found) -> None:
    mean = found.figure()
    names = {trace.name for trace in mean.data}
    assert {"target language", "English", "source language", "English, other words"} <= names
    assert {"random vectors (largest of the sets)", "energy of random directions"} <= names
    english = next(trace for trace in mean.data if trace.name == "English")
    np.testing.assert_allclose(english.y, found.results["english_mean"])
    assert "n = 24" in english.text[0]
    one = found.figure(language="ru")
    english = next(trace for trace in one.data if trace.name == "English")
    np.testing.assert_allclose(english.y, found.results["english"].sel(language="ru"))
    caption = one.layout.annotations[-1].text
    assert caption.startswith("8 prompts · source: one of another script")
    with pytest.raises(LanguageError, match="has no language 'sw'"):
        found.figure(language="sw")


def test_same_seed_same_result_other_seed_another(found) -> None:
    subject = reader()
    again = concept_lens(subject, languages=CODES, n_words=8)
    assert again.results.identical(found.results)
    other = concept_lens(subject, languages=CODES, n_words=8, seed=1)
    assert not np.allclose(other.results["target"], found.results["target"])


def test_tasks_and_sources_change_the_result(found) -> None:
    subject = reader()
    repeated = concept_lens(subject, languages=["ru", "ja"], task="repetition", n_words=8)
    assert "source" not in repeated.results
    cloze = concept_lens(subject, languages=["ru", "ja"], task="cloze", n_words=8)
    assert cloze.results.attrs["task"] == "cloze"
    values = [r.results["target"].sel(language="ru") for r in (found, repeated, cloze)]
    assert not np.allclose(values[0], values[1])
    assert not np.allclose(values[1], values[2])
    every = concept_lens(subject, languages=["ru", "ja"], source="all", n_words=8)
    assert list(every.results["sources"].to_numpy()) == ["ja", "ru"]


def test_a_tuned_lens_changes_every_layer_but_the_last() -> None:
    subject = reader()
    tuned = TunedLens.fit(subject, parallel(20), positions_per_language=64, steps=0, ridge=0.1)
    plain, other = (
        concept_lens(subject, languages=["ru", "ja"], n_words=8, tuned=lens).results
        for lens in (None, tuned)
    )
    assert not np.allclose(plain["target"][0], other["target"][0])
    np.testing.assert_allclose(plain["target"][-1], other["target"][-1])
    np.testing.assert_allclose(plain["energy"], other["energy"])  # the vector's own
    assert (plain.attrs["lens"], other.attrs["lens"]) == ("plain", "tuned")


def word_list(n: int, *, first: dict[str, str]) -> ParallelCorpus:
    """Words that begin, in each language, with a letter of its own."""
    texts = {
        code: tuple(letter + "abcdefghijklmnop"[i] for i in range(n))
        for code, letter in first.items()
    }
    return ParallelCorpus(name="words", units=tuple(f"w{i}" for i in range(n)), texts=texts)


def test_own_words_are_used() -> None:
    words = word_list(10, first={"en": "x", "es": "y", "fr": "z"})
    result = concept_lens(
        tiny_subject("llama"), languages=["es", "fr"], source="all", words=words
    ).results
    assert list(result["n_words"].to_numpy()) == [10, 10]
    assert result.attrs["words"] == "words"
    with pytest.raises(LanguageError, match="has no language 'de'"):
        concept_lens(tiny_subject("llama"), languages=["es", "de"], source="all", words=words)
    with pytest.raises(InputError, match="words cannot be given to task 'cloze'"):
        concept_lens(tiny_subject("llama"), languages=["es"], task="cloze", words=words)


def test_a_language_without_words_is_left_out_and_named() -> None:
    words = word_list(10, first={"en": "x", "es": "y", "fr": "x"})
    result = concept_lens(
        tiny_subject("llama"), languages=["es", "fr"], task="repetition", words=words
    ).results
    assert list(result["language"].to_numpy()) == ["es"]
    assert result.attrs["left_out"] == {"fr": 0}
    with pytest.raises(CorpusError, match=r"no language has 8 .*fr 0"):
        concept_lens(tiny_subject("llama"), languages=["fr"], task="repetition", words=words)


def test_every_resample_has_words_of_every_language() -> None:
    words = [np.arange(8), np.array([9, 10, 11, 12, 13, 14, 15, 16])]
    weights = word_weights(words, 20, seed=0)
    assert (weights.sum(1) == 16).all()
    assert (weights[:, [8, 17, 18, 19]] == 0).all()
    for of_language in words:
        assert (weights[:, of_language].sum(1) > 0).all()


def test_what_cannot_be_asked_is_said() -> None:
    subject = tiny_subject("llama")
    cases = (
        ({"task": "crossword"}, InputError, "task must be one of translation, repetition, cloze"),
        ({"languages": ["en", "de"]}, LanguageError, "languages must not have 'en'"),
        ({"languages": ["de", "de"]}, LanguageError, "languages must be different"),
        ({"languages": ["ko"], "task": "cloze"}, LanguageError, "no language 'ko'"),
        ({"n_words": 5}, InputError, "n_words must be at least 8. Got 5"),
    )
    for options, kind, message in cases:
        with pytest.raises(kind, match=message):
            concept_lens(subject, **options)


@pytest.mark.parametrize("family", ["bert", "t5"])
def test_models_that_do_not_continue_text_are_refused(family: str) -> None:
    with pytest.raises(ModelError, match=r"causal|unembedding"):
        concept_lens(tiny_subject(family))


def test_a_prompt_longer_than_the_model_reads_is_refused() -> None:
    subject = tiny_subject("gpt2", n_positions=40)
    with pytest.raises(ModelError, match="positions for 40"):
        concept_lens(subject, languages=["ru"], task="repetition")
