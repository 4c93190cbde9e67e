"""Where, inside a multilingual language model, do languages meet.

``load`` a model, ``open_corpus`` a parallel text, run a ``Study``, open its ``Run``. Importing
this package loads no model library and no plotting library; they come with first use.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from probekit.errors import (
    ChecksumError,
    CorpusError,
    InputError,
    InterruptedRun,
    LanguageError,
    ModelError,
    NumericalError,
    ProbekitError,
    RuleError,
    RunError,
    StorageError,
    StudyError,
)

if TYPE_CHECKING:
    from probekit.corpora import ParallelCorpus, open_corpus
    from probekit.logit_lens import lens
    from probekit.models import Subject, load
    from probekit.runs import Run, open_run
    from probekit.studies import Study

__version__ = "0.1.0"

_LAZY = {
    "ParallelCorpus": "probekit.corpora",
    "Run": "probekit.runs",
    "Study": "probekit.studies",
    "Subject": "probekit.models",
    "lens": "probekit.logit_lens",
    "load": "probekit.models",
    "open_corpus": "probekit.corpora",
    "open_run": "probekit.runs",
}

__all__ = [
    "ChecksumError",
    "CorpusError",
    "InputError",
    "InterruptedRun",
    "LanguageError",
    "ModelError",
    "NumericalError",
    "ParallelCorpus",
    "ProbekitError",
    "RuleError",
    "Run",
    "RunError",
    "StorageError",
    "Study",
    "StudyError",
    "Subject",
    "__version__",
    "lens",
    "load",
    "open_corpus",
    "open_run",
]

logging.getLogger("probekit").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    msg = f"module 'probekit' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
