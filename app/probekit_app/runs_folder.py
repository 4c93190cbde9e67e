"""The runs of a folder: found by name inside it and nowhere else, opened once until they change.

Listing reads each manifest once (milliseconds); opening reads no array. A run is opened again when
its manifest changes. Safe to call from several threads.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from probekit.errors import InputError, ProbekitError, RunError
from probekit.runs import Run, open_run
from probekit_app.documents import Documents
from probekit_app.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probekit.selection import LayerSelection

log = logging.getLogger(__name__)

MANIFEST, STUDY = "manifest.json", "study.yaml"
KEPT_OPEN = 8
DEEPEST = 2
MOST_LISTED = 500

Stamp = tuple[int, int]


@dataclass(frozen=True)
class OpenedRun:
    """A run and what the app asks of it again and again.

    Attributes
    ----------
    name
        Its name in the folder, as in ``gemma/base``.
    run
        The run.
    stamp
        Changes when the run on disk does.
    kept
        What pages have made of it and ask for again.
    """

    name: str
    run: Run
    stamp: Stamp
    kept: Kept = field(default_factory=Kept, compare=False, repr=False)

    @cached_property
    def groups(self) -> frozenset[str]:
        """Groups of results that it has."""
        return frozenset(str(name) for name in self.run.results.children)

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """−1 (the embedding), then every block."""
        return tuple(range(-1, self.run.n_blocks))

    @cached_property
    def selection(self) -> LayerSelection | None:
        """The default rule's answer; None where the run cannot carry a rule."""
        try:
            chosen: LayerSelection = self.run.select()
        except InputError:
            return None
        return chosen

    @cached_property
    def peak_layer(self) -> int:
        """The block where CKA is highest; the middle block of a run without CKA."""
        if "cka" not in self.groups:
            return self.run.n_blocks // 2
        mean = self.run.cka["mean"].sel(layer=slice(0, None))
        return int(mean["layer"][int(mean.to_numpy().argmax())])

    @cached_property
    def metrics(self) -> dict[str, str]:
        """Measures of how alike languages are that it has, in words; the first is the default."""
        from probekit.figures.meet_measures import measures_of

        return measures_of(self.run)

    @cached_property
    def units(self) -> tuple[str, ...]:
        """Ids of the units, in corpus order; none where the run keeps no corpus."""
        if "corpus" not in self.groups:
            return ()
        return tuple(str(unit) for unit in self.run.corpus["unit"].to_numpy())


@dataclass(frozen=True)
class Listed:
    """A folder that is, or was to be, a run.

    Attributes
    ----------
    name
        Its name in the folder.
    status
        ``finished``; ``unfinished`` (it has a study and no manifest); or ``damaged``.
    about
        The manifest's model, corpus and date; empty unless finished.
    problem
        Why it cannot be opened, with the way out; empty when it can.
    """

    name: str
    status: Literal["finished", "unfinished", "damaged"]
    about: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class RunsFolder:
    """Runs inside one folder, which may itself be a run.

    Parameters
    ----------
    root
        The folder.

    Attributes
    ----------
    documents
        Reports of erasures that lie in it.

    Raises
    ------
    RunError
        It is no folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            msg = (
                f"runs folder {str(root)!r} does not exist. Make a run first, as in "
                f"'probekit demo -o {root / 'demo'}'."
            )
            raise RunError(msg)
        self.root = root.resolve()
        self.documents = Documents(self.root)
        self._opened: OrderedDict[str, OpenedRun] = OrderedDict()
        self._listed: dict[str, tuple[Stamp, Listed]] = {}
        self._lock = threading.RLock()

    @property
    def is_a_run(self) -> bool:
        """Whether the folder itself is a run."""
        return any((self.root / name).is_file() for name in (MANIFEST, STUDY))

    def names(self) -> tuple[str, ...]:
        """Runs, finished or not, by name; at most ``MOST_LISTED``."""
        if self.is_a_run:
            return (self.root.name,)
        return tuple(sorted(self._walk(self.root, depth=1))[:MOST_LISTED])

    def listed(self) -> list[Listed]:
        """What is known of each run without reading its arrays."""
        return [self._describe(name) for name in self.names()]

    def finished(self) -> tuple[str, ...]:
        """Names of the runs that can be opened."""
        return tuple(each.name for each in self.listed() if each.status == "finished")

    def folder(self, name: str) -> Path:
        """The folder of a run.

        Raises
        ------
        RunError
            No run of that name lies inside this folder: names are looked up among those that are
            there, so no path, link or ``..`` in a name leads anywhere else.
        """
        if not self._known(name):
            msg = (
                f"runs folder {self.root.name!r} has no run {name[:80]!r}. Choose one on the page "
                "Runs."
            )
            raise RunError(msg)
        return self.root if self.is_a_run else self.root / name

    def open(self, name: str) -> OpenedRun:
        """Open a run by name; the same object until its manifest changes.

        Raises
        ------
        RunError
            No such run, or one that is unfinished, damaged or of another format.
        """
        folder = self.folder(name)
        stamp = _stamp(folder / MANIFEST)
        with self._lock:
            known = self._opened.get(name)
            if known is not None and known.stamp == stamp:
                self._opened.move_to_end(name)
                return known
            opened = OpenedRun(name, open_run(folder, verify=False), stamp)
            self._opened[name] = opened
            while len(self._opened) > KEPT_OPEN:
                self._opened.popitem(last=False)
        return opened

    def stamp(self, name: str) -> Stamp:
        """What changes when a run on disk does; zeros where there is no such run."""
        try:
            return _stamp(self.folder(name) / MANIFEST)
        except RunError:
            return (0, 0)

    def _known(self, name: str) -> bool:
        """Whether a run of that name was listed and still lies inside, or is there now."""
        if name in self._listed and not self.is_a_run and self._inside(self.root / name):
            return True
        return name in self.names()

    def _walk(self, folder: Path, *, depth: int) -> Iterator[str]:
        """Run folders below, not through links that lead out; hidden folders are left alone."""
        try:
            children = sorted(folder.iterdir())
        except OSError:
            return
        for child in children:
            if child.name.startswith(".") or not self._inside(child):
                continue
            if any((child / name).is_file() for name in (MANIFEST, STUDY)):
                yield child.relative_to(self.root).as_posix()
            elif depth < DEEPEST:
                yield from self._walk(child, depth=depth + 1)

    def _inside(self, child: Path) -> bool:
        try:
            return child.is_dir() and child.resolve().is_relative_to(self.root)
        except OSError:
            return False

    def _describe(self, name: str) -> Listed:
        folder = self.root if self.is_a_run else self.root / name
        stamp = _stamp(folder / MANIFEST)
        with self._lock:
            known = self._listed.get(name)
            if known is not None and known[0] == stamp:
                return known[1]
            found = self._look(name, stamp)
            self._listed[name] = (stamp, found)
            return found

    def _look(self, name: str, stamp: Stamp) -> Listed:
        try:
            run = self.open(name).run
        except (ProbekitError, OSError) as error:
            status: Literal["unfinished", "damaged"] = "damaged" if stamp[0] else "unfinished"
            return Listed(name, status, problem=str(error))
        manifest = run.manifest
        about = {"model": manifest.model, "corpus": manifest.corpus, "created": manifest.created}
        return Listed(name, "finished", about)


def _stamp(path: Path) -> Stamp:
    """Time and size of a file; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
