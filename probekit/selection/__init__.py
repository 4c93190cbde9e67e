"""Which layers, how sure, and in which tensors: rules over a run's per-layer evidence.

Numbers in, a :class:`LayerSelection` out. Rules know neither models nor files: they see
:class:`Evidence` and :class:`ModelCard`, which ``from_run`` reads out of a finished run.
"""

from probekit.selection.columns import Column
from probekit.selection.document import LayerSelection
from probekit.selection.evidence import Evidence, ModelCard
from probekit.selection.from_run import card_of, evidence_of, select_run
from probekit.selection.options import Option
from probekit.selection.registry import RULES, RuleEntry, register_rule
from probekit.selection.rules import select
from probekit.selection.schema import validate_document

__all__ = [
    "RULES",
    "Column",
    "Evidence",
    "LayerSelection",
    "ModelCard",
    "Option",
    "RuleEntry",
    "card_of",
    "evidence_of",
    "register_rule",
    "select",
    "select_run",
    "validate_document",
]
