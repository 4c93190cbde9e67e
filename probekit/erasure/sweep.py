"""The selection and every control, erased the same way, in one table.

A localised erasure says something only beside random, shallow, deep and all layers of the same
make. Costs one erasure a cell and, on disk, the tensors that moved in each.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.capture.shards import storage_errors, write_atomically
from probekit.erasure.erase import Erased, erase
from probekit.erasure.memory import Memory
from probekit.erasure.progress import SilentSteps, StepProgress, told_in_notebooks
from probekit.erasure.storage import refuse_base
from probekit.erasure.target import Target, document_of, role_names, target_of
from probekit.errors import InputError

if TYPE_CHECKING:
    import os

    from probekit.facts.question import FactSet
    from probekit.models import Subject

SELECTION = "selection"
_LOT = 17  # a random stream of its own
TABLE = "sweep.json"
#: The one door up the ladder: figures are made of sweeps, and a sweep can show itself.
PAGE = "probekit.figures.erasure_page"


@dataclass(frozen=True)
class Sweep:
    """A table of erasures.

    Attributes
    ----------
    record
        As written to ``sweep.json``: ``base`` (what the subject knew), ``cells`` (one mapping a
        cell: ``cell``, ``folder``, ``blocks``, ``read_layer``, ``steps``, ``stopped``, ``report``).
    folder
        Where the cells lie.
    """

    record: dict[str, Any]
    folder: Path

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells, the selection first."""
        return tuple(cell["cell"] for cell in self.record["cells"])

    def rows(self) -> list[dict[str, Any]]:
        """One row a cell, part and language: accuracy with its interval, base first."""
        reports = [("base", self.record["base"])]
        reports += [(cell["cell"], cell["report"]) for cell in self.record["cells"]]
        return [
            {
                "cell": name,
                "part": part,
                "language": code,
                "source": code in self.record["source"],
                **row,
            }
            for name, report in reports
            for part, languages in report.items()
            for code, row in languages.items()
        ]

    def to_html(self) -> str:
        """One page that opens from disk: accuracy by choice of layers and language, all values."""
        made: str = importlib.import_module(PAGE).sweep_page(self)
        return made


@told_in_notebooks
def sweep(
    subject: Subject,
    facts: FactSet,
    *,
    selection: Any,
    source: Sequence[str],
    folder: str | os.PathLike[str],
    algorithm: str = "rmu",
    cells: Sequence[str] | None = None,
    progress: StepProgress | None = None,
    **options: Any,
) -> Sweep:
    """Erase with the selection and with each of its controls; finished cells are not made again.

    RMU reads the selection's read layer in the selection's own cell, and in a control's the deepest
    block that it moves. A control moves the selection's roles in as many other blocks.

    Parameters
    ----------
    selection
        File, document or LayerSelection with controls.
    folder
        Where the table and one folder a cell go (``delta.safetensors`` and ``erasure.json``).
    cells
        Names of the cells to make; None: all.
    subject, facts, source, algorithm, progress, **options
        As in :func:`~probekit.erasure.erase`.

    Raises
    ------
    InputError, InterruptedRun
        As ``erase``; also an unknown cell.
    """
    told = progress or SilentSteps()
    root = Path(folder)
    refuse_base(root, subject)
    document = document_of(selection)
    said = {key: options.pop(key) for key in ("check_weights", "allow_tied") if key in options}
    targets, notes = make_targets(subject, document, target_of(subject, document, **said))
    wanted = _wanted(targets, cells)
    options |= {"source": source, "algorithm": algorithm, "progress": told, "memory": Memory()}
    done = []
    for number, name in enumerate(wanted, start=1):
        told.say(f"cell {number} of {len(wanted)}: {name}")
        erased = _erase_cell(subject, facts, targets[name], folder=root / name, **options)
        done.append(_cell(subject, name, targets[name], erased))
    record = _record(erased, done, before=erased.before, notes=notes)
    _write(record, root)
    return Sweep(record, root)


