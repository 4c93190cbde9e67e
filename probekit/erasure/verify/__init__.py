"""Verification: what an erasure left behind, in every language, by asking and by attack.

Numbers first (behaviour, attacks, damage), then a word a language. Reads two models, changes
neither; prints nothing. May import the rest of the erasure room.
"""

from __future__ import annotations

from probekit.erasure.verify.report import Report
from probekit.erasure.verify.run import verify
from probekit.erasure.verify.settings import CHECKS, VerifySettings
from probekit.erasure.verify.verdicts import Verdict, judge

__all__ = ["CHECKS", "Report", "Verdict", "VerifySettings", "judge", "verify"]
