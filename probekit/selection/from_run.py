"""Evidence and model card of a finished run, and ``run.select``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.errors import RunError
from probekit.selection.evidence import Evidence, ModelCard
from probekit.selection.rules import select

if TYPE_CHECKING:
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
    run: Run, *, rule: str = "plateau", alpha: float | None = None, **options: Any
) -> LayerSelection:
    """Layers of a run that a rule accepts, with stability, controls, reasons and tensor names.

    Parameters
    ----------
    run
        A run with the analyses ``cka`` and ``regions``.
    rule
        ``plateau`` or ``mute``.
    alpha
        Threshold factor of ``mute``.
    options
        Further options of :func:`probekit.selection.select`.

    Raises
    ------
    RuleError
        Unknown rule, or parameters outside its domain.
    RunError
        The run lacks an analysis that the rules need.
    """
    evidence = evidence_of(run)
    options.setdefault("card", card_of(run))
    options.setdefault("run_id", run.manifest.fingerprint)
    return select(evidence, rule=rule, alpha=alpha, **options)


def evidence_of(run: Run) -> Evidence:
    """Per-block evidence of a run, the embedding left out."""
    cka, regions, norms = (_blocks(run.group(name)) for name in ("cka", "regions", "norms"))
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
    return Evidence(
        layers=tuple(int(layer) for layer in cka["layer"]),
        n_blocks=run.n_blocks,
        languages=run.languages,
        n_units=int(run.manifest.corpus["n_units"]),
        activation_norm_median=norms["norm_median_all"].to_numpy(),
        seed=int(run.manifest.estimators["seed"]),
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


def _blocks(group: xr.Dataset) -> xr.Dataset:
    return group.sel(layer=group["layer"] >= 0)
