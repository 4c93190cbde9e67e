"""Every page keeps the rules that the shell relies on, and draws or says what it lacks."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from probekit_app.card_routes import draw
from probekit_app.cards import FOLLOWED, FigureCard, GridCard, PanelCard
from probekit_app.page import all_controls, pages
from probekit_app.selection_bar import selection_bar
from probekit_app.state import State
from probekit_app.static_html import to_html

APP = Path(__file__).parents[2] / "app" / "probekit_app"
SOURCES = sorted(APP.rglob("*.py"))
CARDS = [(page, card) for page in pages().values() for card in page.cards]


def name(value):
    return getattr(value, "name", None) or getattr(value, "slug", None)


@pytest.mark.parametrize(("page", "card"), CARDS, ids=name)
def test_a_card_draws_or_says_what_it_lacks(bench, page, card):
    key = "base" if page.path == "/runs" else ""
    found = draw(bench, {"card": f"{page.slug}/{card.name}", "key": key}, {"query": "?run=base"})
    assert not isinstance(found.problem, str), found.problem
    assert (found.content is None) == (found.problem is not None)
    if isinstance(card, FigureCard) and found.content:
        assert found.method, "the caption must say estimator and n"
        assert found.code
        assert found.content["data"]


@pytest.mark.parametrize(("page", "card"), CARDS, ids=name)
def test_a_card_follows_what_exists(page, card):
    assert set(card.follows) <= {*FOLLOWED, *all_controls()}
    if isinstance(card, FigureCard):
        assert bool(card.plot) != bool(card.draw)
        assert card.plot or card.code
    if not (isinstance(card, PanelCard) and card.bare):
        assert card.reading.endswith(".")
    if isinstance(card, GridCard):
        assert all("field" in column for column in card.columns)


FOLLOWERS = {
    page.path: {
        key for card in page.cards for key in (*card.follows, *getattr(card, "scripted", ()))
    }
    for page in pages().values()
    if page.path != "/trial"
}


@pytest.mark.parametrize("path", FOLLOWERS)
def test_every_control_is_followed_by_a_card_of_its_page(path):
    page = pages()[path]
    offered = {control.key for control in (*page.controls, *page.card_controls)}
    framed = {"erasure.document"}  # the whole page is laid out by it
    assert offered - framed <= FOLLOWERS[path]


@pytest.mark.parametrize("part", FOLLOWED)
def test_every_part_of_the_state_is_followed_where_the_bar_shows_it(part):
    """By a card of a page that can be shown of a run; the bar itself is on all of them."""
    assert any(part in followed for followed in FOLLOWERS.values())
    fields = {"langs": "languages", "pos": "position"}
    assert fields.get(part, part) in {field.name for field in dataclasses.fields(State)}


def test_the_bar_offers_nothing_that_no_card_follows(bench):
    view, _ = bench.look("?run=base")
    offered = set(re.findall(r'data-set="([^"]+)"', to_html(selection_bar(view))))
    assert {"unit", "metric"} <= offered
    assert offered - {"run", "vs"} <= set().union(*FOLLOWERS.values())


@pytest.mark.parametrize("path", ["/meet", "/compare"])
def test_the_metric_changes_what_is_drawn(bench, path):
    """Following is not enough: another metric is another figure."""
    page = pages()[path]
    figures = [c for c in page.cards if "metric" in c.follows and isinstance(c, FigureCard)]
    assert figures
    for card in figures:
        usual, other = (
            bench.draw(page, card, bench.look(f"?run=base&vs=group/other{more}")[0], theme="light")
            for more in ("", "&metric=mexa")
        )
        assert usual.content is not None
        if other.content is None:  # not every measure has a table by language, and that is said
            assert "has no values by language" in other.problem.heading
        assert usual.content != other.content, card.name


@pytest.mark.parametrize("page", pages().values(), ids=name)
def test_a_page_names_its_things_once(page):
    names = [card.name for card in page.cards]
    assert len(names) == len(set(names))
    assert page.lead.endswith((".", "?"))
    for control in page.controls:
        assert control.key.startswith(f"{page.slug}."), control.key
        assert control.accepts(control.default)


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.parent.name == "pages"], ids=lambda p: p.stem
)
def test_a_page_draws_with_figures_of_probekit_and_imports_no_other_page(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for found in names:
            assert not found.startswith("plotly.graph_objects") or in_type_checking(path, node)
            assert not found.startswith("probekit_app.pages")


def in_type_checking(path, node):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [
        n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)
    ]
    return any(block.lineno <= node.lineno <= block.end_lineno for block in blocks)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_the_app_is_as_small_as_the_house_asks(path):
    from tests.test_house import ROOT

    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) < 400
    assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            own = [a for a in node.args.args if a.arg not in {"self", "cls"}]
            assert len(own) <= (4 if node.name.startswith("_") else 3), node.name
            assert (node.end_lineno or 0) - node.lineno < 50, node.name


def test_the_app_uses_no_private_room_of_probekit():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("probekit."):
                assert not [alias.name for alias in node.names if alias.name.startswith("_")]


def test_importing_the_app_loads_nothing():
    import subprocess
    import sys

    heavy = "{'dash', 'plotly', 'flask', 'torch'}"
    code = f"import sys, probekit_app; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
