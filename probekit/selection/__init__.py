"""Which layers, how sure, and in which tensors: rules over a run's per-layer evidence.

Numbers in, a :class:`LayerSelection` out. Rules know neither models nor files: they see
:class:`Evidence` and :class:`ModelCard`, which ``from_run`` reads out of a finished run.
"""

from probekit.selection.document import LayerSelection
from probekit.selection.evidence import Evidence, ModelCard
from probekit.selection.from_run import card_of, evidence_of, select_run
from probekit.selection.rules import RULES, select
from probekit.selection.schema import validate_document

__all__ = [
    "RULES",
    "Evidence",
    "LayerSelection",
    "ModelCard",
    "card_of",
    "evidence_of",
    "select",
    "select_run",
    "validate_document",
]
