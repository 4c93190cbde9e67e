"""The page of erasures: what it finds, what it shows, what it refuses to be led to."""

from __future__ import annotations

import json
import shutil
from urllib.parse import quote

import pytest

from probekit.errors import InputError
from probekit.figures.erasure import read_file
from probekit.figures.erasure_attacks import attacks_by_language
from probekit_app import documents as rooms
from probekit_app import export_site
from probekit_app.card_routes import draw
from probekit_app.documents import Documents
from probekit_app.frame import frame
from probekit_app.page import pages
from probekit_app.pages.erasure import SHOWN_FOR
from probekit_app.runs_folder import RunsFolder
from probekit_app.static_html import to_html
from probekit_app.workbench import Workbench, find_card
from tests.figures.erasures import BROKEN, make_control, make_report, make_sweep
from tests.figures.erasures_experiment import make_arm, make_experiment

HOSTILE = "<script>alert(1)</script>"
KEY = "erasure.document"


@pytest.fixture
def folder(tmp_path):
    """A report, a sweep and an experiment one folder down, a report two folders down."""
    root = tmp_path / "runs"
    write(root / "report.json", make_report())
    write(root / "sweep" / "sweep.json", make_sweep())
    write(root / "mute" / "experiment.json", make_experiment())
    write(root / "a" / "b" / "deep.json", make_report(dict.fromkeys(("en", "es"), 3)))
    return root


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def bench_of(root):
    return Workbench(RunsFolder(root))


def page_of(bench, query=""):
    found = frame(bench, "/erasure", query)
    return to_html([*found.notices, found.content]), found


def drawn(bench, card, query=""):
    return draw(bench, {"card": f"erasure/{card}", "key": ""}, {"query": query})


# ---------------------------------------------------------------- what is found


def test_documents_are_found_here_and_up_to_two_folders_below(folder):
    write(folder / "a" / "b" / "c" / "report.json", make_report())
    write(folder / ".hidden" / "report.json", make_report())
    found = Documents(folder.resolve()).readable()
    assert list(found) == [
        "a/b/deep.json", "report.json", "sweep/sweep.json", "mute/experiment.json",
    ]  # fmt: skip
    assert [each.kind for each in found.values()] == ["report", "report", "sweep", "experiment"]


def test_other_json_is_none_of_ours(folder):
    for name, content in {
        "manifest.json": {"format": "probekit-run/1"},
        "erasure.json": {"schema_version": "erasure/1"},
        "reports.json": [1, 2],
        "rmu.en.deep.0.json": {"arm": {"place": "deep"}, "verifications": [make_report()]},
        "broken.json": "{",
    }.items():
        write(folder / "x" / name, content)
    assert not [each for each in Documents(folder.resolve()).listed() if "x/" in each.name]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("report.json", "", "not whole JSON"),
        ("any.json", json.dumps(make_report())[:900], "not whole JSON"),
        ("sweep.json", "[" * 100_000, "not whole JSON"),
        ("any.json", make_report(schema_version="erasure-report/7"), "must have schema_version"),
        ("any.json", make_report(verdicts={}), "a verdict for every language"),
        ("any.json", make_sweep(cells=[]), "'cells'"),
        ("any.json", make_report(source=[""]), "'source.0'"),
        ("experiment.json", "{", "not whole JSON"),
        ("any.json", make_experiment(arms=[make_arm(), make_arm()]), "arms that differ"),
        ("any.json", make_experiment(schema_version="erasure-experiment/2"), "schema_version"),
    ],
)
def test_a_file_that_cannot_be_read_is_listed_with_why(folder, name, content, said):
    write(folder / "bad" / name, content)
    (lost,) = [each for each in Documents(folder.resolve()).listed() if each.problem]
    assert lost.name == f"bad/{name}"
    assert said in lost.problem
    text, _ = page_of(bench_of(folder))
    assert "1 file that cannot be read" in text
    assert "verification: report.json" in text, "the others are shown"


def test_a_file_over_the_limit_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(rooms, "LARGEST", 1000)
    listed = Documents(folder.resolve()).listed()
    assert all("at most" in each.problem for each in listed)
    assert len(listed) == 4


