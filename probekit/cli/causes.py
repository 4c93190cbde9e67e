"""Commands that change a model while it runs, and see what breaks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from probekit.cli.app import Json, RunFolder, app, listed, show_parts, with_progress


@app.command()
def ablate(
    folder: RunFolder,
    *,
    languages: Annotated[str | None, typer.Option(help="Whose neurons to zero, as in de,sw.")] = (
        None
    ),
    model: Annotated[str | None, typer.Option(help="Where the run's model lies now.")] = None,
    corpus: Annotated[str | None, typer.Option(help="Other text than the run's.")] = None,
    limit: Annotated[int | None, typer.Option(help="Units to read.")] = None,
    controls: Annotated[int, typer.Option(help="Draws of random neurons.")] = 3,
    by_layer: Annotated[
        bool, typer.Option("--by-layer", help="Neurons of the thresholds by layer.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of draws and resamples.")] = 0,
    save: Annotated[
        bool, typer.Option("--save", help="Keep the result in the run's folder; pages show it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Zero each language's neurons: what every language loses, beside random neurons."""
    from probekit.ablation import ablate_run, save_ablation
    from probekit.report import ablation_as_table
    from probekit.runs import open_run
    from probekit.studies import Study

    run = open_run(folder)
    said: dict[str, Any] = {"model": model, "corpus": corpus, "limit": None}
    over = {name: value for name, value in said.items() if value is not None}
    if corpus is not None:
        over |= {"corpus_options": {}, "limit": None}
    study = Study.from_yaml(folder / "study.yaml", **over)
    chosen = None if languages is None else listed(languages)
    result = with_progress(
        lambda bar: ablate_run(
            run,
            study.load(),
            study.open_corpus(),
            languages=chosen,
            by_layer=by_layer,
            limit=limit,
            controls=controls,
            seed=seed,
            progress=bar,
        )
    )
    if save:
        save_ablation(run, result)
    show_parts(result.to_json() if as_json else ablation_as_table(result))
