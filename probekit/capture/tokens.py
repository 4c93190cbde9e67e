"""Texts to token ids, what counts as content, and the deterministic cut into shards and batches.

Content tokens are attended tokens that are neither special (BOS, EOS, CLS, SEP) nor the first of
the sequence, which is an attention sink with massive activations even where there is no BOS
(Sun et al. 2024, arXiv 2402.17762). ``keep_first_token`` puts the first token back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import CorpusError, LanguageError, StudyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probekit.corpora import ParallelCorpus
    from probekit.models import Subject


@dataclass(frozen=True)
class TokenizedText:
    """One text as a model reads it.

    Attributes
    ----------
    unit, language
        Row and column in the corpus.
    ids
        Token ids, truncated to the limit.
    content
        Positions (from the first token, padding aside) that are pooled; never empty.
    """

    unit: int
    language: int
    ids: tuple[int, ...]
    content: tuple[int, ...]


@dataclass(frozen=True)
class TokenizedCorpus:
    """All texts of a corpus as token ids, unit after unit.

    Attributes
    ----------
    n_units, n_languages
        Shape of the corpus; ``texts`` holds ``n_units * n_languages`` texts.
    texts
        Texts ordered by unit, then language.
    n_truncated
        Texts cut at ``max_tokens``, per language.
    n_single
        Texts whose only content token is the first one, which is pooled then, per language.
    max_tokens
        The limit that was applied.
    units, languages
        Ids and codes, for messages that must name a text.
    """

    n_units: int
    n_languages: int
    texts: tuple[TokenizedText, ...]
    n_truncated: np.ndarray
    n_single: np.ndarray
    max_tokens: int
    units: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    @property
    def n_tokens(self) -> int:
        """Tokens that the model reads, padding aside."""
        return sum(len(text.ids) for text in self.texts)

    def tokens_per_language(self) -> np.ndarray:
        """Tokens read in each language, array (n_languages,)."""
        totals = np.zeros(self.n_languages, dtype=np.int64)
        for text in self.texts:
            totals[text.language] += len(text.ids)
        return totals

    def of_units(self, start: int, stop: int) -> tuple[TokenizedText, ...]:
        """Texts of units ``start`` … ``stop - 1``, in every language."""
        return self.texts[start * self.n_languages : stop * self.n_languages]


def tokenize(
    subject: Subject,
    corpus: ParallelCorpus,
    *,
    max_tokens: int = 128,
    keep_first_token: bool = False,
) -> TokenizedCorpus:
    """Tokenize a corpus with a subject's own tokenizer, special tokens included.

    Raises
    ------
    StudyError
        ``max_tokens`` is below 2 or above what the model can read.
    CorpusError
        A text gives no token that could be pooled.
    LanguageError
        The tokenizer reads most texts of a language as one and the same (unknown script).
    """
    _check_limit(subject, max_tokens)
    columns = [
        _encode(subject.tokenizer, corpus.texts[language], max_tokens=max_tokens)
        for language in corpus.languages
    ]
    n_truncated = np.zeros(len(columns), dtype=np.int64)
    n_single = np.zeros(len(columns), dtype=np.int64)
    texts = []
    for unit in range(corpus.n_units):
        for language, column in enumerate(columns):
            ids, special, cut = column[unit]
            content, single = _content(ids, special, keep_first_token=keep_first_token)
            if not content:
                raise _nothing_to_pool(corpus.units[unit], corpus.languages[language])
            n_truncated[language] += cut
            n_single[language] += single
            texts.append(TokenizedText(unit, language, ids, content))
    _check_readable(texts, corpus)
    return TokenizedCorpus(
        n_units=corpus.n_units,
        n_languages=len(columns),
        texts=tuple(texts),
        n_truncated=n_truncated,
        n_single=n_single,
        max_tokens=max_tokens,
        units=corpus.units,
        languages=corpus.languages,
    )


def _nothing_to_pool(unit: str, code: str) -> CorpusError:
    return CorpusError(
        f"text of unit {unit!r} in {code!r} has no content token under this tokenizer. Remove the "
        "unit or mend the text."
    )


def _check_readable(texts: Sequence[TokenizedText], corpus: ParallelCorpus) -> None:
    """Refuse a language that the tokenizer cannot tell apart: no measure over units means much."""
    n_languages = len(corpus.languages)
    for language, code in enumerate(corpus.languages):
        seen = Counter(text.ids for text in texts[language::n_languages])
        ids, count = seen.most_common(1)[0]
        if count > max(1, corpus.n_units // 2):
            msg = (
                f"language {code!r}: the tokenizer reads {count} of {corpus.n_units} texts as the "
                f"same {len(ids)} tokens (a script it does not know, or repeated text). Leave it "
                "out with --languages, or use another model."
            )
            raise LanguageError(msg)


def _check_limit(subject: Subject, max_tokens: int) -> None:
    longest = longest_text(subject)
    if max_tokens < 2:
        msg = (
            "max_tokens must be at least 2 (the first token is left out of pooling). Got "
            f"{max_tokens} instead."
        )
        raise StudyError(msg)
    if longest is not None and max_tokens > longest:
        msg = (
            f"max_tokens must be at most {longest}, the positions of {subject.source!r}. "
            f"Got {max_tokens} instead. Use --max-tokens {longest}."
        )
        raise StudyError(msg)


def longest_text(subject: Subject) -> int | None:
    """Most tokens that a subject has positions for; None where positions have no end."""
    config = subject.model.config.get_text_config()
    longest = getattr(config, "max_position_embeddings", None) or getattr(
        config, "n_positions", None
    )
    if not isinstance(longest, int):
        return None
    for name, module in subject.model.named_modules():
        # RoBERTa and its kin count positions from the one after the padding's
        if (
            name.endswith("position_embeddings")
            and getattr(module, "padding_idx", None) is not None
        ):
            return longest - int(module.padding_idx) - 1
    return longest


Encoded = tuple[tuple[int, ...], tuple[int, ...], bool]


def _encode(tokenizer: Any, texts: Sequence[str], *, max_tokens: int) -> list[Encoded]:
    """Ids, special-token flags and whether the text was cut, for every text."""
    options: dict[str, Any] = {"return_special_tokens_mask": True, "return_attention_mask": False}
    whole = tokenizer(list(texts), truncation=False, verbose=False, **options)
    long = [row for row, ids in enumerate(whole["input_ids"]) if len(ids) > max_tokens]
    rows = [
        (tuple(ids), tuple(special), False)
        for ids, special in zip(whole["input_ids"], whole["special_tokens_mask"], strict=True)
    ]
    if long:
        cut = tokenizer(
            [texts[row] for row in long], truncation=True, max_length=max_tokens, **options
        )
        for row, ids, special in zip(
            long, cut["input_ids"], cut["special_tokens_mask"], strict=True
        ):
            rows[row] = (tuple(ids), tuple(special), True)
    return rows


def _content(
    ids: tuple[int, ...], special: tuple[int, ...], *, keep_first_token: bool
) -> tuple[tuple[int, ...], bool]:
    """Pooled positions, and whether only the first token was left to pool."""
    plain = tuple(position for position in range(len(ids)) if not special[position])
    inner = plain if keep_first_token else tuple(p for p in plain if p > 0)
    return (inner, False) if inner else (plain, bool(plain))


@dataclass(frozen=True)
class ShardPlan:
    """Units ``start`` … ``stop - 1`` in all their languages: the atom of work, resume and merge."""

    index: int
    start: int
    stop: int

    @property
    def n_units(self) -> int:
        """Units in the shard."""
        return self.stop - self.start


def plan_shards(n_units: int, units_per_shard: int) -> tuple[ShardPlan, ...]:
    """Cut units into consecutive shards."""
    starts = range(0, n_units, units_per_shard)
    return tuple(
        ShardPlan(index, start, min(start + units_per_shard, n_units))
        for index, start in enumerate(starts)
    )


def batches(texts: Sequence[TokenizedText], *, token_budget: int) -> Iterator[list[TokenizedText]]:
    """Batches of similar length: at most ``token_budget`` padded tokens, at least one text.

    Longest first, so that a budget that does not fit in memory fails at once.
    """
    batch: list[TokenizedText] = []
    width = 0
    for text in sorted(texts, key=lambda t: (-len(t.ids), t.unit, t.language)):
        if batch and width * (len(batch) + 1) > token_budget:
            yield batch
            batch = []
        width = width if batch else len(text.ids)
        batch.append(text)
    if batch:
        yield batch
