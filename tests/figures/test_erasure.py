"""Figures of erasures show the document's numbers, and say what was not run."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from probekit.erasure import Report, Sweep, sweep, verify
from probekit.erasure.verify.report import SCHEMA
from probekit.errors import InputError, LanguageError
from probekit.figures.erasure import (
    accuracy_by_language,
    accuracy_by_layers,
    read_document,
    read_file,
)
from probekit.figures.erasure_attacks import ATTACKS, attacks_by_language, lens_recall
from probekit.figures.erasure_document import REPORT, SWEEP
from probekit.figures.erasure_matrix import relearning, source_to_target
from probekit.figures.erasure_verdicts import broken_lines, columns, verdict_rows, verdict_table
from tests.erasure.conftest import make_facts
from tests.erasure.test_inputs import document_for
from tests.figures.erasures import (
    BROKEN,
    N_BLOCKS,
    N,
    blocks,
    make_control,
    make_report,
    make_sweep,
    markup,
    of,
)
from tests.tiny import tiny_subject

OF_REPORTS = (
    accuracy_by_language,
    attacks_by_language,
    lens_recall,
    source_to_target,
    relearning,
)
ORDER = ("en", "es", "de", "sw")
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def report():
    return make_report()


@pytest.fixture
def swept():
    return make_sweep()


def ends(trace):
    """Lower and upper ends of the whiskers."""
    y = np.array(trace.y)
    return y - np.array(trace.error_y.arrayminus), y + np.array(trace.error_y.array)


def named(figure, name, panel=None):
    return [
        each for each in figure.data if each.name == name and (panel is None or each.yaxis == panel)
    ]


def caption(figure):
    (note,) = [each.text for each in figure.layout.annotations if each.name == "caption"]
    return note


# ---------------------------------------------------------------- accuracy by choice of layers


def test_a_column_for_the_base_and_each_cell_with_its_numbers(swept):
    figure = accuracy_by_layers(swept)
    columns = ["base", *(cell["cell"] for cell in swept["cells"])]
    reports = [swept["base"], *(cell["report"] for cell in swept["cells"])]
    for part, panels in (("forget", ("y", "y2")), ("retain", ("y3", "y4"))):
        for code in ORDER:
            panel = panels[code in swept["held_out"]]
            (trace,) = named(figure, code, panel)
            assert list(trace.x) == columns
            cells = [each[part][code] for each in reports]
            assert list(trace.y) == [cell["accuracy"] for cell in cells]
            low, high = ends(trace)
            assert low == pytest.approx([cell["low"] for cell in cells])
            assert high == pytest.approx([cell["high"] for cell in cells])
            assert all(f"of {N} facts" in text for text in trace.text)


def test_source_and_held_out_languages_have_panels_and_marks_of_their_own(swept):
    figure = accuracy_by_layers(swept)
    headings = [each.text for each in figure.layout.annotations if each.name != "caption"]
    assert headings == [
        "Facts to forget, source languages",
        "Facts to forget, held-out languages",
        "Facts to retain, source languages",
        "Facts to retain, held-out languages",
    ]
    open_marks = {t.name for t in figure.data if t.marker.symbol.endswith("-open")}
    assert open_marks == set(swept["held_out"])


def test_chance_is_drawn_where_the_document_says_it_and_the_selection_is_shaded(swept):
    figure = accuracy_by_layers(swept)
    levels = [each for each in figure.layout.shapes if each.type == "line"]
    assert [each.y0 for each in levels] == [0.25, 0.25]
    bands = {(each.x0, each.x1) for each in figure.layout.shapes if each.type == "rect"}
    assert bands == {(0.5, 1.5)}
    assert "dotted: chance (0.250)" in caption(figure)
    swept["settings"]["forget_target"] = 0.25
    assert "the bar set for forgetting" in caption(accuracy_by_layers(swept))


def test_columns_say_their_blocks(swept):
    ticks = accuracy_by_layers(swept).layout.xaxis.ticktext
    assert list(ticks) == [
        "base", "selection<br>blocks 2–3", "random-1<br>blocks 0, 4", "all-layers<br>blocks 0–4",
    ]  # fmt: skip


def test_a_language_keeps_its_colour_whoever_else_is_shown(swept):
    (alone,) = named(accuracy_by_layers(swept, languages=["sw"]), "sw", "y")
    (among,) = named(accuracy_by_layers(swept), "sw", "y2")
    assert alone.marker.color == among.marker.color
    with pytest.raises(LanguageError, match=r"among en, es, de, sw\. Got 'xx'"):
        accuracy_by_layers(swept, languages=["xx"])


# ---------------------------------------------------------------- reports


def test_before_after_and_chance_by_language(report):
    figure = accuracy_by_language(report)
    forget = report["behaviour"]["forget"]
    (before,) = named(figure, "before", "y")
    assert set(before.x) == set(ORDER)
    for code in ORDER:
        (after,) = named(figure, f"{code} after", "y")
        cell = forget[code]["after_exact"]
        assert list(after.y) == [cell["success"]]
        assert [float(each[0]) for each in ends(after)] == pytest.approx(
            [cell["low"], cell["high"]]
        )
    assert set(named(figure, "chance", "y")[0].y) == {0.25}
    assert list(figure.layout.xaxis.categoryarray) == list(ORDER)
    (line,) = {(each.x0, each.x1) for each in figure.layout.shapes}
    assert line == (1.5, 1.5), "between source and held out"


def test_one_mark_an_attack_beside_its_chance(report):
    figure = attacks_by_language(report)
    marks = {each.name for each in figure.data if not each.name.startswith("chance")}
    assert marks == {"asked", "choices", "lens", "relearn"}
    for name, attack in report["attacks"].items():
        (trace,) = named(figure, name)
        (chance,) = named(figure, f"chance of {name}")
        cells = [attack["by_language"][code] for code in ORDER]
        assert list(trace.x) == list(chance.x) == list(ORDER)
        assert list(trace.y) == [cell["success"] for cell in cells]
        assert list(chance.y) == [cell["chance"] for cell in cells]
        assert ends(trace)[0] == pytest.approx([cell["low"] for cell in cells])
        assert trace.offsetgroup == chance.offsetgroup


def test_full_marks_beat_chance_and_the_best_is_large(report):
    figure = attacks_by_language(report)
    for name in report["attacks"]:
        (trace,) = named(figure, name)
        for at, code in enumerate(ORDER):
            verdict = report["verdicts"][code]
            assert trace.marker.symbol[at].endswith("-open") != (name in verdict["recovered_by"])
            assert (trace.marker.size[at] > 8) == (verdict["best_attack"]["name"] == name)
    assert "not run: rounding (not asked for)" in caption(figure)


def test_every_attack_that_there_is_has_a_look_of_its_own():
    from probekit.erasure import CHECKS

    assert set(ATTACKS) == {"asked", *CHECKS} - {"damage"}
    assert len({look[1:] for look in ATTACKS.values()}) == len(ATTACKS)


def test_recall_by_block_before_and_after(report):
    figure = lens_recall(report)
    recall = report["attacks"]["lens"]["recall"]
    headings = [each.text for each in figure.layout.annotations if each.name != "caption"]
    assert headings[0] == "en, source"
    for name in ("before", "after"):
        curves = named(figure, name)
        assert len(curves) == len(ORDER)
        for code, curve in zip(ORDER, curves, strict=True):
            assert list(curve.x) == list(range(N_BLOCKS))
            assert list(curve.y) == [cell["success"] for cell in recall[code][name]]
    bands = [each for each in figure.data if each.fill == "toself"]
    high = [cell["high"] for cell in recall["en"]["before"]]
    assert list(bands[0].y[:N_BLOCKS]) == high
    assert {(each.x0, each.x1) for each in figure.layout.shapes} == {(1.5, 3.5)}


def test_the_matrix_has_before_after_and_known_facts(report):
    (heat,) = source_to_target(report).data
    row = report["matrix"]["row"]
    wanted = [
        [row[code][key]["success"] for code in ORDER]
        for key in ("before_exact", "after_exact", "kept")
    ]
    assert np.array_equal(np.array(heat.z, dtype=float), wanted)
    assert list(heat.x) == list(ORDER)
    assert f"n = {N}, chance 0.250" in heat.text[1][0]


def test_the_relearnt_matrix_is_rows_relearnt_by_columns_asked(report):
    report["attacks"]["relearn"]["matrix"]["es"]["de"] = of(13)
    (heat,) = relearning(report).data
    assert list(heat.y) == ["not relearnt", "relearnt in en", "relearnt in es"]
    assert heat.z[2][2] == 13 / N
    assert list(heat.z[0]) == [
        report["behaviour"]["forget"][code]["kept"]["success"] for code in ORDER
    ]


@pytest.mark.parametrize(("draw", "check"), [(lens_recall, "lens"), (relearning, "relearn")])
def test_what_was_not_run_is_said_and_nothing_is_drawn(draw, check):
    figure = draw(make_report(attacks=("choices",)))
    assert figure.data == ()
    assert "not run: not asked for" in " ".join(each.text for each in figure.layout.annotations)


def test_facts_that_nobody_knew_make_no_numbers(report):
    for code in ORDER:
        cell = report["behaviour"]["forget"][code]
        cell["known"] = 0
        del cell["kept"]
        report["verdicts"][code] |= {"word": "undecided", "best_attack": None, "through": []}
    report["attacks"], report["skipped"] = {}, {"lens": "the base knows no fact to forget"}
    assert attacks_by_language(report).data == ()
    assert {row["answered"] for row in verdict_rows(report)} == {""}
    assert all("nothing to erase" in row["why"] for row in verdict_rows(report))


# ---------------------------------------------------------------- verdicts


def test_each_verdict_says_why(report):
    rows = {row["language"]: row for row in verdict_rows(report)}
    assert list(rows) == list(ORDER)
    assert rows["en"]["verdict"] == "suppressed"
    assert "recovered: logit lens" in rows["en"]["why"]
    assert rows["de"]["verdict"] == "leaks"
    assert rows["de"]["why"] == "Still answered above chance. Also answered in sw."
    assert rows["sw"]["verdict"] == "no effect"
    kept = report["behaviour"]["forget"]["de"]["kept"]
    assert rows["de"]["answered"] == (
        f"{kept['success']:.2f} [{kept['low']:.2f}, {kept['high']:.2f}], chance 0.25"
    )


def test_erased_means_no_attack_that_was_run():
    clean = make_report(dict.fromkeys(ORDER, 3), attacks=("choices", "rounding"))
    row = verdict_rows(clean)[0]
    assert (row["verdict"], row["mark"]) == ("erased", "good")
    assert row["why"] == (
        "Not answered above chance; none of 2 attacks run beats chance; at most 45% can still be "
        "known."
    )
    none = make_report(dict.fromkeys(ORDER, 3), attacks=())
    assert "; no attack was run; at most" in verdict_rows(none)[0]["why"]


def test_undecided_says_how_much_may_still_be_known():
    few = make_report(dict.fromkeys(ORDER, 3), attacks=("choices",))
    few["verdicts"]["en"] |= {"word": "undecided", "at_most": 0.62}
    few["verdicts"]["es"] |= {"word": "undecided", "at_most": None}
    rows = {row["language"]: row["why"] for row in verdict_rows(few)}
    assert "up to 62% of them may still be known" in rows["en"]
    assert rows["es"] == "Only 16 known facts: even all of them right would not beat chance."
    assert "can still be known" in rows["de"]


def test_damage_is_told_by_retained_facts_and_nats(report):
    report["verdicts"]["en"]["damaged"] = True
    row = verdict_rows(report)[0]
    assert row["verdict"] == "suppressed, damaged"
    assert row["why"].endswith("What was to stay suffered: retained 0.94, nats rise +0.10.")


# ---------------------------------------------------------------- controls


@pytest.fixture
def beside():
    """A report with two controls, of which one moved a tensor that it was not to."""
    controls = {"random-1": make_control(), "deep": make_control({"en": 2, "es": 3, "de": 12,
                "sw": 9}, contract=BROKEN)}  # fmt: skip
    return make_report(controls=controls, damage={code: blocks(0.95, 0.8) for code in ORDER})


def test_attacks_of_controls_stand_beside_in_hollow_grey(beside):
    figure = attacks_by_language(beside)
    for control, found in beside["controls"].items():
        traces = {t.offsetgroup: t for t in named(figure, control)}
        assert set(traces) == {f"{n}, controls" for n in ("asked", "choices", "lens", "relearn")}
        for name in ("asked", "lens"):
            trace = traces[f"{name}, controls"]
            table = found["kept"]["forget"] if name == "asked" else found["attacks"][name]
            assert list(trace.y) == [table[code]["success"] for code in trace.x]
            assert ends(trace)[1] == pytest.approx([table[code]["high"] for code in trace.x])
            assert trace.marker.symbol.endswith("-open")
        assert sum(bool(t.showlegend) for t in traces.values()) == 1
    assert "contract BROKEN: deep" in caption(figure)


def test_accuracy_of_controls_is_of_all_facts_as_the_erased_models(beside):
    figure = accuracy_by_language(beside)
    for panel, part in (("y", "forget"), ("y2", "retain")):
        (trace,) = named(figure, "deep", panel)
        cells = beside["controls"]["deep"]["after"][part]
        assert list(trace.y) == [cells[code]["success"] for code in trace.x]
        assert set(trace.x) == set(ORDER)


def test_recall_of_controls_is_a_thin_curve_in_every_panel(beside):
    figure = lens_recall(beside)
    curves = named(figure, "random-1")
    assert len(curves) == len(ORDER)
    recall = beside["controls"]["random-1"]["lens"]["recall"]["en"]
    assert list(curves[0].y) == recall["success"]
    assert curves[0].line.width < 1
    assert f"[{recall['low'][1]:.3f}, {recall['high'][1]:.3f}]" in curves[0].text[1]


def test_every_control_has_a_row_below_each_language(beside):
    rows = verdict_rows(beside)
    assert [(row["language"], row["model"]) for row in rows[:4]] == [
        ("en", "erased"), ("en", "random-1"), ("en", "deep"), ("es", "erased"),
    ]  # fmt: skip
    own, random, deep = rows[:3]
    judged = beside["controls"]["random-1"]["judged"]["en"]
    assert random["verdict"].startswith(judged["word"])
    assert random["best_attack"].startswith(judged["best_attack"]["name"])
    assert random["answered"].startswith("0.56 [")
    assert random["rise"] == "+0.10 [+0.00, +0.20]"
    assert random["damage"] == "0.40 [0.30, 0.40] at block 1; 1 collapsed"
    assert own["damage"] == "0.80 [0.70, 0.80] at block 1"
    assert deep["why"].startswith("contract BROKEN")
    assert "BROKEN" not in random["why"]
    (line,) = broken_lines(beside)
    assert line == "deep: contract BROKEN: 1 of 9 tensors moved or are missing (first: v)"


def test_columns_of_models_and_damage_are_there_only_where_the_document_has_them(report, beside):
    assert "model" not in columns(report)
    assert "damage" not in columns(report)
    assert {"model", "damage"} < set(columns(beside))
    assert verdict_table(report).count("<tr") == 1 + len(ORDER)
    assert verdict_table(beside).count('<tr class="control"') == 2 * len(ORDER)


def test_a_control_may_be_called_as_the_erased_model_is():
    rows = verdict_rows(make_report(controls={"erased": make_control()}))
    assert [row["control"] for row in rows[:2]] == [False, True]
    assert rows[0]["answered"] != rows[1]["answered"]


def test_controls_of_an_older_document_have_words_and_shares(beside):
    for found in beside["controls"].values():
        for key in set(found) - {"kept", "attacks", "verdicts"}:
            del found[key]
    row = verdict_rows(beside)[1]
    assert row["verdict"] == beside["controls"]["random-1"]["verdicts"]["en"]
    assert (row["best_attack"], row["rise"], row["damage"]) == ("", "", "")
    assert named(attacks_by_language(beside), "random-1")
    for draw in (accuracy_by_language, lens_recall):
        assert not named(draw(beside), "random-1")
        assert "controls: not in this document" in caption(draw(beside))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kept": {}}, "must have controls.random-1 with kept.forget and a verdict for every"),
        ({"verdicts": {"en": "erased"}}, "and a verdict for every language"),
        ({"attacks": {"lens": {"en": {"n": 1}}}}, "has no 'controls.random-1.attacks.lens.en.low"),
        ({"contract": {"ok": "no"}}, "controls.random-1.contract"),
        ({"lens": {"recall": {"en": {"n": 1, "success": [1.0], "low": [], "high": [1.0]}}}},
         "as many low and high ends"),
    ],
)  # fmt: skip
def test_a_broken_control_is_refused(beside, change, said):
    beside["controls"]["random-1"] |= change
    with pytest.raises(InputError) as caught:
        read_document(beside)
    assert said in str(caught.value)


def test_controls_stand_on_the_page_and_are_escaped():
    hostile = make_report(controls={HOSTILE: make_control(contract=BROKEN)})
    assert HOSTILE not in verdict_table(hostile)
    for draw in (attacks_by_language, accuracy_by_language, lens_recall):
        figure = draw(hostile)
        shown = [t.name for t in figure.data] + [a.text for a in figure.layout.annotations]
        assert "<script" not in json.dumps(shown)
    page = Report(hostile).to_html()
    assert "<script>alert" not in page
    assert "contract BROKEN" in page
    assert "same base erased elsewhere" in page


def test_every_text_of_a_hostile_document_is_escaped():
    report = make_report({HOSTILE: 9, "en": 3}, held_out=[HOSTILE], source=["en"])
    report["skipped"] = {HOSTILE: HOSTILE}
    assert HOSTILE not in verdict_table(report)
    for draw in OF_REPORTS:
        layout = draw(report).to_dict()["layout"]
        shown = json.dumps([layout.get("annotations"), layout.get("xaxis", {}).get("ticktext")])
        assert "<script" not in shown
    page = Report(report).to_html()
    assert "<script>alert" not in page


# ---------------------------------------------------------------- documents


def test_schemas_are_those_that_are_written(swept):
    assert REPORT == SCHEMA
    assert swept["schema_version"] == SWEEP


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"schema_version": "erasure-report/9"},
            "must have schema_version erasure-report/1, erasure-sweep/1 or",
        ),
        ({"schema_version": ["x"]}, "must have schema_version"),
        ({"behaviour": {}}, "must have facts to forget under behaviour.forget"),
        ({"attacks": {"lens": {"by_language": {}}}}, "must have attacks.lens.recall"),
        ({"verdicts": {}}, "must have a verdict for every language"),
        ({"source": "en"}, "has 'source' that must be a list. Got 'en'"),
    ],
)
def test_a_broken_report_is_one_line_with_the_file_the_rule_and_the_way_out(report, change, said):
    with pytest.raises(InputError) as caught:
        read_document(report | change, name="runs/report.json")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("'runs/report.json'")
    assert said in message
    assert "write it again with 'probekit verify" in message


@pytest.mark.parametrize("key", ["base", "contract", "matrix", "behaviour", "attacks", "verdicts"])
def test_a_missing_key_is_named(report, key):
    del report[key]
    with pytest.raises(InputError, match=f"has no '{key}'"):
        read_document(report)


@pytest.mark.parametrize("value", ["0.1", float("nan"), -0.1, 2.0, None, True, [0.5]])
def test_a_number_out_of_its_range_is_refused(report, value):
    report["attacks"]["choices"]["by_language"]["en"]["low"] = value
    with pytest.raises(InputError, match=r"attacks\.choices\.by_language\.en"):
        attacks_by_language(report)


def test_a_value_outside_its_own_interval_is_refused(swept):
    swept["cells"][0]["report"]["forget"]["en"] |= {"accuracy": 0.9, "low": 0.1, "high": 0.5}
    with pytest.raises(InputError, match=r"must lie in its interval \[0.1, 0.5\], not at 0.9"):
        accuracy_by_layers(swept)


def test_a_figure_of_the_other_kind_says_which_it_needs(report, swept):
    with pytest.raises(InputError, match=r"must be erasure-sweep/1\. Got erasure-report/1"):
        accuracy_by_layers(report)
    for draw in OF_REPORTS:
        with pytest.raises(InputError, match=r"must be erasure-report/1\. Got erasure-sweep/1"):
            draw(swept)


@pytest.mark.parametrize(
    "content", [b"", b'{"schema_version": "erasure-r', b"\xff\xfe{}", b"[" * 9000]
)
def test_a_file_that_is_not_json_is_refused(tmp_path, content):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"report\.json' must be JSON"):
        read_file(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_file(tmp_path / "nowhere.json")


def test_what_is_not_known_yet_is_left_alone(report):
    report |= {"tried": {"random-1": {"anything": None}}, "later": 1}
    plain = [draw(make_report()).to_json() for draw in OF_REPORTS]
    assert [draw(report).to_json() for draw in OF_REPORTS] == plain


def test_drawing_changes_no_document(report, swept):
    kept = copy.deepcopy((report, swept))
    for draw in OF_REPORTS:
        draw(report)
    accuracy_by_layers(swept)
    assert (report, swept) == kept


# ---------------------------------------------------------------- what the commands really write


@pytest.fixture(scope="module")
def subject():
    return tiny_subject("llama", num_hidden_layers=8)


def test_a_real_verification_of_what_was_never_known_can_be_drawn(subject):
    found = verify(subject, subject, make_facts(), source=["en"], n_permutations=2)
    for draw in OF_REPORTS:
        assert draw(found).to_json() == draw(found.to_json()).to_json()
    page = found.to_html()
    assert 'src="http' not in markup(page)
    assert page.count("Plotly.newPlot(") >= 2


def test_a_real_sweep_is_drawn_and_makes_a_page(subject, tmp_path):
    done = sweep(
        subject,
        make_facts(),
        selection=document_for(subject),
        folder=tmp_path / "sweep",
        algorithm="simnpo",
        source=["en"],
        cells=["selection", "deep"],
        max_steps=1,
        allow_unknown=True,
        retain_budget=1.0,
    )
    figure = accuracy_by_layers(done)
    rows = [row for row in done.rows() if (row["part"], row["language"]) == ("forget", "en")]
    (trace,) = named(figure, "en", "y")
    assert list(trace.y) == [row["accuracy"] for row in rows]
    again = read_file(tmp_path / "sweep" / "sweep.json")
    assert accuracy_by_layers(again).to_json() == figure.to_json()
    assert "Accuracy by choice of layers" in Sweep(done.record, done.folder).to_html()
