"""A saved ablation comes back as it was, and its figure shows it; another model's is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from probekit.ablation import AblationResult, save_ablation, saved_ablation
from probekit.ablation.result import CHANGES
from probekit.ablation.saved import SAVED
from probekit.errors import RunError
from probekit.runs import open_run


def result_for(run, **attrs):
    """Numbers for every pair of two ablated and three read languages."""
    rng = np.random.default_rng(0)
    variables = {name: (("ablated", "language"), rng.normal(size=(2, 3))) for name in CHANGES}
    variables["n_neurons"] = ("ablated", [3, 4])
    for name in ("log_perplexity", "tokens_per_unit"):
        variables[name] = ("language", rng.uniform(1, 9, size=3))
    variables["n_scored"] = ("language", [24, 25, 26])
    said = {
        "model": "m",
        "state_sha256": run.manifest.model["state_sha256"],
        "controls": 3,
        "n_units": 8,
        "n_scored_total": 75,
        "interval": "95 %",
    }
    coordinates = {"ablated": ["en", "sw"], "language": list(run.languages)}
    return AblationResult(xr.Dataset(variables, coords=coordinates, attrs=said | attrs))


def saved_for(run):
    """The same, saved beside the run."""
    result = result_for(run)
    save_ablation(run, result)
    return result


@pytest.fixture
def run(run_copy):
    return open_run(run_copy)


def test_what_is_saved_is_read_back(run):
    result = saved_for(run)
    found = saved_ablation(run)
    assert found.table() == result.table()
    assert found.to_json() == result.to_json()
    assert found.own_and_others() == result.own_and_others()


def test_the_run_stays_as_it_was(run):
    saved_for(run)
    assert open_run(run.folder).manifest == run.manifest


def test_without_one_there_is_none(run):
    assert saved_ablation(run) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [], "log_perplexity": 3}'])
def test_a_damaged_file_is_one_clear_error(run, text):
    (run.folder / SAVED).write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read"):
        saved_ablation(run)


def test_rows_that_lack_a_pair_are_refused(run):
    content = json.loads(result_for(run).to_json())
    del content["rows"][1]
    with pytest.raises(ValueError, match="every pair"):
        AblationResult.from_json(json.dumps(content))


def test_another_models_ablation_is_neither_saved_nor_shown(run):
    other = result_for(run, state_sha256="0" * 64)
    with pytest.raises(RunError, match="other weights"):
        save_ablation(run, other)
    (run.folder / SAVED).write_text(other.to_json(), encoding="utf-8")
    with pytest.raises(RunError, match="other weights"):
        saved_ablation(run)


def test_the_figure_is_the_saved_table(run):
    from probekit.figures.ablation import ablation

    assert not ablation(run).data
    result = saved_for(run)
    (heat,) = ablation(run).data
    assert np.array_equal(heat.z, result.data["excess"])
    assert list(heat.y) == ["en (3)", "sw (4)"]


def test_the_command_keeps_its_result_only_when_asked(study, tmp_path, capsys):
    from probekit.cli import app

    run = study.model_copy(update={"analyses": ("neurons",)}).run(tmp_path / "run")
    command = ["ablate", str(run.folder), "--languages", "de", "--limit", "4", "--json"]
    app(command, standalone_mode=False)
    assert saved_ablation(run) is None
    capsys.readouterr()
    app([*command, "--save"], standalone_mode=False)
    found = saved_ablation(run)
    assert found is not None
    assert found.ablated == ("de",)
    assert json.loads(capsys.readouterr().out) == json.loads(found.to_json())
