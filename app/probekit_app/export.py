"""``export_site``: a run as a folder that opens from disk, with no server and no network.

One HTML file a page, the workbench's own stylesheet and script, plotly's, and one small file for
each state of each card: every layer, and every value of the choices that the card follows. A state
that is not written (a unit, a set of languages) has no control there, and no click or sentence
that promises one; a card that would have too many states says which choice it leaves out. The page
Compare is written for the one run that is named to compare with.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html import escape
from itertools import product
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote, urlencode

from probekit.errors import InputError, RunError, StorageError
from probekit_app import shell
from probekit_app.application import assets_folder, theme_switch
from probekit_app.card_routes import as_text, content_of
from probekit_app.cards import GridCard
from probekit_app.controls import Choice, settled
from probekit_app.data_routes import as_table
from probekit_app.looks import THEMES
from probekit_app.missing import missing
from probekit_app.page import all_controls, pages
from probekit_app.runs_folder import RunsFolder
from probekit_app.selection_bar import layer_strip, metric_menu
from probekit_app.static_html import to_html
from probekit_app.workbench import Workbench

if TYPE_CHECKING:
    import os

    from dash.development.base_component import Component

    from probekit_app.cards import Card
    from probekit_app.looks import Theme
    from probekit_app.page import Page
    from probekit_app.view import View

#: More states of one card than this are not written; then it varies by layer alone.
MOST_STATES = 400
_UNSAFE = re.compile(r"[^\w.-]+", flags=re.ASCII)

_DOCUMENT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · probekit</title>
<link rel="stylesheet" href="assets/workbench.css">
<script>window.WORKBENCH_SITE = {{"page": {page}}};</script>
<script src="assets/workbench.js"></script>
<script defer src="assets/lens.js"></script>
<script defer src="assets/plotly-cartesian.min.js"></script>
</head>
<body>
<div id="workbench">
<a class="skip" href="#page">Skip to content</a>
{top}
<div class="bar" id="bar" role="region" aria-label="Selection">{bar}</div>
<main id="page" tabindex="-1">{content}</main>
</div>
</body>
</html>
"""


def export_site(
    run: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    compare: str | os.PathLike[str] | None = None,
) -> Path:
    """Write the views of a run; returns the page to open.

    Parameters
    ----------
    run
        A finished run.
    folder
        New, empty, or an earlier export of ours.
    compare
        A second finished run: then the page Compare is written too, this run against that one.

    Raises
    ------
    RunError
        One of them is no finished run.
    InputError
        The folder holds something else, or the runs share nothing that can be compared.
    StorageError
        It cannot be written.
    """
    runs = _one(Path(run))
    second = None if compare is None else _one(Path(compare))
    other = None if second is None else second.open(second.root.name)
    bench = Workbench(runs, site=True, other=other)
    view, _ = bench.look(f"run={quote(runs.root.name)}")
    if view.other is not None:
        view.run.diff(view.other)  # refuse before anything is written
    target = _cleared(Path(folder))
    shown = [page for page in pages().values() if _is_written(page, view)]
    try:
        _copy_assets(target / "assets")
        (target / "data").mkdir()
        for page in shown:
            _write_page(bench, replace(view, page=page), shown, target)
        first = target / f"{shown[0].slug}.html"
        return Path(shutil.copyfile(first, target / "index.html"))
    except OSError as error:
        msg = f"site {str(target)!r} cannot be written: {error.strerror}. Choose another --export."
        raise StorageError(msg) from error


def _one(run: Path) -> RunsFolder:
    """The folder of one run."""
    runs = RunsFolder(run)
    if not runs.is_a_run:
        msg = (
            f"a static site shows one run, and {str(run)!r} is a folder of runs. Name one of them."
        )
        raise RunError(msg)
    return runs


def _is_written(page: Page, view: View) -> bool:
    """Whether a page has something to show of the run."""
    offers = page.offers is None or page.offers(view)
    return page.exported and not missing(view, page.needs) and offers


def _cleared(target: Path) -> Path:
    """The folder, empty; only what an export wrote is ever removed."""
    ours = (target / "assets" / "workbench.js").is_file()
    if target.exists() and not ours and (not target.is_dir() or any(target.iterdir())):
        msg = f"export folder {str(target)!r} must be new or empty. Choose another --export."
        raise InputError(msg)
    if ours:
        for page in target.glob("*.html"):
            page.unlink()
        for name in ("assets", "data"):
            shutil.rmtree(target / name, ignore_errors=True)
    target.mkdir(parents=True, exist_ok=True)
    return target


def _copy_assets(target: Path) -> None:
    target.mkdir()
    for name in ("workbench.css", "workbench.js", "lens.js", "plotly-cartesian.min.js"):
        shutil.copyfile(assets_folder() / name, target / name)


def _write_page(bench: Workbench, view: View, shown: list[Page], target: Path) -> None:
    page = view.page
    assert page is not None
    view = replace(view, offered=_offered(page, view))
    content = _Content(bench, view, target / "data").of_page(page)
    metric = metric_menu(view) if view.offers("metric") else []
    document = _DOCUMENT.format(
        title=escape(page.title),
        page=json.dumps(page.slug),
        top=to_html(_top(page, shown)),
        bar=to_html([_about(view, metric), layer_strip(view)]),
        content=content,
    )
    (target / f"{page.slug}.html").write_text(document, encoding="utf-8")


