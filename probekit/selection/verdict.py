"""From a rule and its evidence to region, target and the sentences that explain them.

Costs the two sup-t tests of :mod:`probekit.selection.significance`: about 50 ms at 400 resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probekit.selection.blocks import Blocks, describe
from probekit.selection.columns import FloatArray
from probekit.selection.evidence import Evidence
from probekit.selection.refusal import FLAT_LEVEL, Signal, caveats, find_signal, refuse, word_for
from probekit.selection.rule import Rule
from probekit.selection.stability import UNSTABLE_BELOW, Stability, assess, clearing_probability
from probekit.selection.tables import ALIGN, Tables, tabulate
from probekit.selection.target import Prefer, find_target

_TARGET_WORDS: Mapping[str, str] = {
    "peak": "the {peak} peak of the region",
    "earliest": "the first maximum of {column} in the region that noise does not explain",
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
    tables = tabulate(evidence, (*rule.columns, *rule.decisive))
    probability = clearing_probability(rule, tables)
    signal = find_signal(evidence, rule, tables)
    candidate = rule.region(tables, probability)
    refusals = refuse(evidence, rule, tables=tables, candidate=candidate, signal=signal)
    region: Blocks = () if refusals else candidate
    target = None
    if region:
        column = rule.target_column
        target = find_target(evidence, region=region, prefer=prefer, column=column)
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
    stability = verdict.stability
    return [
        statement,
        *_grounds(verdict, verdict.target),
        _overlap(stability),
        *_languages(stability),
        *_settings(stability),
    ]


def warn(verdict: Verdict) -> list[str]:
    """Say what weakens the answer."""
    notes = caveats(
        verdict.evidence,
        verdict.rule,
        tables=verdict.tables,
        region=verdict.region,
        signal=verdict.signal,
    )
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
    signal, rule = verdict.signal, verdict.rule
    varies = [
        f"{word_for(name)} differs between blocks beyond its bootstrap noise (sup-t p = "
        f"{signal.flatness[name]:.2g})"
        for name in rule.decisive
        if signal.flatness.get(name, 1.0) <= FLAT_LEVEL
    ]
    update = f"update blocks are {describe(verdict.update)}: the region up to the target"
    if verdict.update != verdict.region:
        update += f", since a loss on the output of block {target} reaches no deeper block"
    return [_target_reason(verdict, target), *varies, update]


def _target_reason(verdict: Verdict, target: int) -> str:
    """Why this block is the target, with its value."""
    evidence, name = verdict.evidence, verdict.rule.target_column
    column = evidence.column(name)
    where = _TARGET_WORDS[verdict.prefer].format(
        peak="CKA" if name == ALIGN else name, column=word_for(name)
    )
    said = f"target is block {target}, {where}: {word_for(name)} {column.value[target]:.3g}"
    if column.low is not None and column.high is not None:
        said += f" [{column.low[target]:.3g}, {column.high[target]:.3g}]"
    if name != ALIGN:
        return said
    return (
        f"{said}, null's 95 % point {evidence.align_null95[target]:.3g} (adjusted p = "
        f"{verdict.signal.adjusted[target]:.2g})"
    )


def _settings(stability: Stability) -> list[str]:
    """How much of the neighbourhood of the settings agrees, and which values keep the region."""
    share = stability.share_of_settings
    if share is None:
        return []
    said = (
        f"{share:.0%} of {len(stability.threshold_sensitivity)} neighbouring settings give a "
        f"region that overlaps this one by half or more"
    )
    kept = [
        f"{name} from {low:.3g} to {high:.3g}" if high is not None else f"{name} from {low:.3g} on"
        for name, (low, high) in stability.ranges.items()
    ]
    return [said + (f"; {', '.join(kept)} keeps it exactly" if kept else "")]


def _languages(stability: Stability) -> list[str]:
    """The region without each language, in one sentence."""
    left_out = stability.leave_one_language_out
    if not left_out:
        return []
    worst = min(left_out, key=lambda language: left_out[language].jaccard)
    least = left_out[worst].jaccard
    mean = sum(each.jaccard for each in left_out.values()) / len(left_out)
    return [
        f"without one language the region overlaps this one by {mean:.2f} on average, by "
        f"{least:.2f} at least (without {worst}: blocks {describe(left_out[worst].region)})"
    ]


def _overlap(stability: Stability) -> str:
    overlap = stability.region_jaccard_mean
    word = "stable" if overlap >= UNSTABLE_BELOW else "unstable"
    return (
        f"{word}: regions of {stability.bootstrap_n} resamples overlap this one by {overlap:.2f} "
        f"on average (Jaccard; stable from {UNSTABLE_BELOW:g})"
    )
