"""When to say "there is no region here": the evidence is flat, the null stands, or no block clears.

Costs what :func:`probekit.selection.significance.flatness_p` costs, once a column of the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from probekit.selection.blocks import Blocks, describe
from probekit.selection.columns import Column, FloatArray
from probekit.selection.evidence import Evidence
from probekit.selection.rule import Rule
from probekit.selection.significance import adjusted_p, flatness_p
from probekit.selection.tables import ALIGN, LRDS, LRDS_CENTRED, Tables
from probekit.selection.target import find_target

NULL_LEVEL = 0.05
# stricter than the null's: a place named in flat evidence costs a training run for nothing
FLAT_LEVEL = 0.01
SMALL_SPREAD = 0.02
FEW_RESAMPLES = 50
_WORDS = {ALIGN: "Align", LRDS: "LRDS", LRDS_CENTRED: "LRDS"}


@dataclass(frozen=True, eq=False)
class Signal:
    """Whether the columns of a rule say anything about place.

    Attributes
    ----------
    adjusted : array of shape (n_blocks,)
        Permutation p-values of Align, adjusted over blocks (Benjamini–Hochberg).
    flatness : mapping of str to float
        Column of the rule that has resamples → p-value of "it is the same at every block".
    """

    adjusted: FloatArray
    flatness: Mapping[str, float]


def word_for(column: str) -> str:
    """What a sentence calls a column: Align, LRDS, or its own name."""
    return _WORDS.get(column, column)


def find_signal(evidence: Evidence, rule: Rule, tables: Tables) -> Signal:
    """Adjusted permutation p-values, and the flatness of every column that has resamples."""
    return Signal(
        adjusted=adjusted_p(evidence.align_p),
        flatness={
            name: flatness_p(column.value, column.samples, seed=evidence.seed)
            for name, column in tables.columns.items()
            if column.samples is not None and name in (*rule.columns, *rule.decisive)
        },
    )


def refuse(
    evidence: Evidence, rule: Rule, *, tables: Tables, candidate: Blocks, signal: Signal
) -> list[str]:
    """Reasons for ``no_signal``; none when the candidate region may stand.

    One of the rule's decisive columns must differ between blocks beyond its bootstrap noise (level
    .01); where the rule reads Align, the permutation null must be beaten at the candidate's CKA
    peak (of all blocks when there is no candidate), with p-values adjusted over all blocks (level
    .05); some block must clear the bars; the rule must be well-posed and beat its own chance.
    """
    reasons = [*rule.refusals(tables), *_flat(rule, tables, signal)]
    if ALIGN in rule.columns:
        reasons.extend(_null_stands(evidence, candidate or evidence.layers, signal))
    if not candidate and not reasons:
        reasons.append(f"no block clears the bars of rule {rule.name}: {rule.expression}")
    return reasons


def _flat(rule: Rule, tables: Tables, signal: Signal) -> list[str]:
    """Why no decisive column tells blocks apart; none when one does, or when none was resampled."""
    found = {name: signal.flatness[name] for name in rule.decisive if name in signal.flatness}
    if not found or min(found.values()) <= FLAT_LEVEL:
        return []
    flattest = min(found, key=lambda name: found[name])
    values = tables.columns[flattest].value
    others = "" if len(found) == 1 else f", the least flat of {len(found)} columns,"
    return [
        f"{word_for(flattest)}{others} does not differ between blocks beyond its bootstrap noise "
        f"(from {values.min():.3g} to {values.max():.3g}, sup-t p = {found[flattest]:.2g} > "
        f"{FLAT_LEVEL:g}): no block is a better place than another"
    ]


def _null_stands(evidence: Evidence, blocks: Blocks, signal: Signal) -> list[str]:
    peak = find_target(evidence, region=blocks, prefer="peak")
    if signal.adjusted[peak] <= NULL_LEVEL:
        return []
    reason = (
        f"the permutation null is not beaten: Align {evidence.align[peak]:.3g} at block {peak}, "
        f"the peak of blocks {describe(blocks)}, against a null with 95 % point "
        f"{evidence.align_null95[peak]:.3g} (p = {evidence.align_p[peak]:.2g}, adjusted over "
        f"{evidence.n_blocks} blocks {signal.adjusted[peak]:.2g} > {NULL_LEVEL:g})"
    )
    if evidence.align_p[peak] <= NULL_LEVEL:
        reason += "; more units or more permutations would sharpen it"
    return [reason]


def caveats(
    evidence: Evidence, rule: Rule, *, tables: Tables, region: Blocks, signal: Signal
) -> list[str]:
    """Say what weakens the evidence without forbidding a region."""
    notes = []
    if not evidence.has_left_out:
        why = "with two languages" if len(evidence.languages) == 2 else "in this evidence"
        notes.append(f"no language was left out {why}: probabilities rest on units alone")
    if evidence.n_resamples < FEW_RESAMPLES:
        notes.append(f"only {evidence.n_resamples} resamples: probabilities are coarse")
    notes.extend(_origins(tables.columns, evidence))
    return notes + _doubts(evidence, rule, region=region, signal=signal) if region else notes


def _doubts(evidence: Evidence, rule: Rule, *, region: Blocks, signal: Signal) -> list[str]:
    """What makes a region weaker than it looks."""
    notes = []
    spread = float(evidence.align.max() - evidence.align.min())
    if ALIGN in rule.columns and spread < SMALL_SPREAD:
        notes.append(f"Align differs between blocks by only {spread:.2g}: certain, but small")
    # a chance level may be as flat as it likes
    barred = [name for name in signal.flatness if name not in rule.decisive]
    barred = [name for name in barred if name in (ALIGN, LRDS, LRDS_CENTRED)]
    notes.extend(
        f"{word_for(name)} does not differ between blocks beyond its noise (p = "
        f"{signal.flatness[name]:.2g}): its bar decides by chance"
        for name in barred
        if signal.flatness[name] > FLAT_LEVEL
    )
    weak = [block for block in region if evidence.align_p[block] > NULL_LEVEL]
    if weak and ALIGN in rule.columns:
        notes.append(f"Align does not beat its null at blocks {describe(weak)} of the region")
    return notes


def _origins(columns: Mapping[str, Column], evidence: Evidence) -> list[str]:
    """Where resamples were drawn from intervals, and languages could not be left out."""
    notes = []
    drawn = [name for name, each in columns.items() if each.origin == "interval"]
    if drawn:
        notes.append(
            f"the run stores intervals of {', '.join(drawn)}, no resamples: they were drawn from "
            "the intervals, blocks and columns apart, which understates stability"
        )
    whole = [name for name, each in columns.items() if each.without is None]
    if whole and evidence.has_left_out and len(whole) < len(columns):
        notes.append(f"{', '.join(whole)} could not be measured without a language: held as it is")
    elif whole and evidence.has_left_out:
        notes.append("no column of the rule could be measured without a language")
    return notes
