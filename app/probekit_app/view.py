"""What a page's functions are given: the run, what is selected, and where else to look.

Everything on it is read lazily and kept by the folder of runs, so asking twice costs once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from probekit.errors import RunError
from probekit.figures.languages import LanguageStyle, language_styles

if TYPE_CHECKING:
    from probekit.runs import Run
    from probekit.selection import LayerSelection
    from probekit_app.jobs import Jobs
    from probekit_app.page import Page
    from probekit_app.runs_folder import OpenedRun, RunsFolder
    from probekit_app.state import State


@dataclass(frozen=True)
class View:
    """A page's functions take this one thing.

    Attributes
    ----------
    runs
        The folder of runs.
    state
        What is selected; every value in it exists.
    defaults
        Control → its default, for :meth:`option`.
    opened, opened_b
        The run and the one to compare with, None when none is chosen.
    model
        The model that the app was started with, for live views; empty without one.
    page
        The page it is for, where there is one.
    site
        Whether it is for the static export: nothing there asks a server.
    key
        Of a slot that a page has several times (see ``cards.slot``).
    jobs
        Studies that the page may start; None where it may not.
    offered
        Parts of the state that can be changed where it is shown; None: all of them.
    """

    runs: RunsFolder
    state: State
    defaults: dict[str, str]
    opened: OpenedRun | None = None
    opened_b: OpenedRun | None = None
    model: str = ""
    page: Page | None = None
    site: bool = False
    key: str = ""
    jobs: Jobs | None = None
    offered: frozenset[str] | None = None

    @property
    def run(self) -> Run:
        """The run.

        Raises
        ------
        RunError
            None is chosen.
        """
        return self._chosen.run

    @property
    def other(self) -> Run | None:
        """The run to compare with."""
        return None if self.opened_b is None else self.opened_b.run

    @property
    def layers(self) -> tuple[int, ...]:
        """−1 (the embedding), then every block."""
        return self._chosen.layers

    @property
    def selection(self) -> LayerSelection | None:
        """The default rule's answer; None where the run cannot carry a rule."""
        return self._chosen.selection

    @property
    def region(self) -> tuple[int, ...]:
        """Blocks of the selection, empty when there is none."""
        return () if self.selection is None else tuple(self.selection.region)

    @property
    def styles(self) -> dict[str, LanguageStyle]:
        """Language → its colour, marker and dash."""
        return language_styles(self.run.languages)

    @property
    def names(self) -> dict[str, str]:
        """Language → its name in English."""
        names = self.run.manifest.corpus.get("names", {})
        return {code: str(names.get(code, code)) for code in self.run.languages}

    def option(self, key: str) -> str:
        """The value of a page's control."""
        return self.state.options.get(key, self.defaults[key])

    def offers(self, part: str) -> bool:
        """Whether a part of the state can be changed where this is shown."""
        return self.offered is None or part in self.offered

    def has(self, *groups: str) -> bool:
        """Whether the run has these groups of results."""
        return set(groups) <= self._chosen.groups

    @property
    def _chosen(self) -> OpenedRun:
        if self.opened is None:
            msg = "run must be chosen. Choose one on the page Runs."
            raise RunError(msg)
        return self.opened
