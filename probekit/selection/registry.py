"""Which rules there are: the built-in ones, installed plugins, and registered ones.

A package adds its own under the entry point group ``probekit.rules``, whose object is a
:class:`RuleEntry`; a script calls :func:`register_rule`. Plugins are looked up once per process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from probekit.errors import RuleError
from probekit.selection.lens import LENS_OPTIONS, Lens
from probekit.selection.mute import MUTE_OPTIONS, make_mute
from probekit.selection.options import PROBABILITY, Option, check_options
from probekit.selection.plateau import Plateau
from probekit.selection.probe import PROBE_OPTIONS, Probe
from probekit.selection.rule import Rule
from probekit.selection.user import USER_OPTIONS, make_user

ENTRY_POINTS = "probekit.rules"


@dataclass(frozen=True)
class RuleEntry:
    """One rule of the registry.

    Attributes
    ----------
    name : str
        Word of ``--rule``.
    summary : str
        One sentence for a person who chooses between rules.
    needs : tuple of str
        Instruments that a run must have.
    options : tuple of Option
        Its settings, as data.
    make : callable
        From checked options, by keyword, to a :class:`~probekit.selection.rule.Rule`.
    """

    name: str
    summary: str
    needs: tuple[str, ...]
    options: tuple[Option, ...]
    make: Callable[..., Rule]

    def __call__(self, **given: Any) -> Rule:
        """Build the rule with these options; ``None`` stands for the default.

        Raises
        ------
        RuleError
            An unknown option, or a value outside its domain.
        """
        return self.make(**check_options(self.name, self.options, given))


_BUILTIN = (
    RuleEntry(
        "plateau",
        "Align above and centred LRDS below their means over blocks, when resampled.",
        ("cka", "regions"),
        (PROBABILITY,),
        Plateau,
    ),
    RuleEntry(
        "mute",
        "Align above its mean, LRDS at most alpha times its minimum (arXiv 2602.22562).",
        ("cka", "regions"),
        MUTE_OPTIONS,
        make_mute,
    ),
    RuleEntry(
        "probe",
        "A probe trained in one language works in the others, above its mean and its chance.",
        ("cka", "regions", "probes"),
        PROBE_OPTIONS,
        Probe,
    ),
    RuleEntry(
        "lens",
        "The logit lens reads something, but not yet the text's language nor the answer.",
        ("cka", "regions", "lens"),
        LENS_OPTIONS,
        Lens,
    ),
    RuleEntry(
        "user",
        "Your own expression over the per-layer columns of the run.",
        ("cka", "regions"),
        USER_OPTIONS,
        make_user,
    ),
)

_registered: dict[str, RuleEntry] = {}


class _Rules(Mapping[str, RuleEntry]):
    """Live view: built-in rules first, then plugins and registered ones by name."""

    def __getitem__(self, name: str) -> RuleEntry:
        return {**_installed(), **_registered}[name]

    def __iter__(self) -> Iterator[str]:
        names = [entry.name for entry in _BUILTIN]
        yield from names
        yield from sorted({*_installed(), *_registered} - set(names))

    def __len__(self) -> int:
        return len({*_installed(), *_registered})


#: Rule by name; ``RULES[name].options`` is what a form is built from.
RULES: Mapping[str, RuleEntry] = _Rules()


def register_rule(entry: RuleEntry) -> RuleEntry:
    """Add a rule.

    Raises
    ------
    RuleError
        Another rule has that name.
    """
    if RULES.get(entry.name, entry) is not entry:
        msg = f"rule name {entry.name!r} must be new. Got one that exists; rename the rule."
        raise RuleError(msg)
    _registered[entry.name] = entry
    return entry


def make_rule(name: str, **given: Any) -> Rule:
    """Rule of a name with its options.

    Raises
    ------
    RuleError
        Unknown rule or option.
    """
    if name not in RULES:
        msg = f"rule must be one of {', '.join(RULES)}. Got {name!r} instead; pick one of them."
        raise RuleError(msg)
    return RULES[name](**given)


@cache
def _installed() -> Mapping[str, RuleEntry]:
    found = {entry.name: entry for entry in _BUILTIN}
    for point in entry_points(group=ENTRY_POINTS):
        entry: RuleEntry = point.load()
        if found.setdefault(entry.name, entry) is not entry:
            msg = (
                f"rule name {entry.name!r} must be new. Got it again from the entry point "
                f"{point.value!r}; uninstall that package or rename its rule."
            )
            raise RuleError(msg)
    return found
