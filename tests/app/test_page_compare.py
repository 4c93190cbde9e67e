"""Page Compare in a browser: choosing the second run, a measure, and what the table sets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probekit.figures.compare import WORDS
from probekit_app.page import pages
from probekit_app.pages import compare
from probekit_app.static_html import to_html

READY = ".slot-figure[data-ready='1']"
BOTH = "/compare?run=base&vs=group/other"


@pytest.fixture
def view(bench):
    found, _ = bench.look("?run=base&vs=group/other")
    return replace(found, page=pages()["/compare"])


def test_without_a_second_run_there_is_one_to_choose(page, address):
    page.goto(address + "/compare?run=base")
    page.get_by_text("Choose a second run").wait_for()
    page.locator("#page").get_by_role("link", name="group/other").click()
    page.wait_for_selector(READY)
    assert "vs=group" in page.url
    page.get_by_text("none of").first.wait_for()
    assert page.get_by_text("same weights, same text").is_visible()


def test_the_measure_and_the_table_are_one_state(page, address):
    page.goto(address + BOTH)
    page.wait_for_selector(READY)
    page.get_by_role("combobox", name="Measure").select_option(label="P@1")
    page.locator(".annotation-text", has_text="P@1: other − base").wait_for()
    assert "compare.measure=alignment" in page.url
    row = page.locator(".ag-row", has_text="LRDS (raw)").first
    row.locator(".ag-cell").first.click()
    page.locator(".annotation-text", has_text="LRDS (raw): other − base").wait_for()
    chosen = page.get_by_role("combobox", name="Measure")
    assert chosen.input_value() == "regions/lrds"


def test_the_numbers_are_those_of_the_comparison(bench, view):
    found = view.run.diff(view.other)
    for row, expected in zip(compare.rows(view), found.rows(), strict=True):
        assert row["words"] == WORDS.get(expected["measure"], row["words"])
        assert (row["change"], row["low"]) == (expected["change"], expected["low"])
    card = pages()["/compare"].card("curves")
    drawn = bench.rows(pages()["/compare"], card, view)
    assert [row["b − a"] for row in drawn if "b − a" in row] or drawn


def test_the_code_makes_the_same_figure(view):
    scope = {}
    code = compare.layer_code(view).replace(".show()", "")
    lines = code.strip().splitlines()
    exec("\n".join([*lines[:-1], f"figure = {lines[-1]}"]), scope)
    assert scope["figure"].to_json() == compare.by_layer(view).to_json()


def test_every_measure_of_the_run_can_be_chosen(view):
    compared = compare.comparison(view)
    assert set(compared.differences) <= set(compare.measures(view.opened))
    offered = set(compare.measures(view.opened)) - {""}  # the metric of the bar
    assert offered <= {*compared.differences, *compared.left_out}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", "cka/mean"),
        ("metric=p_at_1", "alignment/p_at_1_mean"),
        ("metric=standardised", "cka/mean"),
        ("metric=p_at_1&compare.measure=regions/lrds", "regions/lrds"),
        ("metric=p_at_1&compare.measure=cka/mean", "cka/mean"),
    ],
)
def test_the_metric_of_the_bar_is_compared_unless_another_is_asked(bench, query, shown):
    view, parsed = bench.look(f"?run=base&vs=group/other&{query}")
    assert parsed.notices == ()
    assert compare.measure(view) == shown
    said = to_html(compare.summary(view))
    assert ("has no interval in both runs" in said) == ("standardised" in query)


def test_runs_that_share_no_language_say_so(bench, view, monkeypatch):
    from probekit.errors import LanguageError

    def refuse(_self, _other, **_options):
        msg = "runs to compare must share a language."
        raise LanguageError(msg)

    monkeypatch.setattr("probekit.runs.Run.diff", refuse)
    opened = replace(view.opened, kept=type(view.opened.kept)())
    shown = compare.layout(replace(view, opened=opened))
    assert "cannot be compared" in str(shown)
    assert "share a language" in str(shown)


def test_a_measure_without_languages_says_which_have_them(bench, view):
    found = compare.comparison(view).differences
    lone = next(key for key, each in found.items() if each.by_language is None)
    bare, _ = bench.look(f"?run=base&vs=group/other&compare.measure={lone}")
    said = compare.by_languages(replace(bare, page=pages()["/compare"]))
    having = [key for key, each in found.items() if each.by_language is not None]
    assert said.command == ""
    assert all(WORDS.get(key, key) in said.reason for key in having)
    whole, _ = bench.look(f"?run=base&vs=group/other&compare.measure={having[0]}")
    assert compare.by_languages(replace(whole, page=pages()["/compare"])) is None
