"""From a selection to a trainer's own config: one file per tool, and the rule it matches names by.

Here lives text and name matching, no training. Every exporter applies the tool's own rule,
re-implemented beside it, to the model's tensor names and reports what that rule selects.
"""

from probekit.selection.exporters.check import check_model, read_tensors
from probekit.selection.exporters.export import EXPORTERS, Export, export
from probekit.selection.exporters.reading import load_selection

__all__ = [
    "EXPORTERS",
    "Export",
    "check_model",
    "export",
    "load_selection",
    "read_tensors",
]
