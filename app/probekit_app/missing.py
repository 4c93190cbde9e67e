"""Results that a run does not have: which analysis makes them, why it was left out, the command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from probekit_app.notebook_code import run_path

if TYPE_CHECKING:
    from probekit_app.view import View


@dataclass(frozen=True)
class Missing:
    """What a view lacks.

    Attributes
    ----------
    analyses
        Instruments to run.
    reason
        Why the run's study left them out; empty where it did not say.
    command
        What computes them; empty where no command does, and the reason says what to choose.
    heading, lead
        Words over the reason and over the command.
    elsewhere
        Whether the view is about something else altogether: then its card is not shown at all.
    """

    analyses: tuple[str, ...]
    reason: str
    command: str
    heading: str = ""
    lead: str = "This computes it, and keeps what the run has:"
    elsewhere: bool = False


def missing(view: View, needs: tuple[str, ...]) -> Missing | None:
    """What a run lacks of these groups of results; None when it has them all."""
    lacking = [group for group in needs if not view.has(group)]
    if not lacking:
        return None
    wanted = tuple(dict.fromkeys(instrument_of(group) for group in lacking))
    left_out = view.run.manifest.estimators.get("left_out", {})
    reason = " ".join(str(left_out[name]) for name in wanted if name in left_out)
    reason = f"The study left it out: {reason}" if reason else ""
    parts = [group for group in lacking if view.has(instrument_of(group))]
    if len(parts) == len(lacking):
        return _part_missing(view, parts, wanted)
    return Missing(wanted, reason, command(view, wanted))


def _part_missing(view: View, parts: list[str], wanted: tuple[str, ...]) -> Missing:
    """The run has the analysis, and not all that it writes today."""
    names, whole = ", ".join(parts), ", ".join(wanted)
    reason = f"It has {whole}, made by a version or with settings that did not write {names}."
    heading = f"Not computed in this run: {names} (a part of {whole})"
    return Missing(wanted, reason, command(view, wanted), heading=heading)


def instrument_of(group: str) -> str:
    """The instrument that writes a group; the group's own name where none claims it."""
    from probekit.instruments import instruments

    for name, instrument in instruments().items():
        if group == name or group in instrument.axes or group in instrument.summary:
            return name
    return group


def command(view: View, wanted: tuple[str, ...]) -> str:
    """The run's study again, with these analyses added, into a folder beside it."""
    has = view.run.analyses or {instrument_of(name): () for name in ("cka", *_known(view))}
    analyses = ",".join(dict.fromkeys((*has, *wanted)))
    folder = run_path(view)
    parts = ("probekit", "run", f"{folder}/study.yaml", "--analyses", analyses)
    return shlex.join((*parts, "-o", f"{folder}-{wanted[0]}"))


def _known(view: View) -> tuple[str, ...]:
    """Analyses of a run made before runs said which they had."""
    return tuple(name for name in ("regions", "alignment") if view.has(name))
