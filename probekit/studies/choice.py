"""Which instruments a study runs: the ones it names, or all that its model and corpus allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probekit.errors import StudyError
from probekit.instruments import instruments

if TYPE_CHECKING:
    from probekit.instruments import Instrument, Setting
    from probekit.studies.study import Study


def choose(study: Study, setting: Setting) -> tuple[tuple[Instrument, ...], dict[str, str]]:
    """Instruments in order, and what was left out with its reason.

    Raises
    ------
    StudyError
        An analysis named by the study that this model or corpus cannot have.
    """
    chosen, left_out = [], {}
    for instrument in asked(study):
        reason = instrument.refusal(setting)
        if not reason:
            chosen.append(instrument)
        elif instrument.always or study.analyses is not None:
            msg = f"analysis {instrument.name!r}: {reason}"
            raise StudyError(msg)
        else:
            left_out[instrument.name] = reason
    return tuple(chosen), left_out


def asked(study: Study) -> tuple[Instrument, ...]:
    """Instruments that a study names, with their options; all of them when it names none."""
    wanted = study.analyses
    return tuple(
        kind(kind.Options(**study.options.get(name, {})))
        for name, kind in instruments().items()
        if kind.always or wanted is None or name in wanted
    )
