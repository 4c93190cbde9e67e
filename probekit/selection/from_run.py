"""Evidence and model card of a finished run, and ``run.select``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.errors import RuleError, RunError
from probekit.selection.evidence import Evidence, ModelCard
from probekit.selection.expression import check_columns
from probekit.selection.registry import RULES, make_rule
from probekit.selection.rules import POOLINGS, select
from probekit.selection.run_columns import RunColumns
from probekit.selection.subset import measure_again
from probekit.selection.user import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from probekit.runs import Run
    from probekit.selection.document import LayerSelection

_ALIGN = {
    "align": "mean",
    "align_low": "mean_low",
    "align_high": "mean_high",
    "align_null95": "mean_null95",
    "align_p": "p_value",
    "align_samples": "mean_samples",
}
_REGIONS = (
    "lrds_samples",
    "lrds_centred_samples",
    *(
        f"{name}{end}"
        for name in ("lrds", "lrds_centred", "sads", "ratio")
        for end in ("", "_low", "_high")
    ),
)


def select_run(
    run: Run,
    *,
    rule: str = "plateau",
    source: Sequence[str] | None = None,
    held_out: Sequence[str] | None = None,
    **options: Any,
) -> LayerSelection:
    """Layers of a run that a rule accepts, with stability, controls, reasons and tensor names.

    Parameters
    ----------
    run
        A run with the analyses ``cka`` and ``regions``, and what the rule needs besides.
    rule
        Name in :data:`~probekit.selection.registry.RULES`.
    source, held_out
        Languages that the choice may see, and languages that it must not: :func:`name_languages`.
    options
        Options of the rule (``alpha``, ``where``, …) and of :func:`probekit.selection.select`.

    Raises
    ------
    RuleError
        Unknown rule, option, column or language, or parameters outside their domain.
    RunError
        The run lacks an analysis that the rule needs.
    """
    chosen, kept_out = name_languages(run.languages, source=source, held_out=held_out)
    _check_rule(run, rule, options)
    evidence = evidence_of(run, languages=chosen, held_out=kept_out)
    options.setdefault("card", card_of(run))
    options.setdefault("run_id", run.manifest.fingerprint)
    pooling = run.manifest.estimators.get("pooling")
    if pooling in POOLINGS:  # the schema has no word for the others
        options.setdefault("pooling", pooling)
    return select(evidence, rule=rule, **options)


def name_languages(
    languages: Sequence[str],
    *,
    source: Sequence[str] | None = None,
    held_out: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Languages that a selection sees, and those held out of it.

    Nothing named: all are seen. Held out alone: the rest is seen. Source alone: the rest is held
    out. Both: what is in neither is left aside.

    Raises
    ------
    RuleError
        A code that the run does not have, one in both, or fewer than two languages to see.
    """
    for argument, codes in (("source", source), ("held_out", held_out)):
        for code in codes or ():
            if code not in languages:
                msg = (
                    f"{argument} must be languages of the run. Got {code!r} instead (has: "
                    f"{', '.join(languages)}); correct it."
                )
                raise RuleError(msg)
    both = sorted(set(source or ()) & set(held_out or ()))
    if both:
        msg = f"source and held_out must not share a language. Got {both[0]!r} in both; drop one."
        raise RuleError(msg)
    seen = tuple(
        code for code in languages if (code in source if source else code not in (held_out or ()))
    )
    if len(seen) < 2:
        msg = (
            f"source must leave at least two languages to compare. Got {len(seen)} instead "
            f"({', '.join(seen) or 'none'}); name more."
        )
        raise RuleError(msg)
    wanted = held_out or ([code for code in languages if code not in seen] if source else ())
    return seen, tuple(code for code in languages if code in wanted)


def evidence_of(
    run: Run, *, languages: Sequence[str] | None = None, held_out: Sequence[str] = ()
) -> Evidence:
    """Per-block evidence of a run, the embedding left out.

    Parameters
    ----------
    run
        A run with ``cka``, ``regions`` and ``norms``.
    languages
        Languages that count; None for all. With fewer, everything is measured again without the
        others from the run's pooled vectors.
    held_out
        Recorded: languages that these numbers have not seen.
    """
    norms = _blocks(run.group("norms"))
    chosen = tuple(run.languages if languages is None else languages)
    everything = set(chosen) == set(run.languages)
    arrays = _stored(run) if everything else measure_again(run, chosen)
    seed = int(run.manifest.estimators["seed"])
    typical = (
        norms["norm_median_all"]
        if everything
        else norms["norm_median"].sel(language=list(chosen)).median("language")
    )
    return Evidence(
        layers=tuple(range(run.n_blocks)),
        n_blocks=run.n_blocks,
        languages=chosen,
        held_out=tuple(held_out),
        n_units=int(run.manifest.corpus["n_units"]),
        activation_norm_median=typical.to_numpy(),
        seed=seed,
        columns=RunColumns(
            run, languages=chosen, n_resamples=int(run.manifest.estimators["bootstrap"]), seed=seed
        ),
        **arrays,
    )


def card_of(run: Run) -> ModelCard:
    """Names and sizes of the tensors of the model that a run read."""
    model = run.manifest.model
    return ModelCard(
        id=model["id"],
        model_type=model["model_type"],
        n_layers=model["n_blocks"],
        layers_path=model["blocks"],
        roles=model["roles"],
        parameters=model["parameters"],
        revision=model["revision"],
        hidden_size=model["d_model"],
        final_norm=model["final_norm"],
        lm_head=model["unembed"],
        dtype=model["dtype"],
        state_sha256=model["state_sha256"],
    )


def _check_rule(run: Run, rule: str, options: dict[str, Any]) -> None:
    """Say what is wrong with a rule before anything is measured."""
    if rule not in RULES:
        make_rule(rule)
    entry = RULES[rule]
    names = {option.name for option in entry.options}
    built = make_rule(rule, **{name: options[name] for name in names & set(options)})
    missing = [name for name in entry.needs if name not in run.analyses]
    if missing:
        left_out = run.manifest.estimators.get("left_out", {}).get(missing[0])
        why = f"it was left out: {left_out}" if left_out else f"has: {', '.join(run.analyses)}"
        msg = (
            f"rule {rule!r} needs the analysis {missing[0]!r}, and run {run.folder.name!r} has "
            f"none ({why}). Run its study again with --analyses {missing[0]}."
        )
        raise RunError(msg)
    if isinstance(built, User):
        check_columns(built.tree, RunColumns(run, languages=None, n_resamples=2, seed=0))


def _stored(run: Run) -> dict[str, Any]:
    """Arrays of the evidence as the run has them."""
    cka, regions = (_blocks(run.group(name)) for name in ("cka", "regions"))
    if "lrds_samples" not in regions:
        msg = (
            f"run {run.folder.name!r} has no resamples of LRDS. Run the study again with "
            "this version."
        )
        raise RunError(msg)
    arrays = {name: cka[variable].to_numpy() for name, variable in _ALIGN.items()}
    arrays |= {name: regions[name].to_numpy() for name in _REGIONS}
    if "mean_without" in cka:
        arrays["align_samples_left_out"] = cka["mean_samples_left_out"].to_numpy()
        arrays["align_without"] = cka["mean_without"].to_numpy()
        for name in ("lrds", "lrds_centred"):
            for kind in ("samples_left_out", "without"):
                arrays[f"{name}_{kind}"] = regions[f"{name}_{kind}"].to_numpy()
    return arrays


def _blocks(group: xr.Dataset) -> xr.Dataset:
    return group.sel(layer=group["layer"] >= 0)
