"""What both models answer: forget, retain and neighbour facts, written answers, fluency.

Three passes over the facts a model: scores of every choice, greedy answers, prompts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from probekit.erasure.answers import answer_logp
from probekit.erasure.exam import exact_right
from probekit.erasure.losses import mean_by_text
from probekit.erasure.tail import Tail
from probekit.erasure.texts import Item, make_batches
from probekit.erasure.verify.decoding import named
from probekit.erasure.verify.shares import (
    Known,
    by_key,
    chance_by_key,
    exact_known,
    shares_of,
)
from probekit.facts import generate
from probekit.measures.resampling import bootstrap_weights, percentile_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from probekit.erasure.memory import Memory
    from probekit.erasure.verify.settings import VerifySettings
    from probekit.facts.question import FactSet
    from probekit.models import Subject


@dataclass(frozen=True, eq=False)
class Said:
    """What a model says to some questions.

    Attributes
    ----------
    facts
        What was asked.
    exact
        Whether every token of the answer is the likeliest, array (n_questions,).
    correct
        Whether the answer comes first among its choices (constrained decoding); of an open
        question as ``exact``.
    """

    facts: FactSet
    exact: NDArray[np.bool_]
    correct: NDArray[np.bool_]


def said(subject: Subject, facts: FactSet, *, batch_tokens: int) -> Said:
    """Ask a model: one forward over the answers, one over the prompts."""
    exact = exact_right(subject, facts, batch_tokens=batch_tokens)
    correct, closed = exact.copy(), [row for row, q in enumerate(facts) if q.choices]
    if closed:
        among = replace(facts, questions=tuple(facts.questions[row] for row in closed))
        last = (subject.anatomy.n_blocks - 1,)
        correct[closed] = named(subject, among, blocks=last, batch_tokens=batch_tokens).right[0]
    return Said(facts, exact, correct)


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What both models say to one question a fact and language.

    Attributes
    ----------
    before, after
        The base and the erased model.
    """

    before: Said
    after: Said

    @property
    def facts(self) -> FactSet:
        """What was asked."""
        return self.before.facts

    def known(self, part: str) -> Known:
        """Facts of a part that the base answers token by token, by language."""
        if part not in self.facts.parts:
            return {}
        of_part = {q.fact for q in self.facts if q.part == part}
        found = exact_known(self.facts, self.before.exact)
        return {code: tuple(f for f in facts if f in of_part) for code, facts in found.items()}

    def table(self) -> dict[str, dict[str, dict[str, Any]]]:
        """``{part: {language: …}}``: accuracy before and after, exact and by choice.

        ``before`` and ``after`` are over every fact, ``kept`` over those the base knows (absent
        where it knows none).
        """
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for part in self.facts.parts:
            known = self.known(part)
            found[part] = {
                code: self._cell(part, code, known.get(code, ()))
                for code in self.facts.where(part=part).languages
            }
        return found

    def _cell(self, part: str, code: str, known: tuple[str, ...]) -> dict[str, Any]:
        asked = self.facts.where(part=part, language=code)
        everything = {code: asked.facts}
        chance, luck = chance_by_key(asked), chance_by_key(asked, {code: known})
        cell: dict[str, Any] = {"n": len(asked.facts), "known": len(known)}
        for name, scores in (("before", self.before), ("after", self.after)):
            for kind, right in (("exact", scores.exact), ("choice", scores.correct)):
                hits = by_key(self.facts, right)
                cell[f"{name}_{kind}"] = shares_of(hits, chance, everything)[code]
        if known:
            hits = by_key(self.facts, self.after.exact)
            cell["kept"] = shares_of(hits, luck, {code: known})[code]
        return cell


def behaviour(
    subjects: tuple[Subject, Subject], facts: FactSet, how: VerifySettings, *, memory: Memory
) -> Behaviour:
    """Ask both models the same questions."""
    base, erased = subjects
    tokens = how.batch_tokens
    before = memory.once(
        "said",
        base,
        lambda: said(base, facts, batch_tokens=tokens),
        facts=facts,
        settings=tokens,
    )
    return Behaviour(before, said(erased, facts, batch_tokens=tokens))


def choice_attack(found: Behaviour, known: Known) -> dict[str, Any]:
    """Facts whose right answer still ranks first among its choices, though it is not said."""
    closed = {code: _closed(found.facts, code, facts) for code, facts in known.items()}
    chance = chance_by_key(found.facts.where(part="forget"), closed)
    hits = by_key(found.facts, found.after.correct)
    return {"by_language": shares_of(hits, chance, closed)}


