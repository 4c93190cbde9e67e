""":func:`select`: from evidence to a region, a target and tensor names.

About 0.3 s for 32 blocks and 400 resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from probekit.errors import RuleError
from probekit.selection.agreement import Agreement, agreements, rule_agreements
from probekit.selection.controls import make_controls
from probekit.selection.document import LayerSelection, Status
from probekit.selection.evidence import Evidence, ModelCard
from probekit.selection.parameters import ParameterSet, check_roles, name_parameters, tell
from probekit.selection.ranking import rank_blocks
from probekit.selection.registry import RULES, make_rule
from probekit.selection.stability import UNSTABLE_BELOW
from probekit.selection.target import Prefer
from probekit.selection.verdict import Verdict, decide, explain, rule_section, warn

POOLINGS = ("mean", "last")


def select(
    evidence: Evidence,
    *,
    rule: str = "plateau",
    prefer: Prefer | None = None,
    roles: Sequence[str] = ("mlp_out",),
    card: ModelCard | None = None,
    run_id: str | None = None,
    pooling: str = "mean",
    **options: Any,
) -> LayerSelection:
    """Blocks that a rule accepts, with probabilities, stability, controls and tensor names.

    The rule refuses (status ``no_signal``, empty region) when what it reads is flat over blocks or
    does not beat its null, when no block clears, or when the rule is ill-posed.

    Parameters
    ----------
    evidence : Evidence
        Per-block numbers and resamples; its seed makes the result deterministic.
    rule : str
        Name in :data:`~probekit.selection.registry.RULES`.
    prefer : {"peak", "earliest", "deepest"}, optional
        Target in the region: largest Align (transfer for ``probe``), its first real maximum
        (``mute``), or the last block (what SLUG reads).
    roles : sequence of str
        Roles of ``card.roles`` whose tensors are named; without a card none is.
    card, run_id, pooling
        Recorded in the document; pooling is ``mean`` or ``last``.
    options
        Options of the rule, ``RULES[rule].options``: ``alpha`` of ``mute``, ``where`` of ``user``.

    Raises
    ------
    RuleError
        An unknown rule, option or role, or a card of another depth.
    """
    chosen = make_rule(rule, **options)
    target = chosen.prefer if prefer is None else prefer
    names = _checked_options(roles, prefer=target, pooling=pooling)
    _check_card(card, names, n_blocks=evidence.n_blocks)
    verdict = decide(evidence, chosen, target)
    return _assemble(verdict, card=card, roles=names, run_id=run_id, pooling=pooling)


def _assemble(
    verdict: Verdict,
    *,
    card: ModelCard | None,
    roles: tuple[str, ...],
    run_id: str | None,
    pooling: str,
) -> LayerSelection:
    evidence = verdict.evidence
    named, reasons, name_notes = _name(verdict, card, roles)
    controls, control_notes = make_controls(
        verdict.region, n_blocks=evidence.n_blocks, seed=evidence.seed
    )
    return LayerSelection(
        status=_status(verdict),
        region=verdict.region,
        read_layer=verdict.target,
        update_layers=verdict.update,
        reasons=(*explain(verdict), *reasons),
        warnings=(*warn(verdict), *name_notes, *control_notes),
        probabilities=verdict.probability,
        rule=rule_section(verdict),
        roles=roles,
        ranked=rank_blocks(verdict.rule, verdict.tables, verdict.probability),
        stability=verdict.stability,
        agreement=_agreements(verdict),
        controls=controls,
        parameters=named,
        evidence=evidence,
        columns=verdict.tables.columns,
        card=card,
        run_id=run_id,
        pooling=pooling,
    )


def _name(
    verdict: Verdict, card: ModelCard | None, roles: tuple[str, ...]
) -> tuple[ParameterSet, list[str], list[str]]:
    """Tensors of the update blocks, a reason about them, warnings."""
    if card is None:
        return ParameterSet(), [], ["no model card was given: no tensor is named"]
    named, notes = name_parameters(card, verdict.update, roles)
    reasons = [tell(named, blocks=verdict.update, roles=roles)] if named.names else []
    return named, reasons, notes


def _status(verdict: Verdict) -> Status:
    if not verdict.region:
        return "no_signal"
    return "stable" if verdict.stability.region_jaccard_mean >= UNSTABLE_BELOW else "unstable"


def _agreements(verdict: Verdict) -> tuple[Agreement, ...]:
    """Measures against each other, then the rule against every other that needs no option."""
    rivals = {
        name: entry()
        for name, entry in RULES.items()
        if name != verdict.rule.name and all(each.default is not None for each in entry.options)
    }
    rules = rule_agreements(verdict.evidence, verdict.rule, region=verdict.region, rivals=rivals)
    return (*agreements(verdict.evidence), *rules)


def _checked_options(roles: Sequence[str], *, prefer: str, pooling: str) -> tuple[str, ...]:
    if isinstance(roles, str) or not roles:
        msg = f"roles must be a sequence of names. Got {roles!r} instead; pass ('mlp_out',)."
        raise RuleError(msg)
    for argument, value, legal in (
        ("prefer", prefer, get_args(Prefer)),
        ("pooling", pooling, POOLINGS),
    ):
        if value not in legal:
            msg = f"{argument} must be one of {', '.join(legal)}. Got {value!r} instead; pick one."
            raise RuleError(msg)
    return tuple(dict.fromkeys(roles))


def _check_card(card: ModelCard | None, roles: Sequence[str], *, n_blocks: int) -> None:
    if card is None:
        return
    if card.n_layers != n_blocks:
        msg = (
            f"card must describe the model of the run, with {n_blocks} blocks. Got {card.id} with "
            f"{card.n_layers} instead; build the card from the run's own subject."
        )
        raise RuleError(msg)
    check_roles(card, roles)
