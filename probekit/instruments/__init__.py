"""Instruments: each names what it wants to see in the pass and turns it into groups of a run.

One file an instrument. What is computed lives in ``measures``, what is seen during the pass in
``capture``, what is drawn in ``figures``; here is only the wiring between them.
"""

from probekit.instruments.instrument import (
    Axes,
    Evidence,
    Instrument,
    InstrumentOptions,
    Row,
    Setting,
)
from probekit.instruments.registry import instruments, register

__all__ = [
    "Axes",
    "Evidence",
    "Instrument",
    "InstrumentOptions",
    "Row",
    "Setting",
    "instruments",
    "register",
]
