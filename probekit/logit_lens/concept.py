"""Concept lens: in which language a model holds a word on the way to saying it in another.

"Do Llamas Work in English?" (Wendler et al. 2024, arXiv 2402.10588): the model is made to complete
a word, and by layer the lens tells how much probability lies on the beginnings of that word in the
target language, of the same word in English, and of the word on the prompt. Costs a forward over
the prompts (``n_words`` for each language and source, about 80 tokens each) and one product with
the vocabulary for every layer of every prompt.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.capture.notebook_progress import standing
from probekit.capture.tokens import TokenizedText, longest_text
from probekit.errors import CorpusError, InputError, ModelError
from probekit.logit_lens.concept_items import (
    LEAST_WORDS,
    TASKS,
    Task,
    choose_languages,
    choose_sources,
    make_items,
    open_lexicon,
)
from probekit.logit_lens.concept_result import as_document, dataset, layer_table
from probekit.logit_lens.energy import Energy
from probekit.logit_lens.residuals import residuals
from probekit.logit_lens.vocabulary import lens_rows, read_vocabulary
from probekit.logit_lens.words import Spelling
from probekit.models.head import require_head, unembedding
from probekit.models.inputs import takes_decoder_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go
    import xarray as xr
    from rich.table import Table
    from torch import Tensor

    from probekit.capture.engine import Progress
    from probekit.corpora import ParallelCorpus
    from probekit.logit_lens.concept_items import Items, Lexicon
    from probekit.logit_lens.tuned import TunedLens
    from probekit.models import Subject

#: Random residuals a language, each scored against all its words.
RANDOM_ROWS = 8
ANOTHER_SCRIPT = "one of another script for each target"
_FIGURE = "probekit.figures.concept"


@dataclass(frozen=True, eq=False)
class ConceptLens:
    """What :func:`concept_lens` finds.

    Attributes
    ----------
    results
        By layer and language, each with ``_low`` and ``_high`` (95 % bootstrap over words), and as
        ``_mean`` over languages by layer:

        - ``target``, ``english``, ``source``: probability on the beginnings of the word, in [0, 1];
        - ``target_other``, ``english_other``: the same for the *other* words of the language, a
          control that knows the language and not the concept;
        - ``right``: share of prompts whose most probable token begins the target word;
        - ``entropy`` in bits; ``energy``, see :class:`~probekit.logit_lens.energy.Energy`.

        ``target_chance``, ``english_chance``, ``source_chance`` (without interval): the masses that
        random residuals of the same length get. ``n_words``, ``n_prompts`` and what was dropped, by
        language, are variables too. Attributes: task, source, seed, ``energy_chance``, languages
        left out and why.
    """

    results: xr.Dataset

    def to_json(self) -> str:
        """Everything as JSON: attributes, coordinates, and arrays that name their axes."""
        return json.dumps(as_document(self.results), indent=1, ensure_ascii=False, allow_nan=False)

    def table(self) -> Table:
        """Means over languages by layer, for a terminal."""
        return layer_table(self.results)

    def figure(self, *, language: str | None = None) -> go.Figure:
        """Curves by layer with bands and floors; one language, or the mean over all."""
        figure: go.Figure = importlib.import_module(_FIGURE).concept_curves(
            self.results, language=language
        )
        return figure

    def __repr__(self) -> str:
        r = self.results
        codes = ", ".join(str(code) for code in r["language"].to_numpy())
        return f"ConceptLens({r.attrs['task']}, {int(r['n_prompts'].sum())} prompts: {codes})"

    def _repr_html_(self) -> str:
        return str(self.figure().to_html(full_html=False, include_plotlyjs="cdn"))


def concept_lens(
    subject: Subject,
    *,
    languages: Sequence[str] | None = None,
    task: Task = "translation",
    source: str | None = None,
    n_words: int = 24,
    words: ParallelCorpus | None = None,
    tuned: TunedLens | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> ConceptLens:
    """Follow words of a causal model through its layers: target language, English, source.

    Parameters
    ----------
    languages
        Targets, any that CLDR has; None: the built-in ones without English. One with fewer than
        eight usable words is left out and named in ``results.attrs``.
    task
        ``translation``, ``repetition``, or ``cloze`` (built-in languages only).
    source
        A language, or ``all`` targets; None: each target has one of another script.
    n_words
        Most words a language.
    words
        Instead of CLDR's: a parallel corpus with English, the targets and the sources.
    tuned
        Read the layers through this tuned lens.
    seed
        Of the order of words, the shots, the random residuals and the bootstrap.

    Raises
    ------
    ModelError, LanguageError, CorpusError, InputError
        Not a causal model; English as target or source; no language with eight usable words; no
        such task.
    """
    _check(subject, n_words)
    targets = choose_languages(languages, task)
    sources = choose_sources(source, targets) if task == "translation" else _own(targets)
    lexicon = open_lexicon(task, _involved(sources), words)
    every = _every_item(subject, lexicon, sources, n_words=n_words, seed=seed)
    usable = _usable(every)
    with standing(progress) as told:
        reader = _Reader(subject, tuned=tuned, seed=seed, progress=told)
        attributes = _attributes(lexicon, reader, every, source=source)
        n_units, found = lexicon.answers.n_units, reader.read(usable)
    return ConceptLens(dataset(found, usable, n_units=n_units, seed=seed, attributes=attributes))


def _attributes(
    lexicon: Lexicon, reader: _Reader, every: Mapping[str, Items], *, source: str | None
) -> dict[str, Any]:
    """How the numbers were made."""
    few = {code: items.n_words for code, items in every.items() if items.n_words < LEAST_WORDS}
    return {
        "task": lexicon.task,
        "source": source or ANOTHER_SCRIPT if lexicon.task == "translation" else "none",
        "lens": "plain" if reader.tuned is None else "tuned",
        "n_random": RANDOM_ROWS,
        "energy_chance": reader.energy.chance,
        "left_out": few,
        "words": lexicon.answers.provenance or lexicon.answers.name,
    }


def _own(targets: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Every target as its own source."""
    return {target: (target,) for target in targets}


