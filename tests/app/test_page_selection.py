"""Page Selection in a browser: rules move a planted region, the snippet is the command's."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import threading
from pathlib import Path
from urllib.parse import urlencode

import pytest
from typer.testing import CliRunner

from probekit import Study, open_run
from probekit.cli.app import app as cli_app
from probekit.measures.planted import planted_pooled
from probekit.selection import RULES
from probekit.selection.exporters import EXPORTERS, export
from probekit_app import create_app, selecting
from probekit_app.page import pages
from tests.studies.planted import plant
from tests.texts import parallel
from tests.tiny import D_MODEL, save_tiny

LANGUAGES = ("en", "de", "sw", "fi")
N_BLOCKS, N_UNITS, REGION = 8, 40, range(3, 7)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A folder with one run whose languages meet in blocks 3 to 6."""
    folder = tmp_path_factory.mktemp("selection")
    corpus = parallel(N_UNITS, LANGUAGES, most_words=3)
    save_tiny("llama", folder / "model", num_hidden_layers=N_BLOCKS)
    corpus.to_jsonl(folder / "units.jsonl")
    study = Study(
        model=str(folder / "model"), corpus=str(folder / "units.jsonl"), bootstrap=60,
        permutations=60, analyses=("cka", "regions"),
    )  # fmt: skip
    rows = {layer + 1 for layer in REGION}
    shape = (N_BLOCKS + 1, len(LANGUAGES), N_UNITS)
    vectors = planted_pooled(*shape, d=D_MODEL, shared_layers=rows, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        plant(patch, corpus, vectors)
        study.run(folder / "runs" / "planted")
    return folder / "runs"


@pytest.fixture(scope="module")
def planted_app(planted):
    return create_app(planted)


@pytest.fixture(scope="module")
def site(planted_app):
    from probekit_app.serving import make_server

    server = make_server(planted_app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def run(planted):
    return open_run(planted / "planted")


def look(app, query):
    view, parsed = app.server.extensions["probekit"].look(query)
    assert parsed.notices == ()
    return view


def test_from_the_overview_to_the_snippet_on_the_clipboard(page, site, run):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(site)
    page.get_by_role("link", name="planted", exact=True).click()
    page.get_by_role("link", name="Use these layers").click()
    page.locator(".snippet pre").wait_for()
    assert page.locator("#page h1").inner_text() == "Selection"
    page.locator(".snippet").get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == export(run.select(), "peft").text


def test_the_download_is_what_the_command_prints(page, site, planted, capsys, monkeypatch):
    import sys

    from probekit import cli

    page.goto(f"{site}/selection?run=planted")
    page.locator(".snippet pre").wait_for()
    with page.expect_download() as found:
        page.locator(".snippet").get_by_role("link", name="Download").click()
    command = ["probekit", "export", str(planted / "planted"), "--to", "peft"]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit):
        cli.main()
    assert found.value.suggested_filename == "lora_selection.py"
    text = found.value.path().read_text(encoding="utf-8")
    assert text.startswith("# probekit selection")
    assert text == capsys.readouterr().out


def test_another_rule_gives_another_answer(page, site, run):
    page.goto(f"{site}/selection?run=planted")
    answer = page.locator("[data-card='selection/answer']")
    answer.get_by_text("A stable region").wait_for()
    page.get_by_role("button", name="mute", exact=True).click()
    answer.get_by_text("times its minimum").wait_for()
    page.get_by_role("slider", name="alpha").focus()
    page.keyboard.press("Home")
    answer.get_by_text("No signal").wait_for()
    assert run.select(rule="mute", alpha=0.1).status == "no_signal"
    assert "selection.alpha=0.1" in page.url
    page.get_by_role("button", name="plateau", exact=True).click()
    answer.get_by_text("blocks 3–6").first.wait_for()
    assert "rule" not in page.url


def test_settings_live_in_the_address(page, site, run):
    page.goto(f"{site}/selection?run=planted&selection.rule=user")
    page.get_by_text("where is still empty").first.wait_for()
    page.get_by_role("textbox", name="where").fill("depth > 0.5")
    page.keyboard.press("Enter")
    headline = str(run.select(rule="user", where="depth > 0.5")).partition("\n")[0]
    answer = page.locator("[data-card='selection/answer']")
    answer.get_by_text(headline.partition(": ")[2]).wait_for()
    page.reload()
    answer.get_by_text(headline.partition(": ")[2]).wait_for()
    assert page.get_by_role("textbox", name="where").input_value() == "depth > 0.5"


def test_a_row_sets_the_layer(page, site, run):
    ranked = run.select().ranked
    at = next(at for at, each in enumerate(ranked) if each.layer in {1, 2})
    page.goto(f"{site}/selection?run=planted&layer=0")
    page.locator(f".ag-row[row-index='{at}'] .ag-cell").first.click()
    page.wait_for_url(f"**layer={ranked[at].layer}")
    page.wait_for_selector(f".cell.on[data-layer='{ranked[at].layer}']")


def test_selection_json_is_the_document(planted_app, run):
    client = planted_app.server.test_client()
    got = client.get("/download/selection.json?run=planted&selection.rule=mute&selection.alpha=4")
    assert got.status_code == 200
    assert "attachment" in got.headers["Content-Disposition"]
    expected = run.select(rule="mute", alpha=4.0).to_document()
    assert json.loads(got.data) == expected
    assert client.get("/download/selection.json?run=no").status_code == 404
    bad = client.get("/download/selection.json?run=planted&selection.rule=user&selection.where=x(")
    assert bad.status_code == 404
    assert b"Traceback" not in bad.data


@pytest.mark.parametrize("to", EXPORTERS)
def test_every_trainer_is_shown_or_says_why_not(planted_app, run, to):
    view = look(planted_app, f"run=planted&selection.to={to}")
    bench = planted_app.server.extensions["probekit"]
    page = pages()["/selection"]
    drawn = bench.draw(page, page.card("trainer"), view, theme="light")
    if drawn.problem:  # some trainers must be told more than a run knows
        assert to == "wmdp"
        return
    written = export(run.select(), to)
    assert written.names_sha256 in drawn.content
    assert ("Not expressible" in drawn.content) == (not written.expressible)


def test_trainers_are_tabs_that_arrows_walk(page, site):
    page.goto(f"{site}/selection?run=planted&selection.to=axolotl")
    page.locator(".snippet pre").wait_for()
    tabs = page.get_by_role("tablist", name="Trainer").get_by_role("tab")
    assert sorted(tabs.all_text_contents()) == sorted(EXPORTERS)
    assert tabs.evaluate_all("all => all.filter(tab => tab.tabIndex === 0).length") == 1
    chosen = page.get_by_role("tab", selected=True)
    assert chosen.text_content() == "axolotl"
    chosen.press("Home")
    page.wait_for_url(lambda url: "selection.to" not in url)
    assert page.evaluate("document.activeElement.textContent") == "peft"
    page.locator(".snippet pre").get_by_text("from peft import LoraConfig").wait_for()
    page.keyboard.press("ArrowLeft")
    last = tabs.last.text_content()
    page.wait_for_url(f"**selection.to={last}")
    assert chosen.text_content() == last
    assert page.get_by_role("tabpanel").get_attribute("aria-labelledby") == "trainer-title"


@pytest.mark.parametrize("width", [1440, 1024, 400])
def test_tabs_wrap_inside_their_card(page, site, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{site}/selection?run=planted")
    page.get_by_role("tab", selected=True).wait_for()
    box = page.locator("[data-card='selection/trainer']").bounding_box()
    ends = page.get_by_role("tab").evaluate_all(
        "all => all.map(tab => tab.getBoundingClientRect().right)"
    )
    assert max(ends) <= box["x"] + box["width"]


def test_the_strip_says_whose_region_it_shades(page, site):
    page.goto(f"{site}/selection?run=planted&selection.rule=mute")
    page.locator(".region-key").wait_for()
    assert page.locator(".region-key").text_content() == "plateau region"
    shaded = page.locator("#layer .cell.region").evaluate_all("all => all.map(c => c.title)")
    assert len(shaded) == len(REGION)
    assert all(title.endswith(", in the region") for title in shaded)


@pytest.mark.parametrize("rule", RULES)
def test_every_option_of_a_rule_has_a_control(rule):
    keys = {control.key for control in pages()["/selection"].card_controls}
    for option in RULES[rule].options:
        control = selecting.control_of(option)
        assert control.key in keys
        assert control.accepts(control.default)
        assert option.default is None or control.default == selecting._said(option.default)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("selection.rule=mute", {"rule": "mute"}),
        ("selection.rule=mute&selection.alpha=4", {"rule": "mute", "alpha": 4.0}),
        ("selection.alpha=4", {}),  # plateau has no alpha
        ("selection.probability=0.7", {"probability": 0.7}),
        ("selection.prefer=deepest", {"prefer": "deepest"}),
        ("selection.roles=mlp_out,attn_out", {"roles": ("mlp_out", "attn_out")}),
        ("selection.rule=lens&selection.readable=false", {"rule": "lens", "readable": False}),
    ],
)
def test_controls_become_arguments(planted_app, query, expected):
    assert selecting.arguments(look(planted_app, f"run=planted&{query}")) == expected


