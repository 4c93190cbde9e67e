"""Every control of every page is moved once, as a reader would, over a run with every analysis."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from probekit_app import create_app
from probekit_app.page import pages
from tests.app.axe import wait_for_cards
from tests.app.test_browser import served

#: Keys of everything that can be set on a page, in the order of the page.
KEYS = """() => [...new Set(Array.from(
  document.querySelectorAll("#bar [data-set], #page [data-set]"), (each) => each.dataset.set))]"""
#: What went wrong, in the words of cards; to refuse in words what a run cannot show is no failure.
BROKEN = re.compile("the log says more|did not answer")
TYPED = "ภาษาไทย \u202b<b>ab</b>"


@pytest.fixture(scope="module")
def address(full_runs):
    with served(create_app(full_runs)) as place:
        yield place


def move(page, key):
    """Set a control to another value than it has; False where there is but one."""
    found = page.locator(f"[data-set='{key}']")
    first = found.first
    if not first.is_visible():  # of a view that has nothing to show yet
        return False
    kind = first.evaluate("(each) => each.getAttribute('role') || each.tagName")
    if kind == "SELECT":
        now = first.input_value()
        values = first.evaluate("(each) => Array.from(each.options, (option) => option.value)")
        others = [value for value in values if value not in {now, ""}]
        if others:
            first.select_option(others[0])
        return bool(others)
    if kind == "slider":
        before = first.get_attribute("aria-valuenow")
        top = before == first.get_attribute("aria-valuemax")
        first.focus()
        page.keyboard.press("ArrowLeft" if top else "ArrowRight")
        return True
    if kind == "TEXTAREA":
        first.fill(TYPED)
        first.press("Enter")
        return True
    off = "[aria-pressed='false'], [aria-selected='false']"
    other = found.and_(page.locator(off))
    if other.count():
        other.first.click()
    return bool(other.count())


def asked(address):
    """What an address asks for, in whichever order."""
    return sorted(parse_qsl(urlsplit(address).query))


def broken(page):
    """Cards that failed."""
    return page.locator("#page .state.failed").filter(has_text=BROKEN).all_inner_texts()


@pytest.mark.parametrize("path", [path for path in pages() if path != "/trial"])
def test_every_control_can_be_moved(page, address, path):
    """The address follows each, no card fails, and the address alone brings it all back."""
    page.goto(f"{address}{path}?run=one&vs=two")
    wait_for_cards(page)
    keys = page.evaluate(KEYS)
    moved = []
    for key in keys:
        before = page.url
        if not move(page, key):
            continue
        page.wait_for_url(lambda now, before=before: now != before)
        wait_for_cards(page)
        assert broken(page) == [], key
        moved.append(key)
    page.locator("[data-language='de']").click()
    page.wait_for_url("**langs=**")
    page.locator("[data-layer='0']").click()
    page.wait_for_url("**layer=0**")
    wait_for_cards(page)
    assert broken(page) == []
    whole = page.url
    words = page.locator("[data-card] .reading, [data-card] .method")
    told = words.all_inner_texts()
    page.goto(whole)
    wait_for_cards(page)
    assert asked(page.url) == asked(whole)
    assert words.all_inner_texts() == told
    assert moved or not keys
