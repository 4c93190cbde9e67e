"""The neurons of a finished run, zeroed in the model that it was made with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.ablation.ablate import LEAST_UNITS, ablate
from probekit.ablation.result import AblationResult
from probekit.errors import LanguageError, RunError
from probekit.sites import LANGUAGE, UNIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probekit.corpora import ParallelCorpus
    from probekit.models import Subject
    from probekit.runs import Run

GROUP = "neurons"


def ablate_run(
    run: Run,
    subject: Subject,
    corpus: ParallelCorpus,
    *,
    languages: Sequence[str] | None = None,
    by_layer: bool = False,
    **options: Any,
) -> AblationResult:
    """Zero the LAPE neurons of a run; see :func:`probekit.ablation.ablate`.

    Units that the run did not read are preferred; where fewer than four are left, the run's own
    units are read, and the result's attribute ``held_out`` is 0.

    Parameters
    ----------
    run
        A finished run with the analysis ``neurons``.
    subject
        The model of the run: its weights are compared.
    corpus
        Texts to predict.
    languages
        Whose neurons to zero; None: those of every language of the run that the corpus has.
    by_layer
        Neurons of the thresholds by layer, instead of the global ones.
    **options
        ``progress`` and the settings of :func:`probekit.ablation.ablate`.

    Raises
    ------
    RunError
        The run has no neurons, or another model's.
    LanguageError
        A language that the run or the corpus does not have.
    InputError
        As for :func:`probekit.ablation.ablate`.
    """
    _check_model(run, subject)
    group = run.group(GROUP)
    belongs = group["belongs_by_layer" if by_layer else "belongs"]
    codes = [str(code) for code in group[LANGUAGE].to_numpy()]
    wanted = _wanted(codes, corpus, languages)
    neurons = {code: np.argwhere(belongs.sel(language=code).to_numpy()) for code in wanted}
    texts, held_out = _fresh(run, corpus)
    found = ablate(subject, texts, neurons, **options)
    said = {"run": run.folder.name, "held_out": int(held_out), "by_layer": int(by_layer)}
    return replace(found, data=found.data.assign_attrs(said))


def _check_model(run: Run, subject: Subject) -> None:
    if subject.state_sha256 != run.manifest.model["state_sha256"]:
        msg = (
            f"run {run.folder.name!r} was made with other weights ({run.manifest.model['id']}) "
            f"than {subject.source!r}. Load the run's model, with its adapter if it had one."
        )
        raise RunError(msg)


def _fresh(run: Run, corpus: ParallelCorpus) -> tuple[ParallelCorpus, bool]:
    """The units that the run did not read, or all where too few are left; and which of the two."""
    read = {str(unit) for unit in run.corpus[UNIT].to_numpy()}
    fresh = tuple(unit for unit in corpus.units if unit not in read)
    held_out = len(fresh) >= LEAST_UNITS
    return (corpus.select(units=fresh) if held_out else corpus), held_out


def _wanted(
    codes: Sequence[str], corpus: ParallelCorpus, languages: Sequence[str] | None
) -> list[str]:
    if languages is None:
        return [code for code in codes if code in corpus.languages]
    for code in languages:
        if code not in codes:
            msg = (
                f"run has no neurons of language {code!r} (has: {', '.join(codes)}). Leave it out "
                "of languages."
            )
            raise LanguageError(msg)
    return list(languages)
