"""Instruments are found by file; the example of CONTRIBUTING is one, from measure to figure."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import probekit.figures
import probekit.instruments
import probekit.measures
from probekit import Study
from probekit.cli import app
from probekit.errors import RunError, StudyError
from probekit.instruments import Axes, Instrument, instruments, register, registry

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = re.findall(
    r"^`probekit/(\w+)/(\w+\.py)`:.*?```python\n(.*?)```", TEXT, re.DOTALL | re.MULTILINE
)


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The three files of CONTRIBUTING, as if they lay in the package's folders."""
    for folder, name, code in FILES:
        package = getattr(probekit, folder)
        place = tmp_path / folder
        place.mkdir()
        (place / name).write_text(code, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(place)])
    registry._builtin.cache_clear()
    yield
    registry._builtin.cache_clear()
    for folder, name, _ in FILES:
        sys.modules.pop(f"probekit.{folder}.{name.removesuffix('.py')}", None)


def test_the_example_is_three_files_and_short():
    assert [folder for folder, *_ in FILES] == ["measures", "instruments", "figures"]
    assert sum(len(code.splitlines()) for *_, code in FILES) <= 45


def test_the_example_of_contributing_runs_from_measure_to_figure(example, study, tmp_path, capsys):
    asked = study.model_copy(update={"analyses": ("spread",)})
    run = asked.run(tmp_path / "run")
    assert set(run.analyses) == {"cka", "norms", "spread"}
    group = run.group("spread")
    pooled = run.pooled["vectors"].to_numpy().astype(float)
    for row, vectors in enumerate(pooled):
        flat = vectors.reshape(-1, vectors.shape[-1])
        expected = 1 - np.square(flat.mean(0)).sum() / np.square(flat).sum(1).mean()
        assert float(group["share"][row]) == pytest.approx(expected)
    assert (group["share_low"] <= group["share_high"]).all()
    figure = run.plot.spread()
    assert np.array_equal(figure.data[-1].y, group["share"])
    app(["show", str(run.folder), "--analysis", "spread"], standalone_mode=False)
    assert f"{float(group['share'][0]):.3f}" in capsys.readouterr().out


def test_instruments_come_in_the_same_order_whoever_asks():
    assert list(instruments())[:3] == ["cka", "regions", "alignment"]
    assert list(instruments()) == list(instruments())


def test_a_name_is_given_once():
    class Impostor(Instrument):
        name = "cka"

    with pytest.raises(StudyError, match=r"'cka' must be new .*Rename one of the two"):
        register(Impostor)


def test_a_registered_instrument_that_refuses_is_left_out_or_an_error(study, tmp_path):
    class Never(Instrument):
        name = "never"

        def refusal(self, setting):
            return f"needs {setting.corpus.n_units + 1} units. Add some."

    register(Never)
    try:
        named = study.model_copy(update={"analyses": ("never",)})
        with pytest.raises(StudyError, match=r"analysis 'never': needs 13 units\. Add some\."):
            named.run(tmp_path / "named")
        assert not (tmp_path / "named").exists()
        lean = {"limit": 8, "bootstrap": 20, "permutations": 20}
        run = study.model_copy(update={"analyses": None, **lean}).run(tmp_path / "all")
        assert run.manifest.estimators["left_out"]["never"] == "needs 9 units. Add some."
        with pytest.raises(RunError, match=r"no analysis 'never' \(it was left out: needs 9"):
            run.table("never")
    finally:
        del registry._registered["never"]


def test_nan_in_a_result_stops_the_run(study, tmp_path):
    from probekit.errors import NumericalError

    class Hole(Instrument):
        name = "hole"
        axes: ClassVar[Axes] = {"hole": {"depth_of": ()}}

        def measure(self, vectors, *, row, evidence):
            return {"hole": {"depth_of": np.nan if row == 2 else 1.0}}

    register(Hole)
    try:
        with pytest.raises(NumericalError, match=r"hole/depth_of is not a number at layer 2"):
            study.model_copy(update={"analyses": ("hole",)}).run(tmp_path / "run")
    finally:
        del registry._registered["hole"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"options": {"cka": {"rouge": 1}}}, r"no setting 'rouge' \(has: .*rogue_dimensions"),
        ({"options": {"cka": {"rogue_dimensions": 0}}}, r"rogue_dimensions: .* got 0"),
        ({"options": {"vibes": {}}}, r"must be one of cka, regions"),
        (
            {"analyses": ("regions",), "options": {"alignment": {}}},
            r"options are given for alignment, which analyses does not name",
        ),
    ],
)
def test_settings_are_checked_by_their_instrument(fields, says):
    with pytest.raises(StudyError, match=says):
        Study.of(**fields)


def test_settings_on_the_command_line_win_over_the_file_one_by_one(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("options: {cka: {rogue_dimensions: 3}}\n", encoding="utf-8")
    assert Study.from_yaml(path).options["cka"]["rogue_dimensions"] == 3
    over = Study.from_yaml(path, options={"cka": {"rogue_dimensions": 5}})
    assert over.options["cka"]["rogue_dimensions"] == 5
