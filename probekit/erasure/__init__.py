"""Erasure: teach a subject facts, erase them in chosen tensors only, and prove which tensors moved.

Here models change, always in a copy that shares what does not move: the subject given and its files
on disk stay as they are. May import everything below it; draws nothing and prints nothing.
"""

from __future__ import annotations

from probekit.erasure.contract import Contract, check_contract, fingerprint
from probekit.erasure.delta import apply_delta
from probekit.erasure.erase import Erased, erase
from probekit.erasure.memory import Memory
from probekit.erasure.settings import ALGORITHMS, EraseSettings, TeachSettings
from probekit.erasure.sweep import Sweep, sweep
from probekit.erasure.teach import Taught, teach
from probekit.erasure.verify import CHECKS, Report, Verdict, VerifySettings, verify

__all__ = [
    "ALGORITHMS",
    "CHECKS",
    "Contract",
    "EraseSettings",
    "Erased",
    "Memory",
    "Report",
    "Sweep",
    "Taught",
    "TeachSettings",
    "Verdict",
    "VerifySettings",
    "apply_delta",
    "check_contract",
    "erase",
    "fingerprint",
    "sweep",
    "teach",
    "verify",
]
