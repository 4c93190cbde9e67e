"""Figures of experiments show what their outcome says, and refuse what is not whole."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from probekit.errors import InputError, LanguageError
from probekit.experiment import Outcome
from probekit.experiment.outcome import SCHEMA
from probekit.figures import experiment_document as rooms
from probekit.figures.erasure import read_document, read_file
from probekit.figures.experiment import SERIES, contrasts_by_place, shares_by_place
from probekit.figures.experiment_matrix import answered_by_source
from probekit.figures.experiment_page import experiment_page
from probekit.figures.experiment_table import COLUMNS, contrast_rows, place_rows
from tests.figures.erasures import make_report, make_sweep, markup
from tests.figures.erasures_experiment import LANGUAGES, make_arm, make_experiment
from tests.figures.test_erasure import caption

DRAWN = (shares_by_place, answered_by_source, contrasts_by_place)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def document():
    return make_experiment()


@pytest.fixture
def outcome(document):
    return Outcome(document, Path())


def headings(figure):
    return [each.text for each in figure.layout.annotations if each.name != "caption"]


def ends(trace, axis="y"):
    values, error = np.array(trace[axis]), trace[f"error_{axis}"]
    return values - np.array(error.arrayminus), values + np.array(error.array)


# ---------------------------------------------------------------- shares by place


def test_a_panel_an_algorithm_and_source_with_the_outcomes_shares(document, outcome):
    figure = shares_by_place(document)
    assert headings(figure) == [
        f"{a}, erased in {s}" for a in ("rmu", "slug") for s in ("en", "sw")
    ]
    rows = {(r["algorithm"], "+".join(r["source"]), r["place"]): r for r in outcome.rows()}
    for at, panel in enumerate((a, s) for a in ("rmu", "slug") for s in ("en", "sw")):
        axis = "y" if at == 0 else f"y{at + 1}"
        for name, (words, *_) in SERIES.items():
            (trace,) = [t for t in figure.data if (t.name, t.yaxis) == (words, axis)]
            assert list(trace.x) == ["selection", "shallow", "deep"]
            cells = [rows[(*panel, place)][name] for place in trace.x]
            assert list(trace.y) == [cell["share"] for cell in cells]
            low, high = ends(trace)
            assert low == pytest.approx([cell["low"] for cell in cells])
            assert high == pytest.approx([cell["high"] for cell in cells])


def test_source_and_held_out_are_told_apart_by_planted_answers(document):
    """At the deep place the source forgets all in seed 0, held-out languages next to nothing."""
    figure = shares_by_place(document)
    traces = {t.name: t for t in figure.data if t.yaxis == "y"}
    deep = list(traces["to forget, source"].x).index("deep")
    assert traces["to forget, source"].y[deep] == pytest.approx(0.05), "0 and 1 of 10"
    assert traces["to forget, held out"].y[deep] == pytest.approx(0.9)
    assert traces["to retain, held out"].y[deep] == pytest.approx(0.9)
    assert traces["to forget, held out"].marker.symbol.endswith("-open")


def test_every_seed_is_a_dot_and_one_seed_needs_none(document):
    figure = shares_by_place(document)
    (dots,) = [t for t in figure.data if t.name == "to forget, source, seeds" and t.yaxis == "y"]
    assert list(zip(dots.x, dots.y, strict=True)) == [
        ("selection", 0.0), ("selection", 0.1), ("shallow", 0.3), ("shallow", 0.4),
        ("deep", 0.0), ("deep", 0.1),
    ]  # fmt: skip
    one = make_experiment([make_arm(place=place) for place in ("selection", "deep")])
    assert not [t for t in shares_by_place(one).data if t.name.endswith("seeds")]


def test_the_level_before_is_drawn_and_the_bar_only_where_every_arm_says_it(document):
    lines = {each.y0 for each in shares_by_place(document).layout.shapes if each.type == "line"}
    assert lines == {1}
    for arm in document["arms"]:
        arm["forget_bar"] = 0.2
    lines = {each.y0 for each in shares_by_place(document).layout.shapes if each.type == "line"}
    assert lines == {1, 0.2}
    document["arms"][0]["forget_bar"] = 0.3
    assert "bar for forgetting" not in caption(shares_by_place(document))


# ---------------------------------------------------------------- the matrix, the contrasts


def test_the_matrix_has_the_outcomes_shares_with_sources_framed(document, outcome):
    figure = answered_by_source(document)
    places = ("selection", "shallow", "deep")
    assert headings(figure) == [f"{a}, {p}" for a in ("rmu", "slug") for p in places]
    for at, (algorithm, place) in enumerate((a, p) for a in ("rmu", "slug") for p in places):
        cells, heat = outcome.matrix(algorithm, place), figure.data[at]
        assert list(heat.y) == ["en", "sw"]
        assert list(heat.x) == ["en", "sw", "de"], "languages erased in come first"
        wanted = [[cells[s][c]["share"] for c in heat.x] for s in heat.y]
        assert np.array_equal(np.array(heat.z, dtype=float), wanted)
    deep = np.array(figure.data[2].z, dtype=float)
    assert deep == pytest.approx(np.array([[0.05, 0.9, 0.9], [0.9, 0.05, 0.9]]))
    frames = {(s.x0, s.y0) for s in figure.layout.shapes if s.xref == "x"}
    assert frames == {(-0.47, -0.45), (0.53, 0.55)}


def test_languages_can_be_chosen_and_an_unknown_one_is_refused(document):
    assert list(answered_by_source(document, languages=["sw", "de"]).data[0].x) == ["sw", "de"]
    with pytest.raises(LanguageError, match="Got 'xx'"):
        answered_by_source(document, languages=["xx"])


def test_a_language_in_which_nothing_was_known_is_an_empty_cell(document):
    for arm in document["arms"]:
        for when in ("before", "after"):
            arm["answered"][when]["forget"] = arm["answered"][when]["forget"] | {"de": []}
    heat = answered_by_source(document).data[0]
    assert [row[list(heat.x).index("de")] for row in heat.z] == [None, None]


def test_contrasts_stand_against_zero_with_their_intervals(document, outcome):
    figure = contrasts_by_place(document)
    rows = [row for row in outcome.contrasts() if row["algorithm"] == "rmu"]
    forget, retain = (
        next(t for t in figure.data if (t.name, t.xaxis) == ("rmu", axis)) for axis in ("x", "x2")
    )
    for trace, name in ((forget, "forget_held_out"), (retain, "retain_held_out")):
        cells = [row[name] for row in rows]
        assert list(trace.x) == [cell["difference"] for cell in cells]
        low, high = ends(trace, "x")
        assert low == pytest.approx([cell["low"] for cell in cells])
        assert high == pytest.approx([cell["high"] for cell in cells])
    assert list(forget.x) == pytest.approx([-0.4, -0.7, -0.4, -0.7])
    assert set(forget.marker.symbol) == {"circle"}, "clear of zero"
    assert set(retain.marker.symbol) == {"circle-open"}, "no difference at all"
    assert {s.x0 for s in figure.layout.shapes} == {0}
    span = figure.layout.xaxis.range
    assert span[0] == -span[1]


def test_no_other_place_is_said_and_nothing_is_drawn():
    figure = contrasts_by_place(make_experiment([make_arm()]))
    assert figure.data == ()
    assert "no place stands beside" in " ".join(a.text for a in figure.layout.annotations)


# ---------------------------------------------------------------- rows and the page


def test_rows_say_what_the_outcome_says(document):
    document["arms"][0]["verifications"] = [
        {"verdicts": {"en": {"word": "erased"}, "de": {"word": "leaks"}, "sw": {"word": "leaks"}}}
    ]
    rows = place_rows(document)
    assert list(rows[0]) == list(COLUMNS)
    first = rows[0]
    assert (first["algorithm"], first["source"], first["place"]) == ("rmu", "en", "selection")
    assert first["blocks"] == "2–3"
    assert first["words"] == "source: erased; held out: leaks × 2"
    assert first["forget_held_out"].startswith("0.20 [")
    assert contrast_rows(document)[0]["forget_held_out"].startswith("-0.40 [")


def test_the_page_has_tables_figures_and_no_network(outcome):
    page = experiment_page(outcome)
    assert page.count("Plotly.newPlot(") >= 3
    for words in ("By place", "Forgotten and kept, by place", "a note", "kept in every arm (24)"):
        assert words in page
    assert 'src="http' not in markup(page)


def test_a_broken_contract_is_said_by_the_arms_name(document):
    document["arms"][1]["contract"] = False
    assert "BROKEN in rmu.en.shallow.0" in experiment_page(Outcome(document, Path()))


def test_every_text_of_a_hostile_document_is_escaped(document):
    hostile = json.loads(json.dumps(document).replace('"shallow"', json.dumps(HOSTILE))
                         .replace('"rmu"', json.dumps(HOSTILE)).replace('"sw"', json.dumps(HOSTILE))
                         .replace('"tiny"', json.dumps(HOSTILE)))  # fmt: skip
    for draw in DRAWN:
        layout = draw(hostile).to_dict()["layout"]
        ticks = [v.get("ticktext") for k, v in layout.items() if k[1:5] == "axis"]
        names = [t.name for t in draw(hostile).data]
        assert "<script" not in json.dumps([layout.get("annotations"), ticks, names])
    assert "<script>alert" not in experiment_page(Outcome(hostile, Path()))


# ---------------------------------------------------------------- documents


def test_the_schema_is_the_one_that_is_written(document):
    assert document["schema_version"] == SCHEMA == rooms.EXPERIMENT
    found = read_document(document)
    assert (found.kind, found.languages) == ("experiment", ("en", "sw", "de"))
    assert {code: found.side(code) for code in LANGUAGES} == {"en": "", "sw": "", "de": "held out"}
    assert read_document(Outcome(document, Path())).rows == found.rows


def test_drawing_changes_no_document_and_repeats(document):
    kept = copy.deepcopy(document)
    for draw in DRAWN:
        assert draw(document).to_json() == draw(read_document(document)).to_json()
    assert document == kept


def answered(**changes):
    arm = make_arm()
    return {"arms": [arm | {"answered": arm["answered"] | changes}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": []}, "has 'arms' that must"),
        ({"arms": [make_arm(), make_arm()]}, "must have arms that differ"),
        ({"arms": [make_arm(contract="yes")]}, "has 'arms.0.contract' that must"),
        ({"arms": [make_arm(blocks=[-1])]}, "has 'arms.0.blocks.0' that must"),
        (answered(after={"forget": {"en": []}}), "have before.forget and after.forget in the same"),
        (
            answered(before={"forget": {"en": ["a", "a"]}, "retain": {"en": ["b"]}},
                     after={"forget": {"en": []}, "retain": {"en": []}}),
            "name no fact of forget twice",
        ),
        ({"selection": {"status": "x", "region": [], "update_layers": []}}, "'selection.region'"),
        ({"teaching": {"steps": 1, "after": {"en": {"accuracy": float("nan")}}}}, "accuracy"),
        ({"schema_version": "erasure-experiment/2"}, "must have schema_version"),
    ],
)  # fmt: skip
def test_a_broken_document_is_one_line_with_the_rule_and_the_way_out(document, change, said):
    with pytest.raises(InputError) as caught:
        read_document(document | change, name="runs/experiment.json")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("'runs/experiment.json'")
    assert said in message
    assert "write it again with 'probekit" in message


def test_arms_must_ask_in_the_same_languages(document):
    arm = document["arms"][0]["answered"]
    document["arms"][0]["answered"] = {
        when: {part: {"en": cells["en"]} for part, cells in parts.items()}
        for when, parts in arm.items()
    }
    with pytest.raises(InputError, match=r"ask in plan\.languages, and no other, in every arm"):
        read_document(document)


def test_more_facts_than_can_be_drawn_are_refused(document, monkeypatch):
    monkeypatch.setattr(rooms, "MOST_FACTS", 9)
    with pytest.raises(InputError, match="be about at most 9 facts, not 10"):
        read_document(document)


def test_a_figure_of_another_kind_says_which_it_needs(document):
    for other, has in ((make_report(), "report"), (make_sweep(), "sweep")):
        for draw in DRAWN:
            with pytest.raises(InputError, match=rf"erasure-experiment/1\. Got erasure-{has}/1"):
                draw(other)


def test_reading_a_file_loads_no_model_library(document, tmp_path):
    file = tmp_path / "experiment.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    code = (
        "import sys\n"
        "from probekit.figures.erasure import read_file\n"
        "from probekit.figures.experiment import shares_by_place\n"
        f"shares_by_place(read_file({str(file)!r}))\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert read_file(file).kind == "experiment"