def _involved(sources: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Targets and sources, each once."""
    return tuple(dict.fromkeys([*sources, *(code for found in sources.values() for code in found)]))


def _every_item(
    subject: Subject,
    lexicon: Lexicon,
    sources: Mapping[str, tuple[str, ...]],
    *,
    n_words: int,
    seed: int,
) -> dict[str, Items]:
    """Prompts of every target."""
    spelling = Spelling.of(subject.tokenizer)
    return {
        target: make_items(
            lexicon, spelling, target=target, sources=found, n_words=n_words, seed=seed
        )
        for target, found in sources.items()
    }


def _check(subject: Subject, n_words: int) -> None:
    require_head(subject)
    if subject.anatomy.stack == "encoder" or takes_decoder_ids(subject.model):
        msg = (
            f"subject {subject.source!r} does not continue a text ({subject.anatomy.architecture}),"
            f" which the tasks {', '.join(TASKS)} need. Use a causal language model."
        )
        raise ModelError(msg)
    if n_words < LEAST_WORDS:
        msg = f"n_words must be at least {LEAST_WORDS}. Got {n_words} instead."
        raise InputError(msg)


def _usable(every: Mapping[str, Items]) -> dict[str, Items]:
    """Languages with enough words; there must be one."""
    usable = {code: items for code, items in every.items() if items.n_words >= LEAST_WORDS}
    if not usable:
        found = ", ".join(f"{code} {items.n_words}" for code, items in every.items())
        msg = (
            f"words: no language has {LEAST_WORDS} whose beginnings differ from the English and "
            f"the source word's ({found}). Choose languages of other scripts, or give words."
        )
        raise CorpusError(msg)
    return usable


class _Reader:
    """Runs the prompts of a language and reads the lens at the last position of each."""

    def __init__(
        self, subject: Subject, *, tuned: TunedLens | None, seed: int, progress: Progress
    ) -> None:
        self.subject, self.tuned, self.seed, self.progress = subject, tuned, seed, progress
        self.head, self.energy = unembedding(subject), Energy.of(subject)

    def read(self, usable: Mapping[str, Items]) -> dict[str, dict[str, np.ndarray]]:
        """Language → name → array (prompt, layer), for each of its prompts."""
        texts = {code: self._texts(items) for code, items in usable.items()}
        total = sum(len(text.ids) for column in texts.values() for text in column)
        self.progress.start(n_tokens=total, done=0)
        return {code: self._language(items, texts[code]) for code, items in usable.items()}

    def _texts(self, items: Items) -> list[TokenizedText]:
        """Prompts as texts whose only content is the last token that is not special."""
        encoded = self.subject.tokenizer(
            [item.prompt for item in items.items], return_special_tokens_mask=True
        )
        texts = []
        rows = zip(encoded["input_ids"], encoded["special_tokens_mask"], strict=True)
        for number, (ids, special) in enumerate(rows):
            last = max(place for place, mark in enumerate(special) if not mark)
            texts.append(TokenizedText(number, 0, tuple(ids[: last + 1]), (last,)))
        longest = longest_text(self.subject)
        needs = max(len(text.ids) for text in texts)
        if longest is not None and needs > longest:
            msg = (
                f"a prompt has {needs} tokens and {self.subject.source!r} has positions for "
                f"{longest}. Use shorter words, or a model with a longer context."
            )
            raise ModelError(msg)
        return texts

    def _language(self, items: Items, texts: Sequence[TokenizedText]) -> dict[str, np.ndarray]:
        import torch

        vectors = torch.empty(len(texts), self.subject.anatomy.n_blocks + 1, 0)
        found: dict[int, Tensor] = {}
        for rows, part in residuals(self.subject, texts):
            found |= {
                text.unit: vector for text, vector in zip(rows, part.transpose(0, 1), strict=True)
            }
            self.progress.advance(sum(len(text.ids) for text in rows))
        vectors = torch.stack([found[number] for number in range(len(texts))])
        tokens = sorted(set().union(*(i.target | i.english | i.source for i in items.items)))
        read, mass = self._lens(vectors, tokens)
        _, random_mass = self._lens(self._random(vectors), tokens)
        sets = {
            name: _membership([getattr(item, name) for item in items.items], tokens)
            for name in ("target", "english", "source")
            if any(getattr(item, name) for item in items.items)
        }
        begins = [np.isin(top, list(i.target)) for top, i in zip(read[1], items.items, strict=True)]
        words = np.array([item.word for item in items.items])
        values = {"entropy": read[0], "right": np.array(begins, dtype=float)}
        values["energy"] = self.energy(vectors).cpu().numpy()
        for name, members in sets.items():
            values[name] = np.einsum("plt,pt->pl", mass, members)
            values[f"{name}_chance"] = np.einsum("rlt,pt->pl", random_mass, members) / RANDOM_ROWS
        for name in ("target", "english"):
            values[f"{name}_other"] = other_words(mass, sets[name], words)
        return values

    def _lens(self, vectors: Tensor, tokens: Sequence[int]) -> tuple[Any, np.ndarray]:
        """Entropy and best token (position, layer), and probability of ``tokens``."""
        translate = None if self.tuned is None else self.tuned.translate_row
        rows = lens_rows(self.subject, vectors, translate=translate)
        wanted = np.tile(np.array(tokens), (len(vectors), 1))
        read = read_vocabulary(rows, self.head, targets=wanted, ranks=False)
        return (read.entropy, read.top_ids[..., 0]), np.exp2(read.target_log2)

    def _random(self, vectors: Tensor) -> Tensor:
        """Random directions with the lengths that vectors of that layer have."""
        import torch

        generator = torch.Generator().manual_seed(self.seed)
        n, layers, d = vectors.shape
        noise = torch.randn(RANDOM_ROWS, layers, d, generator=generator).to(vectors)
        rows = torch.randint(0, n, (RANDOM_ROWS,), generator=generator).to(vectors.device)
        length = torch.linalg.vector_norm(vectors[rows], dim=2, keepdim=True)
        random: Tensor = torch.nn.functional.normalize(noise, dim=2) * length
        return random


def _membership(sets: Sequence[frozenset[int]], tokens: Sequence[int]) -> np.ndarray:
    """Which of ``tokens`` are in each set, array (sets, tokens) of 0 and 1."""
    column = {token: number for number, token in enumerate(tokens)}
    members = np.zeros((len(sets), len(tokens)))
    for row, tokens_of_set in enumerate(sets):
        members[row, [column[token] for token in tokens_of_set]] = 1.0
    return members


def other_words(mass: np.ndarray, members: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Mean mass of the other words' tokens, without those that the prompt's own word has.

    Parameters
    ----------
    mass : array of shape (prompts, layers, tokens)
        Probability of each token.
    members : array of shape (prompts, tokens)
        Tokens of each prompt's word, 0 or 1.
    words : array of shape (prompts,)
        Word of each prompt; there are at least two.

    Returns
    -------
    array of shape (prompts, layers)
    """
    different = words[:, None] != words
    weights = (different @ members) / different.sum(1, keepdims=True)
    found: np.ndarray = np.einsum("plt,pt->pl", mass, weights * (1 - members))
    return found
