"""``show --analysis``: every instrument of a run as a table and as JSON."""

from __future__ import annotations

import json

import pytest

from probekit.cli import app
from probekit.errors import RunError
from probekit.report import analysis_as_json


def test_every_analysis_of_a_run_can_be_shown(finished_run, capsys):
    assert list(finished_run.analyses) == ["alignment", "cka", "norms", "regions"]
    for analysis in finished_run.analyses:
        app(["show", str(finished_run.folder), "--analysis", analysis], standalone_mode=False)
        printed = capsys.readouterr().out
        for row in finished_run.table(analysis):
            for name, value in row.items():
                if isinstance(value, float) and name != "depth" and abs(value) < 1000:
                    assert f"{value:.3f}" in printed


def test_the_json_says_what_the_run_file_says(finished_run):
    content = json.loads(analysis_as_json(finished_run, "norms"))
    norms = finished_run.norms
    assert [row["layer"] for row in content["layers"]] == [-1, 0, 1, 2, 3]
    assert (
        content["by_language"]["norm_median"]["sw"]
        == norms["norm_median"].sel(language="sw").to_numpy().tolist()
    )
    assert content["about"]["norms"] == {"n_tokens": norms.attrs["n_tokens"]}


def test_an_analysis_that_the_run_lacks_is_named_with_the_command(finished_run):
    with pytest.raises(RunError, match=r"no analysis 'lens' \(has: .*--analyses lens"):
        finished_run.table("lens")