def _write(record: dict[str, Any], root: Path) -> None:
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    with storage_errors(root):
        write_atomically(root / TABLE, f"{text}\n".encode())


def _erase_cell(
    subject: Subject, facts: FactSet, target: Target, *, folder: Path, **options: Any
) -> Erased:
    """One cell; what the selection may move was settled before."""
    return erase(
        subject, facts, selection=target, folder=folder, delta=True, allow_tied=True, **options
    )


def make_targets(
    subject: Subject, document: Mapping[str, Any], chosen: Target
) -> tuple[dict[str, Target], list[str]]:
    """Target of every cell by name, and a note for each control that cannot be made.

    A control of the region's size moves as many blocks as the selection does: those of the region
    above the layer that RMU reads do not move, so that the same number of tensors moves anywhere.
    """
    targets, notes = {SELECTION: chosen}, []
    blocks = chosen.blocks(subject)
    for control in document["controls"]:
        label = _label(control["kind"], targets)
        layers = same_size(tuple(control["layers"]), control["kind"], blocks, stream=len(targets))
        names = role_names(subject, document, layers)
        if not names or not layers:
            notes.append(f"control {control['kind']} has no tensor of the selection's roles")
            continue
        targets[label] = Target(tuple(names), max(layers), kind=control["kind"])
    return targets, notes


def same_size(
    layers: tuple[int, ...], kind: str, blocks: Sequence[int], *, stream: int
) -> tuple[int, ...]:
    """As many of a control's blocks as the selection moves, ascending.

    ``shallow``: the shallowest; ``deep``: the deepest; ``neighbours``: the nearest; random ones by
    lot (``stream`` decides it). ``all_layers`` and ``paper_default`` are what they are.

    Parameters
    ----------
    layers, kind
        Of the control.
    blocks
        What the selection moves.
    stream
        Number of a random stream.
    """
    n = len(blocks)
    if kind in {"all_layers", "paper_default"} or len(layers) <= n:
        return layers
    if kind == "shallow":
        return layers[:n]
    if kind == "deep":
        return layers[-n:]
    if kind == "neighbours":  # those on either side of the region come first
        start = (len(layers) - n) // 2
        return layers[start : start + n]
    lot = np.random.default_rng([stream, _LOT]).choice(layers, size=n, replace=False)
    return tuple(sorted(int(layer) for layer in lot))


def _label(kind: str, taken: Mapping[str, Target]) -> str:
    """Name of a cell: its kind, numbered where there are several."""
    name = kind.replace("_", "-")
    if kind != "random_same_size":
        return name
    return f"random-{1 + sum(label.startswith('random-') for label in taken)}"


def _wanted(targets: Mapping[str, Target], cells: Sequence[str] | None) -> list[str]:
    unknown = [name for name in cells or () if name not in targets]
    if unknown or (cells is not None and not cells):
        got = repr(unknown[0]) if unknown else "none"
        msg = f"cells must be among {', '.join(targets)}. Got {got} instead; correct it."
        raise InputError(msg)
    return [name for name in targets if cells is None or name in cells]


def _cell(subject: Subject, name: str, target: Target, erased: Erased) -> dict[str, Any]:
    record = erased.record
    return {
        "cell": name,
        "folder": name,
        "kind": target.kind,
        "blocks": list(target.blocks(subject)),
        "read_layer": record["target"]["read_layer"],
        "n_tensors": len(target.names),
        "steps": record["steps"],
        "stopped": record["stopped"],
        "contract": record["contract"]["ok"],
        "report": record["after"],
    }


def _record(
    last: Erased, cells: list[dict[str, Any]], *, before: Any, notes: list[str]
) -> dict[str, Any]:
    shared = ("tool", "base", "facts", "source", "held_out", "settings", "forget_bar")
    record = {"schema_version": "erasure-sweep/1", **{key: last.record[key] for key in shared}}
    record["model"] = record.pop("base")
    return {**record, "base": before, "cells": cells, "notes": notes}
