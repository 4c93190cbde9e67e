"""When to say "there is no region here": the evidence is flat, the null stands, or no block clears.

Costs what :func:`probekit.selection.significance.flatness_p` costs, twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from probekit.selection.blocks import Blocks, describe
from probekit.selection.evidence import Evidence, FloatArray
from probekit.selection.rule import Rule
from probekit.selection.significance import adjusted_p, flatness_p
from probekit.selection.tables import Tables
from probekit.selection.target import find_target

NULL_LEVEL = 0.05
# stricter than the null's: a place named in flat evidence costs a training run for nothing
FLAT_LEVEL = 0.01
SMALL_SPREAD = 0.02
FEW_RESAMPLES = 50


@dataclass(frozen=True, eq=False)
class Signal:
    """Whether Align says anything about place.

    Attributes
    ----------
    adjusted : array of shape (n_blocks,)
        Permutation p-values of Align, adjusted over blocks (Benjamini–Hochberg).
    flatness : float
        P-value of "Align is the same at every block".
    lrds_flatness : float
        The same for the LRDS that the rule reads.
    """

    adjusted: FloatArray
    flatness: float
    lrds_flatness: float


def find_signal(evidence: Evidence, rule: Rule) -> Signal:
    """Both tests of Align, and the flatness of the rule's LRDS."""
    lrds: FloatArray = getattr(evidence, rule.column)
    lrds_samples: FloatArray = getattr(evidence, f"{rule.column}_samples")
    seed = evidence.seed
    return Signal(
        adjusted=adjusted_p(evidence.align_p),
        flatness=flatness_p(evidence.align, evidence.align_samples, seed=seed),
        lrds_flatness=flatness_p(lrds, lrds_samples, seed=seed),
    )


def refuse(
    evidence: Evidence, rule: Rule, *, tables: Tables, candidate: Blocks, signal: Signal
) -> list[str]:
    """Reasons for ``no_signal``; none when the candidate region may stand.

    The permutation null must be beaten at the candidate's CKA peak (of all blocks when there is
    no candidate), with p-values adjusted over all blocks (level .05); Align must differ between
    blocks beyond its bootstrap noise (level .01); some block must clear the bars; the rule must
    be well-posed.
    """
    reasons = rule.refusals(tables)
    if signal.flatness > FLAT_LEVEL:
        reasons.append(
            f"Align does not differ between blocks beyond its bootstrap noise (from "
            f"{evidence.align.min():.3g} to {evidence.align.max():.3g}, sup-t p = "
            f"{signal.flatness:.2g} > {FLAT_LEVEL:g}): no block is a better place than another"
        )
    reasons.extend(_null_stands(evidence, candidate or evidence.layers, signal))
    if not candidate and not reasons:
        reasons.append(f"no block clears the bars of rule {rule.name}: {rule.expression}")
    return reasons


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


def caveats(evidence: Evidence, *, region: Blocks, signal: Signal) -> list[str]:
    """Say what weakens the evidence without forbidding a region."""
    notes = []
    if not evidence.has_left_out:
        why = "with two languages" if len(evidence.languages) == 2 else "in this evidence"
        notes.append(f"no language was left out {why}: probabilities rest on units alone")
    if evidence.n_resamples < FEW_RESAMPLES:
        notes.append(f"only {evidence.n_resamples} resamples: probabilities are coarse")
    if not region:
        return notes
    spread = float(evidence.align.max() - evidence.align.min())
    if spread < SMALL_SPREAD:
        notes.append(f"Align differs between blocks by only {spread:.2g}: certain, but small")
    if signal.lrds_flatness > FLAT_LEVEL:
        notes.append(
            f"LRDS does not differ between blocks beyond its noise (p = "
            f"{signal.lrds_flatness:.2g}): its bar decides by chance"
        )
    weak = [block for block in region if evidence.align_p[block] > NULL_LEVEL]
    if weak:
        notes.append(f"Align does not beat its null at blocks {describe(weak)} of the region")
    return notes
