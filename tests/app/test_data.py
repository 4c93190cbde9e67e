"""What is exported is what the run file holds; spreadsheets run none of it."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from probekit_app.card_routes import as_text
from probekit_app.data_routes import as_csv, as_json, guarded
from probekit_app.workbench import find_card


def test_the_csv_of_the_story_is_the_run_files(client, finished_run):
    answer = client.get("/data/overview/story.csv?run=base")
    assert answer.status_code == 200
    assert 'filename="overview-story.csv"' in answer.headers["Content-Disposition"]
    rows = [
        row
        for row in csv.DictReader(io.StringIO(answer.get_data(as_text=True)))
        if row["series"] == "CKA"
    ]
    cka = finished_run.cka
    assert [int(row["layer"]) for row in rows] == list(cka["layer"].to_numpy())
    for column, variable in (("y", "mean"), ("low", "mean_low"), ("high", "mean_high")):
        assert np.array_equal([float(row[column]) for row in rows], cka[variable].to_numpy())


def test_the_json_of_a_heatmap_is_the_run_files(client, finished_run):
    found = json.loads(client.get("/data/trial/pairs.json?run=base&layer=2").get_data(as_text=True))
    at = {name: place for place, name in enumerate(found["columns"])}
    table = finished_run.cka["debiased"].sel(layer=2)
    assert len(found["rows"]) == 9
    for row in found["rows"]:
        pair = {"language": row[at["y"]], "language_b": row[at["x"]]}
        assert row[at["value"]] == float(table.sel(pair))
        for end in ("low", "high"):
            expected = float(finished_run.cka[f"pair_{end}"].sel(layer=2, **pair))
            assert row[at[end]] == (None if np.isnan(expected) else expected)


@pytest.mark.parametrize(
    "path",
    [
        "overview/nothing.csv?run=base",
        "nowhere/story.csv?run=base",
        "overview/story.exe?run=base",
        "overview/story.csv?run=../outside",
        "overview/story.csv?run=damaged",
        "trial/lacking.csv?run=base",
        "trial/broken.csv?run=base",
    ],
)
def test_what_is_not_there_is_one_line(client, path):
    answer = client.get(f"/data/{path}")
    assert answer.status_code == 404
    text = answer.get_data(as_text=True)
    assert len(text.splitlines()) == 1
    assert "Traceback" not in text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_is_guarded(text):
    assert guarded(text) == f"'{text}"
    assert as_csv([{"a": text}]).splitlines()[0] == "a"


def test_numbers_stay_numbers():
    assert guarded(-0.5) == -0.5
    assert as_csv([{"a": -0.5, "b": None}]) == "a,b\r\n-0.5,\r\n"


def test_rows_may_have_different_columns():
    found = json.loads(as_json([{"a": 1}, {"b": "é"}], title="t"))
    assert found == {"title": "t", "columns": ["a", "b"], "rows": [[1, None], [None, "é"]]}


def test_what_a_card_shows_is_what_is_drawn_in_process(client, bench):
    """One answer for the script: figure, caption and code; the same as a notebook would get."""
    told = json.loads(client.get("/card/overview/story?run=base&theme=dark").data)
    page, card = find_card("overview/story")
    view, _ = bench.look("run=base")
    drawn = bench.draw(page, card, view, theme="dark")
    assert told["figure"] == json.loads(as_text(drawn.content))
    assert (told["method"], told["code"]) == (drawn.method, drawn.code)
    assert "problem" not in told


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("overview/story?run=../outside", "cannot be shown"),
        ("overview/nothing?run=base", "There is no such view."),
        ("nowhere/story?run=base", "There is no such view."),
        ("trial/broken?run=base", "the log says more"),
        ("trial/lacking?run=base", "Not computed in this run"),
    ],
)
def test_a_card_that_cannot_be_shown_says_why(client, path, words):
    answer = client.get(f"/card/{path}")
    told = answer.get_json()
    assert answer.status_code == 200
    assert words in told["problem"]
    assert not {"figure", "html", "rows"} & set(told)
    assert "Traceback" not in answer.get_data(as_text=True)
