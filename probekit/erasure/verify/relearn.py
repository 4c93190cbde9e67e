"""Relearning: whether a few steps on *other* facts bring the forgotten ones back.

The facts relearnt share nothing with those forgotten (part ``relearn``), so what comes back was
not gone. Costs ``steps`` of full fine-tuning a language and the blocks' tensors four times over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.erasure.answers import answer_logp
from probekit.erasure.exam import exact_right
from probekit.erasure.loop import Loop, LoopSettings, Verdict, shuffled
from probekit.erasure.losses import cross_entropy
from probekit.erasure.tail import Tail
from probekit.erasure.target import every_block
from probekit.erasure.texts import make_batches, read_items
from probekit.erasure.verify.shares import Known, best_of, by_key, chance_by_key, shares_of
from probekit.erasure.working_copy import trainable, working_copy

if TYPE_CHECKING:
    from probekit.erasure.verify.settings import VerifySettings
    from probekit.facts.question import FactSet
    from probekit.models import Subject

_ORDER = 11  # a random stream of its own


def relearnt(subject: Subject, facts: FactSet, how: VerifySettings) -> Subject:
    """Copy of a subject after ``relearn_steps`` steps on the answers of some facts."""
    copy = working_copy(subject, every_block(subject).names)
    batches = make_batches(copy, read_items(copy, facts), token_budget=how.batch_tokens)
    tail, order = Tail(copy, 0, cache_bytes=0), shuffled(len(batches), stream=(how.seed, _ORDER))

    def objective(step: int) -> Any:
        batch = batches[order(step)]
        loss = cross_entropy(answer_logp(copy, tail.run(batch), batch)[0])
        return loss, {"loss": float(loss.detach())}

    limits = LoopSettings(
        what="relearn",
        lr=how.relearn_lr,
        max_steps=how.relearn_steps,
        check_every=how.relearn_steps,
        clip=1.0,
    )
    Loop(trainable(copy), limits).run(objective, lambda: ({}, Verdict()))
    copy.model.requires_grad_(requires_grad=False)
    return copy


def relearn_attack(
    erased: Subject,
    facts: FactSet,
    *,
    known: Known,
    languages: tuple[str, ...],
    how: VerifySettings,
) -> dict[str, Any]:
    """Known facts answered after relearning, by language relearnt in and language asked in.

    ``matrix[relearnt in][asked in]``; ``by_language`` is the best of a column, its p-value
    times the languages relearnt in.
    """
    asked = facts.where(part="forget")
    chance, matrix = chance_by_key(asked, known), {}
    for code in languages:
        taught = relearnt(erased, facts.where(part="relearn", language=code), how)
        hits = by_key(asked, exact_right(taught, asked, batch_tokens=how.batch_tokens))
        matrix[code] = shares_of(hits, chance, known)
    best = {
        code: best_of([row[code] for row in matrix.values() if code in row])
        for code in known
        if any(code in row for row in matrix.values())
    }
    return {"by_language": best, "matrix": matrix}
