"""A run of twenty languages in fourteen scripts, none of them prepared: every page, every card."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace

import pytest

from probekit import Study
from probekit.corpora import cldr_terms
from probekit_app import create_app
from tests.app.axe import wait_for_cards
from tests.app.many import ask, requests_of
from tests.app.test_browser import served

LANGUAGES = tuple("en de fr es ru uk zh ja ko th ta te bn hi el ar he ka tr vi".split())  # noqa: SIM905
N_UNITS = 10


@pytest.fixture(scope="module")
def run(model_folder, tmp_path_factory):
    """Names of countries, by bytes: most tokens are a third of a character."""
    folder = tmp_path_factory.mktemp("twenty")
    corpus = cldr_terms(LANGUAGES, kinds=["territory"])
    few = corpus.select(units=corpus.units[:N_UNITS])
    few = replace(few, labels={"half": ("first", "second") * (N_UNITS // 2)})
    file = few.to_jsonl(folder / "names.jsonl")
    study = Study(model=str(model_folder), corpus=str(file), bootstrap=20, permutations=20)
    return study.run(folder / "runs" / "twenty")


@pytest.fixture(scope="module")
def app(run):
    return create_app(run.folder.parent)


@pytest.fixture(scope="module")
def address(app):
    with served(app) as place:
        yield place


def test_every_card_answers(address):
    asked = requests_of(("twenty",), layers=(2,))
    told = ask(address, asked, clients=1, each=len(asked))
    assert told.statuses == {200}


@pytest.mark.parametrize("path", ["/meet", "/lens", "/neurons"])
def test_every_language_is_shown_whole(page, address, run, path):
    """All twenty are in the bar and on an axis; no card fails; no character is broken."""
    page.goto(f"{address}{path}?run=twenty")
    wait_for_cards(page)
    chips = page.locator("[data-language]:not([data-language='*'])")
    assert chips.all_inner_texts() == list(run.languages)
    assert page.locator("#page .state.failed").count() == 0
    axes = page.locator(".ytick").all_text_contents()
    assert set(run.languages) <= set(axes)
    assert "\ufffd" not in page.locator("body").inner_text()


def test_every_pair_of_languages_is_in_the_data(address, run):
    with urllib.request.urlopen(f"{address}/data/meet/table.json?run=twenty&layer=1") as answer:
        told = json.load(answer)
    at = {name: place for place, name in enumerate(told["columns"])}
    rows = [row for row in told["rows"] if row[at["x"]] != row[at["y"]]]
    assert all(row[at["low"]] <= row[at["value"]] <= row[at["high"]] for row in rows)
    found = {frozenset((row[at["x"]], row[at["y"]])) for row in rows}
    assert len(found) == len(LANGUAGES) * (len(LANGUAGES) - 1) // 2
    assert set().union(*found) == set(run.languages)