def _top(page: Page, shown: list[Page]) -> Component:
    from dash import html

    tabs = []
    for each in shown:
        said = {"aria-current": "page"} if each is page else {}
        name = f"{each.slug}.html"
        tabs.append(
            html.A(each.title, href=name, className="page-tab", **{"data-page": name, **said})
        )
    navigation = html.Nav(tabs, **{"aria-label": "Pages"})
    brand = html.Span("probekit", className="brand")
    return html.Header([brand, navigation, theme_switch()], className="top")


def _about(view: View, more: list[Component]) -> Component:
    """What was read: a static site has no choice of run; then what can be chosen."""
    from dash import html

    manifest = view.run.manifest
    corpus = manifest.corpus
    text = (
        f"{manifest.model['id']} · {corpus['n_units']} units × {len(view.run.languages)} languages"
    )
    dots = [shell_language(code, view) for code in view.run.languages]
    against = [] if view.other is None else [html.Span(f"compared with {view.other.folder.name}")]
    said = [html.Strong(view.run.folder.name), html.Span(text), *against, *dots, *more]
    return html.Div(said, className="row")


def shell_language(code: str, view: View) -> Component:
    """A language with its colour; nothing to press."""
    from probekit_app.text import language_label

    return language_label(code, code, colour=view.styles[code].colour)


class _Content:
    """The body of a page, and its cards' files as they come."""

    def __init__(self, bench: Workbench, view: View, data: Path) -> None:
        self.bench, self.view, self.data = bench, view, data

    def of_page(self, page: Page) -> str:
        """HTML of a page, without what its cards show: that is in their files."""
        from probekit_app.frame import page_content

        view = self.view
        kept = tuple(_static(card, view) for card in page.cards)
        known = (settled(each, view.opened, runs=view.runs) for each in page.controls)
        controls = tuple(
            each for each in known if isinstance(each, Choice) and view.offers(each.key)
        )
        static = replace(page, cards=kept, controls=controls)
        text = to_html(page_content(static, replace(view, page=static)))
        for card in kept:
            mark = f'data-card="{escape(f"{page.slug}/{card.name}")}"'
            varies = escape(json.dumps(self._write_states(page, card)))
            text = text.replace(mark, f'{mark} data-varies="{varies}"')
        return text

    def _write_states(self, page: Page, card: Card) -> list[str]:
        """A file for each state of a card; returns the parts of the state that it varies by."""
        ranges, _ = _ranges(card, self.view)
        for values in product(*ranges.values()):
            for theme in THEMES:  # one after the other: the figure is kept
                self._write_state(page, card, dict(zip(ranges, values, strict=True)), theme)
        return list(ranges)

    def _write_state(self, page: Page, card: Card, chosen: dict[str, str], theme: Theme) -> None:
        query = urlencode(chosen)
        view, _ = self.bench.look(query)
        drawn = self.bench.draw(page, card, view, theme=theme)
        name = file_name(f"{page.slug}-{card.name}", [*chosen.values(), theme])
        content = content_of(drawn, card.kind)
        if drawn.problem is None:
            content["table"] = as_table(self.bench.rows(page, card, view))
        text = as_text(content).replace("</", "<\\/")
        script = f"workbench.receive({json.dumps(name)}, {text});\n"
        with _new(self.data / f"{name}.js", query) as file:
            file.write(script)


def _new(path: Path, query: str) -> IO[str]:
    """A file that no other state has: names of files in a state may differ in signs alone."""
    try:
        return path.open("x", encoding="utf-8")
    except FileExistsError as error:
        msg = f"{query!r} has the file name of another state: rename one of the two documents."
        raise InputError(msg) from error


def file_name(card: str, parts: list[str]) -> str:
    """The file of a card's state; the script makes the same name from the address."""
    return _UNSAFE.sub("-", "_".join([card, *parts]))


def _static(card: Card, view: View) -> Card:
    """A card as a site has it; it says what it would follow if that were not too many states."""
    card = shell.plain(card) if isinstance(card, GridCard) else card
    ranges, dropped = _ranges(card, view)
    if not dropped:
        return card
    labels = {key: each.label for key, each in all_controls().items()} | {"metric": "Metric"}
    names = ", ".join(labels.get(key, key) for key in dropped)
    by = "by layer alone" if ranges else "once"
    note = f"Here it is written {by}: with {names} it has too many states for a site."
    return replace(card, reading=f"{card.reading} {note}")


def _offered(page: Page, view: View) -> frozenset[str]:
    """Parts of the state that some card of a page follows: the layer has its line in any case."""
    found = {"layer"}
    for card in page.cards:
        found |= {key for key, values in _ranges(card, view)[0].items() if len(values) > 1}
    return frozenset(found)


def _ranges(card: Card, view: View) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Parts of the state that a card varies by with what is written of each; those dropped."""
    found: dict[str, tuple[str, ...]] = {}
    followed = (() if isinstance(card, GridCard) else card.written) or card.follows
    if "layer" in followed:
        found["layer"] = tuple(str(layer) for layer in view.layers)
    if "metric" in followed and view.opened is not None:
        found["metric"] = tuple(view.opened.metrics)
    if "centred" in followed:
        found["centred"] = ("0", "1")
    for key, each in all_controls().items():
        control = settled(each, view.opened, runs=view.runs)
        if key in followed and isinstance(control, Choice) and control.written:
            found[key] = tuple(control.values)
    if prod(map(len, found.values())) <= MOST_STATES:
        return found, ()
    kept = {key: values for key, values in found.items() if key == "layer"}
    return kept, tuple(key for key in found if key != "layer")