def changed(option):
    """A value of an option that is neither its default nor refused."""
    if option.kind == "number":
        return f"{selecting.control_of(option).low + 7 * selecting.control_of(option).step:g}"
    if option.kind == "switch":
        return selecting._said(not option.default)
    if option.kind == "text":
        return "depth > 0.2 and depth < 0.9"
    return next(choice for choice in option.choices if choice != option.default)


def settings_of(rule):
    """Queries: the rule as it is, then with each option changed, with a target and other roles."""
    needed = [o for o in RULES[rule].options if o.default is None]
    base = [("selection.rule", rule), *((selecting.key_of(o), changed(o)) for o in needed)]
    single = [[(selecting.key_of(o), changed(o))] for o in RULES[rule].options if o not in needed]
    single += [[("selection.prefer", "deepest")], [("selection.roles", "mlp_out,attn_out")]]
    every = [pair for pairs in single for pair in pairs]
    return [urlencode([*base, *more]) for more in ([], *single, every)]


@pytest.fixture(scope="module")
def both_app(planted, full_run, tmp_path_factory):
    """The planted run, and one that has what the other rules need."""
    root = tmp_path_factory.mktemp("two rules'")  # a shell would stumble over such a name
    shutil.copytree(planted / "planted", root / "planted")
    shutil.copytree(full_run.folder, root / "every analysis")
    return create_app(root)