def test_no_more_files_are_looked_into_than_the_limit(folder, monkeypatch):
    monkeypatch.setattr(rooms, "MOST_READ", 1)
    assert [each.name for each in Documents(folder.resolve()).listed()] == ["report.json"]


def test_links_that_lead_out_are_not_followed(folder, tmp_path):
    outside = write(tmp_path / "outside" / "report.json", make_report())
    (folder / "link.json").symlink_to(outside)
    (folder / "linked").symlink_to(outside.parent, target_is_directory=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "self.json").symlink_to(folder / "self.json")
    (folder / "within.json").symlink_to(folder / "report.json")
    names = list(Documents(folder.resolve()).readable())
    assert "within.json" in names
    assert not [name for name in names if name.startswith(("link", "self"))]


@pytest.mark.parametrize(
    "name",
    [
        "../outside/report.json",
        "/etc/passwd",
        "a/../report.json",
        "./report.json",
        "nowhere",
        "%00",
    ],
)
def test_a_name_leads_nowhere_else(folder, tmp_path, name):
    write(tmp_path / "outside" / "report.json", make_report())
    text, found = page_of(bench_of(folder), f"?{KEY}={quote(name)}")
    assert "Document cannot be" in text
    assert KEY not in found.query
    assert drawn(bench_of(folder), "attacks", f"?{KEY}={quote(name)}").problem is None


def test_a_document_that_changes_is_read_again(folder):
    bench = bench_of(folder)
    query = f"?{KEY}=report.json"
    before = drawn(bench, "attacks", query).content
    write(folder / "report.json", make_report(dict.fromkeys(("en", "es"), 1)))
    assert drawn(bench, "attacks", query).content != before
    (folder / "report.json").unlink()
    assert "report.json" not in page_of(bench)[0]


def test_a_drawn_card_of_a_run_is_not_shown_for_another_document(bench, runs):
    query = f"?run=base&{KEY}="
    report, swept = (
        drawn(bench, "about", query + quote(name)).content
        for name in ("report.json", "group/sweep.json")
    )
    assert "Base" in report
    assert "Algorithm" in swept
    copied = make_report(base={"source": "another"})
    kept = (runs / "report.json").read_text("utf-8")
    try:
        write(runs / "report.json", copied)
        assert "another" in drawn(bench, "about", f"{query}report.json").content
    finally:
        (runs / "report.json").write_text(kept, "utf-8")


# ---------------------------------------------------------------- what is shown


def test_an_empty_folder_names_the_commands_that_make_a_report(tmp_path):
    text, _ = page_of(bench_of(tmp_path))
    assert "No report of an erasure in this folder yet" in text
    for command in ("probekit teach", "probekit sweep", "probekit verify", "probekit experiment"):
        assert command in text
    assert "data-set" not in text, "nothing to choose"
    for card in pages()["/erasure"].cards:
        found = drawn(bench_of(tmp_path), card.name)
        assert found.problem


def test_a_report_and_a_sweep_have_cards_of_their_own(folder):
    bench = bench_of(folder)
    report, _ = page_of(bench, f"?{KEY}=report.json")
    swept, found = page_of(bench, f"?{KEY}=sweep/sweep.json")
    assert 'data-card="erasure/attacks"' in report
    assert 'data-card="erasure/layers"' not in report
    assert 'data-card="erasure/layers"' in swept
    assert 'data-card="erasure/attacks"' not in swept
    assert found.query == f"{KEY}=sweep%2Fsweep.json"


def document_of(card):
    """A document that a card is about."""
    kinds = {"sweep": "sweep/sweep.json", "experiment": "mute/experiment.json"}
    return kinds.get(SHOWN_FOR[card], "report.json")


def test_an_experiment_has_cards_of_its_own(folder):
    text, _ = page_of(bench_of(folder), f"?{KEY}=mute/experiment.json")
    shown = {card for card in SHOWN_FOR if f'data-card="erasure/{card}"' in text}
    assert shown == {"about", "places", "panels", "contrasts", "table"}
    about = drawn(bench_of(folder), "about", f"?{KEY}=mute/experiment.json").content
    assert "contract kept in every arm (24)" in about
    assert "blocks 2–3 (stable)" in about


