"""The answer of a rule: a frozen :class:`LayerSelection`, its text, its table and its document.

Writing the document validates it; both take milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from probekit.errors import RuleError
from probekit.selection import sections
from probekit.selection.agreement import Agreement
from probekit.selection.blocks import Blocks, describe, is_contiguous
from probekit.selection.columns import Column, FloatArray
from probekit.selection.controls import Control
from probekit.selection.display import selection_html
from probekit.selection.evidence import Evidence, ModelCard
from probekit.selection.grade import Grade, Support, read_support
from probekit.selection.parameters import ParameterSet
from probekit.selection.ranking import RankedBlock
from probekit.selection.schema import validate_document
from probekit.selection.stability import Stability

if TYPE_CHECKING:
    import os

Status = Literal["stable", "unstable", "no_signal"]


@dataclass(frozen=True, eq=False)
class LayerSelection:
    """Which blocks a rule accepts, how sure it is, and which tensors that means.

    Attributes
    ----------
    status : {"stable", "unstable", "no_signal"}
        ``no_signal``: the rule refuses and the region is empty. ``unstable``: the regions of the
        resamples overlap the region by less than .5 on average (Jaccard).
    region : tuple of int
        Accepted blocks, ascending; empty when refused.
    read_layer : int or None
        Target: the block whose output an activation loss reads.
    update_layers : tuple of int
        Blocks of the region up to the target: deeper ones get no gradient from such a loss.
    reasons, warnings : tuple of str
        Sentences with numbers: why this answer, and what weakens it.
    probabilities : array of shape (n_blocks,)
        Share of resamples in which each block clears the bars, in [0, 1].
    rule : dict
        Name, expression, thresholds with their source, and ``prefer``.
    roles : tuple of str
        Roles whose tensors are named.
    ranked : tuple of RankedBlock
        Every block, best margin first.
    stability : Stability
        What moves the region.
    agreement : tuple of Agreement
        Whether the measures favour the same blocks.
    controls : tuple of Control
        Sets of blocks that the selection must beat.
    parameters : ParameterSet
        Exact tensor names; empty without a model card.
    evidence, columns, card, run_id, pooling
        What the answer rests on; columns are those that the rule read.
    grade : {"descriptive", "causal", "confirmed_by_sweep"}
        Evidence grade: ``descriptive`` until :meth:`with_evidence`.
    support : Support or None
        The result that a higher grade rests on.
    """

    status: Status
    region: Blocks
    read_layer: int | None
    update_layers: Blocks
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    probabilities: FloatArray
    rule: dict[str, Any]
    roles: tuple[str, ...]
    ranked: tuple[RankedBlock, ...]
    stability: Stability
    agreement: tuple[Agreement, ...]
    controls: tuple[Control, ...]
    parameters: ParameterSet
    evidence: Evidence
    columns: Mapping[str, Column] = field(default_factory=dict)
    card: ModelCard | None = None
    run_id: str | None = None
    pooling: str = "mean"
    grade: Grade = "descriptive"
    support: Support | None = None

    def with_evidence(self, grade: Grade, source: str | os.PathLike[str]) -> LayerSelection:
        """Give the same selection a higher evidence grade, on the strength of a result in a file.

        Parameters
        ----------
        grade : {"causal", "confirmed_by_sweep"}
            The first needs an ablation, the second a sweep over the controls.
        source : path
            JSON file; :func:`probekit.selection.grade.read_support` says what it must hold.

        Raises
        ------
        RuleError
            The grade is not higher, the selection has no region, or the file does not support it.
        """
        if not self.parameters.names:
            msg = (
                f"selection must name tensors to be graded. Got status {self.status!r} with none "
                "instead; select on a run whose evidence carries a region."
            )
            raise RuleError(msg)
        support = read_support(
            source,
            grade=grade,
            current=self.grade,
            names_sha256=self.parameters.names_sha256,
        )
        return replace(self, grade=grade, support=support)

    def to_document(self, *, frameworks: bool = True) -> dict[str, Any]:
        """Document valid under ``layer-selection/1``; undefined numbers are ``None``.

        Parameters
        ----------
        frameworks : bool
            Whether to write every trainer's snippet, some milliseconds for all.

        Raises
        ------
        RuleError
            The document breaks the schema: a name or number in the card that it forbids.
        """
        document = {
            "schema_version": "layer-selection/1",
            "tool": sections.tool(self.run_id, self.evidence.seed),
            "model": sections.model(self.card, self.evidence.n_blocks),
            "convention": sections.convention(),
            "inputs": sections.inputs(self.evidence, self.pooling),
            "metrics": sections.metrics(self.evidence, self.columns),
            "rule": self.rule,
            "selection": self._selection(),
            "controls": [sections.control(each) for each in self.controls],
            "parameters": sections.parameters(self.parameters),
            "frameworks": {},
        }
        if frameworks:
            from probekit.selection.exporters.frameworks import frameworks_of

            names = None if self.card is None else tuple(self.card.parameters)
            document["frameworks"] = frameworks_of(document, names)
        validate_document(document)
        return document

    def _selection(self) -> dict[str, Any]:
        n_blocks = self.evidence.n_blocks
        return {
            "region": list(self.region),
            "contiguous": is_contiguous(self.region),
            "read_layer": self.read_layer,
            "update_layers": list(self.update_layers),
            "roles": list(self.roles),
            "ranked": [sections.ranked(each, n_blocks) for each in self.ranked],
            "stability": sections.stability(self.stability, refused=self.status == "no_signal"),
            "agreement": [sections.agreement(each) for each in self.agreement],
            "evidence": self.grade,
            **({} if self.support is None else {"evidence_source": self.support.to_json()}),
            "status": self.status,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
        }

    def to_json(self) -> str:
        """Write the document as indented JSON text."""
        return json.dumps(self.to_document(), indent=1, ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        lines = [self._headline(), *(f"  - {reason}" for reason in self.reasons)]
        return "\n".join([*lines, *(f"  ! {warning}" for warning in self.warnings)])

    def _headline(self) -> str:
        name = self.rule["name"]
        if not self.region:
            return f"{name}: no region ({self.status})"
        return (
            f"{name}: blocks {describe(self.region)} of {self.evidence.n_blocks} ({self.status}), "
            f"read block {self.read_layer}, update blocks {describe(self.update_layers)}"
        )

    def _repr_html_(self) -> str:
        return selection_html(self, self._headline())
