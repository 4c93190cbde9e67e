"""A run in a notebook: what was read and measured, its region, its table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from probekit.figures import run_plots
from probekit.runs.display import run_html
from tests.runs.planted_runs import band, planted_run


def test_it_says_analyses_and_region_above_the_table(full_run, monkeypatch):
    monkeypatch.setattr(run_plots, "_default_region", lambda of: (1, 2))
    html = full_run._repr_html_()
    assert f"analyses: {', '.join(full_run.analyses)}" in html
    assert "region: blocks 1, 2, the region that the rule plateau selects" in html
    assert html.count("<tr>") == 6
    assert "<th>p_at_1</th>" in html


def test_a_run_without_a_region_says_so(finished_run, monkeypatch):
    monkeypatch.setattr(run_plots, "_default_region", lambda of: ())
    assert "region: none: the default rule refuses" in finished_run._repr_html_()


def test_columns_are_those_of_the_rows(study, tmp_path):
    lean = study.model_copy(update={"analyses": ("cka",), "keep_pooled": False})
    html = run_html(lean.run(tmp_path / "run"))
    head, row = html.partition("<table>")[2].split("</tr>")[:2]
    assert head.count("<th>") == row.count("<td>")
    assert "lrds" not in head


def test_a_run_without_cka_has_no_table():
    html = run_html(planted_run("a", {"lens": band(np.zeros(5), 0.1, name="score_mean")}))
    assert "analyses: lens<br>region: none" in html
    assert "<table" not in html


def test_what_it_says_is_text(finished_run):
    model = {**finished_run.manifest.model, "id": "<script>"}
    said = run_html(replace(finished_run, manifest=replace(finished_run.manifest, model=model)))
    assert "<script" not in said
    assert "&lt;script&gt;" in said
