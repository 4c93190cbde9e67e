"""Controls of a page: a choice, a number, a text. Their values live in the address.

A control says what it accepts, so the codec can check an address without knowing the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from probekit_app.runs_folder import OpenedRun, RunsFolder


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of a few values, as a row of buttons; as a list when there are more than six.

    Attributes
    ----------
    key
        Its key in the URL and in ``view.option(key)``; begin it with the page's name: ``cka.kind``.
    label
        Words beside it.
    values
        Value → words on the button. The first is the default.
    help
        A sentence shown on hover.
    written
        Whether the static export writes what cards show for each of its values.
    menu
        Whether it is a list however few the values are.
    """

    key: str
    label: str
    values: Mapping[str, str]
    help: str = ""
    written: bool = True
    menu: bool = False

    @property
    def default(self) -> str:
        """The value when the URL says none."""
        return next(iter(self.values))

    @property
    def domain(self) -> str:
        """What it may be, for a message."""
        return "one of " + ", ".join(self.values.values())

    def accepts(self, value: str) -> bool:
        """Whether it may have this value."""
        return value in self.values


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number on a slider.

    Attributes
    ----------
    key, label, help
        As of :class:`Choice`.
    low, high, step
        Its range, both ends included.
    start
        The default.
    """

    key: str
    label: str
    low: float
    high: float
    step: float
    start: float
    help: str = ""

    @property
    def default(self) -> str:
        """The value when the URL says none."""
        return f"{self.start:g}"

    @property
    def domain(self) -> str:
        """What it may be, for a message."""
        return f"a number from {self.low:g} to {self.high:g}"

    def accepts(self, value: str) -> bool:
        """Whether it may have this value."""
        try:
            number = float(value)
        except ValueError:
            return False
        return math.isfinite(number) and self.low <= number <= self.high


@dataclass(frozen=True, kw_only=True)
class Text:
    """A short text that the reader types.

    Attributes
    ----------
    key, label, help
        As of :class:`Choice`.
    placeholder
        Shown while it is empty.
    longest
        Characters it may have.
    """

    key: str
    label: str
    placeholder: str = ""
    longest: int = 200
    help: str = ""
    default: str = field(default="", init=False)

    @property
    def domain(self) -> str:
        """What it may be, for a message."""
        return f"a text of at most {self.longest} characters"

    def accepts(self, value: str) -> bool:
        """Whether it may have this value."""
        return len(value) <= self.longest


@dataclass(frozen=True, kw_only=True)
class RunChoice:
    """One of a few values that only the run knows, such as its tasks: a :class:`Choice` later.

    Attributes
    ----------
    key, label, help
        As of :class:`Choice`.
    values
        From a run to value → words; the first is the default. In ``view.option(key)`` the default
        is the empty text.
    """

    key: str
    label: str
    values: Callable[[OpenedRun], Mapping[str, str]]
    help: str = ""
    default: str = field(default="", init=False)

    @property
    def domain(self) -> str:
        """What it may be, for a message."""
        return "a value of a run"

    def accepts(self, value: str) -> bool:
        """Before a run is known, the default alone."""
        return value == self.default

    def of(self, opened: OpenedRun) -> Choice:
        """What there is to choose in a run."""
        values = self.values(opened) or {self.default: "none"}
        return Choice(key=self.key, label=self.label, values=values, help=self.help)


@dataclass(frozen=True, kw_only=True)
class FolderChoice:
    """One of a few values that only the folder of runs knows, such as its reports.

    Attributes
    ----------
    key, label, help, default
        As of :class:`RunChoice`.
    values
        From a folder to value → words; the first is the default.
    """

    key: str
    label: str
    values: Callable[[RunsFolder], Mapping[str, str]]
    help: str = ""
    default: str = field(default="", init=False)

    @property
    def domain(self) -> str:
        """What it may be, for a message."""
        return "a file of the folder"

    def accepts(self, value: str) -> bool:
        """Before a folder is known, the default alone."""
        return value == self.default

    def of(self, runs: RunsFolder) -> Choice:
        """What there is to choose in a folder."""
        values = self.values(runs) or {self.default: "none"}
        return Choice(key=self.key, label=self.label, values=values, help=self.help, menu=True)


Control = Choice | Number | Text | RunChoice | FolderChoice


def settled(
    control: Control, opened: OpenedRun | None, *, runs: RunsFolder | None = None
) -> Control:
    """The control as it is for a run and a folder."""
    if isinstance(control, RunChoice) and opened is not None:
        return control.of(opened)
    if isinstance(control, FolderChoice) and runs is not None:
        return control.of(runs)
    return control
