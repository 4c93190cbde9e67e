"""What axe finds on a page whose cards have all come; AG Grid's own elements are left aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: No card of the app is behind the state; every card shows its figure, its panel, its rows (or that
#: there are none), or why it cannot; figures in the theme's own colours, so that none is waited for
#: that still has the other's.
CARDS_READY = """() => (window.WORKBENCH_SITE || window.workbench.behind(false).length === 0)
    && Array.from(document.querySelectorAll("[data-card]")).every((card) => {
  const slot = card.querySelector(".slot");
  const said = card.querySelector(".message");
  if (said && said.textContent.trim()) return true;
  const plot = card.querySelector(".plot");
  if (plot) {
    const dark = document.documentElement.dataset.theme === "dark";
    const sheet = plot.querySelector(".main-svg");
    const ground = dark ? "rgb(22, 27, 34)" : "rgb(255, 255, 255)";
    return slot.dataset.ready === "1" && sheet !== null && sheet.style.background.includes(ground);
  }
  const panel = card.querySelector(".panel");
  if (panel) return panel.childNodes.length > 0;
  return card.querySelector(".ag-row, .ag-overlay-no-rows-center") !== null;
})"""
#: Whether an element lies inside a grid, by the selectors with which axe names it.
IN_GRID = """(target) => {
  const found = document.querySelector(target);
  return found !== null && found.closest(".ag-root-wrapper") !== null;
}"""


def wait_for_cards(page: Page) -> None:
    """Wait until every card of the page has come in the theme that it is to be in."""
    page.wait_for_selector("#page h1, #page .state")
    page.wait_for_function(CARDS_READY)


def serious(page: Page) -> list[tuple[str, str]]:
    """Rule and element of everything serious that axe finds and that is ours to mend."""
    from axe_playwright_python.sync_playwright import Axe

    # preloading would fetch style sheets anew, which a page opened from disk may not; what passes
    # is not listed node by node
    how = {"preload": False, "resultTypes": ["violations"]}
    found = Axe().run(page, options=how).response["violations"]
    return [
        (each["id"], node["html"][:200])
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
        if not in_grid(page, node)
    ]


def in_grid(page: Page, node: dict[str, Any]) -> bool:
    """Whether the node itself lies in a grid, whatever its text or classes say."""
    target = node["target"][-1]
    return isinstance(target, str) and bool(page.evaluate(IN_GRID, target))
