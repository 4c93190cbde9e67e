"""Which instruments there are: every file of this folder, installed plugins, and registered ones.

A package adds its own under the entry point group ``probekit.instruments``; a script calls
:func:`register`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from probekit.errors import StudyError
from probekit.instruments.instrument import Instrument

ENTRY_POINTS = "probekit.instruments"

#: The order in which they are measured and shown; others follow by name.
ORDER = ("cka", "regions", "alignment", "geometry", "norms")

_registered: dict[str, type[Instrument]] = {}


def instruments() -> dict[str, type[Instrument]]:
    """Instruments by name, in the order in which they are measured."""
    found = {**_builtin(), **_registered}
    places = {name: at for at, name in enumerate(ORDER)}
    names = sorted(found, key=lambda name: (places.get(name, len(places)), name))
    return {name: found[name] for name in names}


def register(instrument: type[Instrument]) -> type[Instrument]:
    """Add an instrument; usable as a class decorator.

    Raises
    ------
    StudyError
        Another instrument has that name.
    """
    there = instruments().get(instrument.name)
    if there is not None and there is not instrument:
        msg = (
            f"instrument name {instrument.name!r} must be new (it is {there.__module__}."
            f"{there.__qualname__}). Rename one of the two."
        )
        raise StudyError(msg)
    _registered[instrument.name] = instrument
    return instrument


@cache
def _builtin() -> dict[str, type[Instrument]]:
    package = importlib.import_module("probekit.instruments")
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
    ]
    here = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Instrument)
        and value is not Instrument
        and value.__module__ == module.__name__
    ]
    plugins = [point.load() for point in entry_points(group=ENTRY_POINTS)]
    return {found.name: found for found in (*here, *plugins)}