@pytest.mark.parametrize("rule", RULES)
def test_the_command_shown_makes_the_same_document(both_app, rule):
    needs_more = bool({*RULES[rule].needs} - {"cka", "regions"})
    run, client = ("planted", "every analysis")[needs_more], both_app.server.test_client()
    seen, settings = set(), settings_of(rule)
    for query in settings:
        asked = f"{urlencode({'run': run})}&{query}"
        code = pages()["/selection"].card("answer").code(look(both_app, asked))
        line = re.search(r"^# the same in a terminal: (.*) > selection.json$", code, re.MULTILINE)
        program, *arguments = shlex.split(line[1])
        ran = CliRunner().invoke(cli_app, arguments)
        assert program == "probekit"
        assert ran.exit_code in {0, 1}, (line[1], ran.output)
        downloaded = client.get(f"/download/selection.json?{asked}").get_json()
        assert json.loads(ran.stdout) == downloaded, line[1]
        seen.add(json.dumps([downloaded[part] for part in ("rule", "selection", "parameters")]))
    # without a region no tensor is named, so that other roles change nothing
    assert len(seen) >= len(settings) - needs_more


def test_a_selection_is_made_once(planted_app, monkeypatch):
    view = look(planted_app, "run=planted&selection.probability=0.6")
    first = selecting.selection_of(view)
    monkeypatch.setattr("probekit.runs.Run.select", lambda *_: pytest.fail("made again"))
    assert selecting.selection_of(view) is first


def test_no_signal_is_said_as_plainly(bench):
    view, _ = bench.look("?run=base")
    assert view.selection is None or view.selection.status == "no_signal"
    page = pages()["/selection"]
    answer = bench.draw(page, page.card("answer"), view, theme="light")
    trainer = bench.draw(page, page.card("trainer"), view, theme="light")
    assert "No signal" in answer.content
    assert "nothing is exported" in trainer.content


def test_the_static_export_has_rules_and_trainers(planted, tmp_path, page, writes_only):
    from probekit_app import export_site

    writes_only("/selection")
    target = export_site(planted / "planted", tmp_path / "site")
    page.context.set_offline(True)
    page.goto(Path(target).with_name("selection.html").as_uri())
    page.locator(".snippet pre").wait_for()
    page.get_by_role("tab", name="axolotl").click()
    page.locator(".snippet pre").get_by_text("unfrozen_parameters").wait_for()
    page.get_by_role("button", name="mute", exact=True).click()
    page.locator("[data-card='selection/answer']").get_by_text("2.5").first.wait_for()