def test_an_experiments_broken_contract_is_said(folder):
    arms = [make_arm(), make_arm(place="deep", contract=False)]
    write(folder / "mute" / "experiment.json", make_experiment(arms))
    about = drawn(bench_of(folder), "about", f"?{KEY}=mute/experiment.json").content
    assert "contract BROKEN in rmu.en.deep.0" in about


def test_controls_stand_in_the_table_and_a_broken_one_is_said(folder):
    controls = {"random-1": make_control(), "deep": make_control(contract=BROKEN)}
    write(folder / "report.json", make_report(controls=controls))
    bench = bench_of(folder)
    about = drawn(bench, "about", f"?{KEY}=report.json").content
    assert "random-1, deep" in about
    assert "deep: contract BROKEN: 1 of 9" in about
    table = drawn(bench, "verdicts", f"?{KEY}=report.json").content
    assert table.count('class="control"') == 2 * 4
    view, _ = bench.look(f"{KEY}=report.json")
    rows = bench.rows(*find_card("erasure/verdicts"), view)
    assert [row["model"] for row in rows[:3]] == ["erased", "random-1", "deep"]


def test_every_card_draws_the_document(folder):
    bench = bench_of(folder)
    for card in pages()["/erasure"].cards:
        name = document_of(card.name)
        found = drawn(bench, card.name, f"?{KEY}={quote(name)}")
        assert found.problem is None, (card.name, found.problem)
        assert found.content


def test_the_table_behind_a_figure_has_values_and_intervals(folder):
    bench = bench_of(folder)
    view, _ = bench.look(f"{KEY}=sweep/sweep.json")
    rows = bench.rows(*find_card("erasure/layers"), view)
    document = json.loads((folder / "sweep" / "sweep.json").read_text("utf-8"))
    cell = document["cells"][1]["report"]["forget"]["de"]
    (row,) = [
        each
        for each in rows
        if each["series"] == "de"
        and each["x"] == "random-1"
        and each["panel"].startswith("Facts to forget")
    ]
    assert row["accuracy"] == cell["accuracy"]
    assert (row["low"], row["high"]) == pytest.approx((cell["low"], cell["high"]))


def test_verdicts_are_exported_as_rows(folder):
    bench = bench_of(folder)
    view, _ = bench.look(f"{KEY}=report.json")
    rows = bench.rows(*find_card("erasure/verdicts"), view)
    assert [row["language"] for row in rows] == ["en", "es", "de", "sw"]
    assert all(row["why"] for row in rows)


def test_what_was_not_run_says_why_and_how_to_run_it(folder):
    write(folder / "report.json", make_report(attacks=("choices",)))
    problem = drawn(bench_of(folder), "lens", f"?{KEY}=report.json").problem
    assert problem.heading == "Not run: lens"
    assert "not asked for" in problem.reason
    assert "--checks choices,lens" in problem.command


def test_languages_hidden_in_the_bar_are_hidden_here(bench):
    query = f"?run=base&{KEY}=report.json&langs=en,sw"
    found = drawn(bench, "matrix", query).content["data"][0]
    assert list(found["x"]) == ["en", "es", "sw"], "the run knows no es, so it is not hidden"
    assert "languages=('en', 'es', 'sw')" in drawn(bench, "matrix", query).code


@pytest.mark.parametrize("card", [each.name for each in pages()["/erasure"].cards])
def test_the_code_makes_the_same_figure(folder, card, monkeypatch):
    monkeypatch.chdir(folder.parent)
    name = document_of(card)
    bench = bench_of(folder)
    code = drawn(bench, card, f"?{KEY}={quote(name)}").code
    if card == "about":
        return
    assert f"'runs/{name}'" in code
    scope = {}
    exec(code.replace("figure.show()", ""), scope)
    view, _ = bench.look(f"{KEY}={name}")
    if card in {"verdicts", "table"}:
        rows = bench.rows(*find_card(f"erasure/{card}"), view)
        assert len(rows) > 3
        assert [{name: row[name] for name in rows[0]} for row in scope["rows"]] == rows
    else:
        made = pages()["/erasure"].card(card).draw(view)
        assert scope["figure"].to_json() == made.to_json()


