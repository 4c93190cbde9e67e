"""Reports of erasures in the folder of runs: found by what they say they are, opened by name.

``*.json`` files in the folder and one or two levels below it, not through links that lead out. A
file is one of ours when it names a schema of ``verify``, ``sweep`` or ``experiment``; one that
does, or is called like one, and cannot be read is listed with why. Each is read once until it
changes: milliseconds for a megabyte. Safe to call from several threads.
"""

from __future__ import annotations

import json
import os
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from probekit.errors import InputError, ProbekitError
from probekit.figures.erasure_document import read_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from probekit.figures.erasure_document import Document

Stamp = tuple[int, int]

DEEPEST = 2
LARGEST = 16 * 2**20
SNIFFED = 4096
#: Files that are looked into, and those that are listed.
MOST_READ, MOST_LISTED = 1000, 200
_SCHEMAS = ("erasure-report/", "erasure-sweep/", "erasure-experiment/")
#: In the order in which they are offered.
_KINDS = ("report", "sweep", "experiment")
_OURS = tuple(f'"{schema}'.encode() for schema in _SCHEMAS)
_CALLED = re.compile(r"report|sweep|verif|experiment", flags=re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A file that is, or was to be, a document of an erasure.

    Attributes
    ----------
    name
        Its path in the folder, as in ``gemma/report.json``.
    stamp
        Changes when the file does.
    document
        What it says; None where it cannot be read.
    problem
        Why it cannot; empty when it can.
    """

    name: str
    stamp: Stamp
    document: Document | None = field(default=None, repr=False)
    problem: str = ""


class Documents:
    """Documents of erasures inside one folder.

    Parameters
    ----------
    root
        The folder, resolved.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[Stamp, Found | None]] = {}
        self._lock = threading.Lock()

    def listed(self) -> list[Found]:
        """Every document by name, those that cannot be read among them."""
        found = []
        for number, path in enumerate(self._walk(self.root, depth=0)):
            each = self._look(path) if number < MOST_READ else None
            if each is not None:
                found.append(each)
        return sorted(found, key=lambda each: each.name)[:MOST_LISTED]

    def readable(self) -> dict[str, Document]:
        """Documents that can be shown, by name; reports, then sweeps, then experiments."""
        found = {each.name: each.document for each in self.listed() if each.document is not None}
        return dict(sorted(found.items(), key=lambda each: _KINDS.index(each[1].kind)))

    def open(self, name: str) -> Document:
        """A document by name.

        Raises
        ------
        InputError
            None of that name lies in the folder: names are looked up among those that are there,
            so no path, link or ``..`` in a name leads anywhere else. Or it cannot be read.
        """
        for each in self.listed():
            if each.name == name:
                if each.document is None:
                    raise InputError(each.problem)
                return each.document
        msg = f"folder {self.root.name!r} has no document {name[:80]!r}. Choose one that is there."
        raise InputError(msg)

    def stamp(self, name: str) -> Stamp:
        """Time and size of a document's file; zeros where there is none."""
        return next((each.stamp for each in self.listed() if each.name == name), (0, 0))

    def _walk(self, folder: Path, *, depth: int) -> Iterator[Path]:
        """JSON files, nearest first; hidden ones and links that lead out are left alone."""
        try:
            with os.scandir(folder) as entries:
                children = sorted(entries, key=lambda each: each.name)
        except OSError:
            return
        shown = [folder / each.name for each in children if not each.name.startswith(".")]
        for child in shown:
            if child.suffix.lower() == ".json" and self._inside(child) and child.is_file():
                yield child
        if depth < DEEPEST:
            for child in shown:
                if not child.suffix and child.is_dir() and self._inside(child):
                    yield from self._walk(child, depth=depth + 1)

    def _inside(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self.root)
        except (OSError, RuntimeError):  # a link that leads to itself
            return False

    def _look(self, path: Path) -> Found | None:
        """What a file is; nothing where it is none of ours."""
        name = path.relative_to(self.root).as_posix()
        try:
            about = path.stat()
        except OSError:
            return None
        stamp = (about.st_mtime_ns, about.st_size)
        with self._lock:
            known = self._known.get(name)
            if known is not None and known[0] == stamp:
                return known[1]
        found = _read(path, name, stamp)
        with self._lock:
            self._known[name] = (stamp, found)
        return found


def _read(path: Path, name: str, stamp: Stamp) -> Found | None:
    size = stamp[1]
    try:
        with path.open("rb") as file:
            content = file.read(SNIFFED if size > LARGEST else LARGEST)
    except OSError as error:
        problem = f"{name!r} cannot be read: {error.strerror}."
        return Found(name, stamp, problem=problem) if _CALLED.search(path.stem) else None
    ours = any(mark in content for mark in _OURS)
    if size > LARGEST:
        limit = f"{name!r} must be at most {LARGEST // 2**20} MiB. Got {size / 2**20:.0f}."
        return Found(name, stamp, problem=limit) if ours else None
    return _parsed(content, name, stamp, ours=ours)


def _parsed(content: bytes, name: str, stamp: Stamp, *, ours: bool) -> Found | None:
    called = _CALLED.search(name.rpartition("/")[2]) is not None
    if not (ours or called):
        return None
    try:
        made = json.loads(content)
    except (ValueError, RecursionError):
        return Found(name, stamp, problem=f"{name!r} is not whole JSON: it may be cut off.")
    version = made.get("schema_version") if isinstance(made, dict) else None
    if not (isinstance(version, str) and version.startswith(_SCHEMAS)):
        return None  # it may hold a report and be something else, as an experiment's arm does
    try:
        return Found(name, stamp, document=read_document(made, name=name))
    except ProbekitError as error:
        return Found(name, stamp, problem=str(error))
