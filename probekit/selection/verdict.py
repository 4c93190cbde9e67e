"""From a rule and its evidence to region, target and the sentences that explain them.

Costs the two sup-t tests of :mod:`probekit.selection.significance`: about 50 ms at 400 resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probekit.selection.blocks import Blocks, describe
from probekit.selection.evidence import Evidence, FloatArray
from probekit.selection.refusal import Signal, caveats, find_signal, refuse
from probekit.selection.rule import Rule
from probekit.selection.stability import UNSTABLE_BELOW, Stability, assess, clearing_probability
from probekit.selection.tables import Tables, tabulate
from probekit.selection.target import Prefer, find_target

_TARGET_WORDS: Mapping[str, str] = {
    "peak": "the CKA peak of the region",
    "earliest": "the first maximum of Align in the region that noise does not explain",
    "deepest": "the deepest block of the region",
}


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a rule decided, and on what.

    ``refusals`` are the reasons of a refusal; then ``region`` and ``update`` are empty and
    ``target`` is ``None``.
    """

    evidence: Evidence
    rule: Rule
    prefer: Prefer
    tables: Tables
    probability: FloatArray
    signal: Signal
    refusals: tuple[str, ...]
    region: Blocks
    target: int | None
    update: Blocks
    stability: Stability


def decide(evidence: Evidence, rule: Rule, prefer: Prefer) -> Verdict:
    """Apply a rule, refuse or not, find the target, and redraw under every resample."""
    tables = tabulate(evidence, rule.column)
    probability = clearing_probability(rule, tables)
    signal = find_signal(evidence, rule)
    candidate = rule.region(tables, probability)
    refusals = refuse(evidence, rule, tables=tables, candidate=candidate, signal=signal)
    region: Blocks = () if refusals else candidate
    target = find_target(evidence, region=region, prefer=prefer) if region else None
    return Verdict(
        evidence=evidence,
        rule=rule,
        prefer=prefer,
        tables=tables,
        probability=probability,
        signal=signal,
        refusals=tuple(refusals),
        region=region,
        target=target,
        update=tuple(block for block in region if target is not None and block <= target),
        stability=assess(rule, tables, region=region, languages=evidence.languages),
    )


def explain(verdict: Verdict) -> list[str]:
    """Why this answer: sentences with numbers."""
    if verdict.target is None:
        return list(verdict.refusals)
    statement = verdict.rule.statement(
        verdict.tables, region=verdict.region, probability=verdict.probability
    )
    return [statement, *_grounds(verdict, verdict.target), _overlap(verdict.stability)]


def warn(verdict: Verdict) -> list[str]:
    """Say what weakens the answer."""
    notes = caveats(verdict.evidence, region=verdict.region, signal=verdict.signal)
    if not verdict.region:
        return notes
    fragile = [
        language
        for language, redrawn in verdict.stability.leave_one_language_out.items()
        if redrawn.jaccard < UNSTABLE_BELOW
    ]
    if fragile:
        notes.append(f"without {', '.join(fragile)} the region is mostly another one")
    return [*verdict.rule.cautions(verdict.tables), *notes]


def rule_section(verdict: Verdict) -> dict[str, Any]:
    """Name, expression, thresholds and preference, as the document has them."""
    return {
        "name": verdict.rule.name,
        "expression": verdict.rule.expression,
        "thresholds": dict(verdict.rule.thresholds(verdict.tables)),
        "prefer": verdict.prefer,
    }


def _grounds(verdict: Verdict, target: int) -> list[str]:
    evidence, signal = verdict.evidence, verdict.signal
    peak = (
        f"target is block {target}, {_TARGET_WORDS[verdict.prefer]}: Align "
        f"{evidence.align[target]:.3g} [{evidence.align_low[target]:.3g}, "
        f"{evidence.align_high[target]:.3g}], null's 95 % point "
        f"{evidence.align_null95[target]:.3g} (adjusted p = {signal.adjusted[target]:.2g})"
    )
    varies = (
        f"Align differs between blocks beyond its bootstrap noise (sup-t p = {signal.flatness:.2g})"
    )
    update = f"update blocks are {describe(verdict.update)}: the region up to the target"
    if verdict.update != verdict.region:
        update += f", since a loss on the output of block {target} reaches no deeper block"
    return [peak, varies, update]


def _overlap(stability: Stability) -> str:
    overlap = stability.region_jaccard_mean
    word = "stable" if overlap >= UNSTABLE_BELOW else "unstable"
    return (
        f"{word}: regions of {stability.bootstrap_n} resamples overlap this one by {overlap:.2f} "
        f"on average (Jaccard; stable from {UNSTABLE_BELOW:g})"
    )