def test_a_hostile_document_is_text(folder):
    report = make_report({HOSTILE: 9, "en": 3}, held_out=[HOSTILE], source=["en"])
    report |= {"base": {"source": HOSTILE}, "erased": {"source": HOSTILE}, "notes": [HOSTILE]}
    report["skipped"] = {HOSTILE: HOSTILE}
    write(folder / f"{quote(HOSTILE, safe='<>')}.json", report)
    write(folder / "lost" / "report.json", f'{{"schema_version": "erasure-report/1{HOSTILE}')
    bench = bench_of(folder)
    name = next(name for name in bench.runs.documents.readable() if "script" in name)
    query = f"?{KEY}={quote(name)}"
    text, _ = page_of(bench, query)
    assert "<script" not in text
    for card in pages()["/erasure"].cards:
        found = drawn(bench, card.name, query)
        if isinstance(found.content, str):
            assert "<script" not in found.content
        elif found.content:
            layout = found.content["layout"]
            assert "<script" not in json.dumps([layout.get("annotations"), ticks(layout)])
            assert "<script" not in json.dumps([t.get("name") for t in found.content["data"]])


def ticks(layout):
    return [axis.get("ticktext") for key, axis in layout.items() if key.startswith("xaxis")]


# ---------------------------------------------------------------- in a browser, and on disk


def test_choosing_a_document_shows_it_and_is_in_the_address(page, address):
    page.goto(f"{address}/erasure?run=base")
    page.get_by_text("contract kept: 1 of 9 tensors moved").wait_for()
    page.locator(f"select[data-set='{KEY}']").select_option("group/sweep.json")
    page.get_by_role("heading", name="Accuracy by choice of layers").wait_for()
    page.wait_for_selector("[data-card='erasure/layers'] .slot-figure[data-ready='1']")
    assert f"{KEY}=group" in page.url
    assert page.locator("[data-card='erasure/attacks']").count() == 0
    page.go_back()
    page.wait_for_selector("[data-card='erasure/attacks'] .slot-figure[data-ready='1']")


def test_the_static_export_has_the_page_where_the_run_has_a_report(runs, tmp_path, writes_only):
    writes_only("/erasure")
    shutil.copytree(runs / "base", tmp_path / "base")
    write(tmp_path / "base" / "report.json", make_report())
    export_site(tmp_path / "base", tmp_path / "site")
    text = (tmp_path / "site" / "erasure.html").read_text("utf-8")
    assert 'data-card="erasure/attacks"' in text
    data = tmp_path / "site" / "data" / "erasure-attacks_report.json_dark.js"
    written = data.read_text("utf-8")
    found = read_file(tmp_path / "base" / "report.json")
    (lens,) = [each for each in attacks_by_language(found).data if each.name == "lens"]
    assert str(lens.y[0]) in written
    assert "read_file('report.json')" in written


def test_an_experiment_is_exported_with_the_run_that_it_lies_in(runs, tmp_path, writes_only):
    writes_only("/erasure")
    shutil.copytree(runs / "base", tmp_path / "base")
    write(tmp_path / "base" / "experiment.json", make_experiment())
    export_site(tmp_path / "base", tmp_path / "site")
    text = (tmp_path / "site" / "erasure.html").read_text("utf-8")
    assert 'data-card="erasure/places"' in text
    assert 'data-card="erasure/attacks"' not in text
    for card in ("places", "panels", "contrasts", "table"):
        data = tmp_path / "site" / "data" / f"erasure-{card}_experiment.json_dark.js"
        assert "read_file('experiment.json')" in data.read_text("utf-8"), card


def test_a_run_without_a_report_has_no_such_page_in_its_export(runs):
    bench = bench_of(runs / "base")
    view, _ = bench.look("run=base")
    assert not pages()["/erasure"].offers(view)


def test_two_documents_whose_files_would_be_one_are_refused(runs, tmp_path, writes_only):
    writes_only("/erasure")
    shutil.copytree(runs / "base", tmp_path / "base")
    write(tmp_path / "base" / "a b.json", make_report())
    write(tmp_path / "base" / "a-b.json", make_report())
    with pytest.raises(InputError, match="rename one of the two documents"):
        export_site(tmp_path / "base", tmp_path / "site")