def _closed(facts: FactSet, code: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    open_ones = {q.fact for q in facts if q.language == code and not q.choices}
    return tuple(fact for fact in wanted if fact not in open_ones)


def wrong_language(
    subjects: tuple[Subject, Subject],
    facts: FactSet,
    *,
    known: Known,
    how: VerifySettings,
    memory: Memory,
) -> dict[str, Any]:
    """Known facts that are answered in another language than they are asked in.

    Counted on what the model writes, before any reference metric: an answer in the wrong language
    is wrong to a metric and yet a fact that was not erased. Chance is the base's own share.
    """
    asked = facts.where(part="forget")
    base, erased = subjects
    shape = (how.max_new_tokens, how.batch_tokens)

    def write(subject: Subject) -> Any:
        return generate(subject, asked, max_new_tokens=shape[0], batch_tokens=shape[1])

    kept = memory.once("written", base, lambda: write(base), facts=asked, settings=shape)
    written = [kept, write(erased)]
    before, after = (by_key(asked, w.wrong_language) for w in written)
    luck = {
        (code, fact): float(np.mean([before[code, f] for f in facts_]))
        for code, facts_ in known.items()
        for fact in facts_
    }
    counts = chance_by_key(asked, known)
    chance = {key: max(value, counts.get(key, 0.0)) for key, value in luck.items()}
    tables = {
        name: w.table(seed=how.seed) for name, w in zip(("before", "after"), written, strict=True)
    }
    return {"by_language": shares_of(after, chance, known), "written": tables}


def fluency(
    subjects: tuple[Subject, Subject],
    texts: dict[str, tuple[str, ...]],
    how: VerifySettings,
    *,
    memory: Memory,
) -> dict[str, dict[str, Any]]:
    """Mean nats a token of texts without answers, before and after, with the rise's interval.

    ``exp`` of it is the perplexity. Intervals are a bootstrap over texts, both models together.
    """
    found = {}
    for code, own in texts.items():
        before = _base_nats(subjects[0], own, how.batch_tokens, memory=memory)
        after = text_nats(subjects[1], own, how.batch_tokens)
        n = len(own)
        cell = {"n": n, "before": float(before.mean()), "after": float(after.mean())}
        cell["rise"] = cell["after"] - cell["before"]
        if n > 1:
            weights = bootstrap_weights(n, n_resamples=1000, seed=how.seed)
            low, high = percentile_interval(weights @ (after - before) / n)
            cell |= {"rise_low": low, "rise_high": high}
        found[code] = cell
    return found


def _base_nats(base: Subject, texts: tuple[str, ...], batch_tokens: int, *, memory: Memory) -> Any:
    return memory.once(
        "nats", base, lambda: text_nats(base, texts, batch_tokens), settings=(texts, batch_tokens)
    )


def text_nats(subject: Subject, texts: tuple[str, ...], batch_tokens: int) -> Any:
    """``−mean log p`` of every text's tokens after its first, array (n_texts,), in nats."""
    batches = make_batches(subject, text_items(subject, texts), token_budget=batch_tokens)
    tail = Tail(subject, 0, cache_bytes=0)
    found: dict[Any, float] = {}
    for batch in batches:
        with torch.no_grad():
            logp, _ = answer_logp(subject, tail.run(batch), batch)
            mean = mean_by_text(logp, batch.rows, len(batch.items)).double().tolist()
        found |= {item.question: -value for item, value in zip(batch.items, mean, strict=True)}
    return np.array([found[text] for text in texts])


def text_items(subject: Subject, texts: tuple[str, ...]) -> list[Item]:
    """Plain texts as items whose every token after the first is an answer."""
    special, items = set(subject.tokenizer.all_special_ids), []
    for text in texts:
        ids = tuple(subject.tokenizer(text, truncation=False, verbose=False)["input_ids"])
        places = tuple(at for at in range(1, len(ids)) if ids[at] not in special)
        items.append(Item(text, ids, places, places))  # type: ignore[arg-type]
    return items


def plain_texts(subject: Subject, facts: FactSet) -> dict[str, tuple[str, ...]]:
    """Prompts of retained facts (of all but the forgotten where none is retained), by language.

    Texts of fewer than three tokens are left out: they have nothing to predict.
    """
    parts = [p for p in ("retain", "neighbour", "relearn") if p in facts.parts][:1]
    if not parts:
        return {}
    asked, found = facts.where(part=parts), {}
    for code in asked.languages:
        texts = tuple(dict.fromkeys(q.prompt for q in asked if q.language == code))
        items = text_items(subject, texts)
        long = tuple(t for t, item in zip(texts, items, strict=True) if len(item.answer) > 1)
        if long:
            found[code] = long
    return found
