"""The numbers behind a card of every page are those of the run file, at full precision."""

from __future__ import annotations

import numpy as np
import pytest

from probekit_app.page import pages
from probekit_app.runs_folder import RunsFolder
from probekit_app.workbench import Workbench, find_card

LAYER = 2


@pytest.fixture(scope="module")
def full_bench(full_runs):
    return Workbench(RunsFolder(full_runs))


def pairs(run, at):
    """CKA of two different languages."""
    table = run.cka["debiased"].sel(layer=at).to_numpy()
    return table[~np.eye(len(table), dtype=bool)]


def of(group, variable, **places):
    return lambda run, at: (
        run.group(group)[variable]
        .sel({name: at if place is None else place for name, place in places.items()})
        .to_numpy()
    )


def first_task(run, at):
    return run.group("probes")["accuracy_mean"].isel(task=0).to_numpy()


def pair_ends(run, at):
    """Both ends of the interval of two different languages."""
    low, high = (run.cka[f"pair_{end}"].sel(layer=at).to_numpy() for end in ("low", "high"))
    off = ~np.eye(len(low), dtype=bool)
    return np.concatenate([low[off], high[off]])


def both_ends(group, variable):
    return lambda run, at: np.concatenate(
        [run.group(group)[f"{variable}_{end}"].to_numpy().ravel() for end in ("low", "high")]
    )


#: Card → what it must hold; ``at`` is the layer that the address says.
CARDS = {
    "overview/story": of("cka", "mean_low"),
    "overview/numbers": of("regions", "sads_centred", layer=None),
    "meet/table": pairs,
    "meet/pairs": of("cka", "mean"),
    "lens/heatmap": of("lens", "agreement"),
    "lens/curves": of("lens", "entropy"),
    "neurons/overlap": of("neurons", "jaccard_mean"),
    "neurons/types": of("neurons", "shared"),
    "probes/accuracy": first_task,
    "space/map": of("projection", "raw", layer=None),
    "space/apart": of("geometry", "fisher"),
    "selection/ranked": lambda run, at: np.array([each.score for each in run.select().ranked]),
    "compare/differences": lambda run, at: np.array([row["a"] for row in run.diff(run).rows()]),
}
#: The ends of intervals, which the cells of a heatmap hold beside their values.
ENDS = {
    "meet/table": pair_ends,
    "meet/layers": both_ends("cka_layers", "across"),
    "lens/heatmap": both_ends("lens", "agreement"),
    "probes/languages": both_ends("language_id", "recall"),
}
BY_LAYER = [card for card in CARDS if card in {"overview/numbers", "meet/table", "space/map"}]


def numbers(bench, card, layer):
    view, parsed = bench.look(f"?run=one&vs=two&layer={layer}")
    assert parsed.notices == ()
    rows = bench.rows(*find_card(card), view)
    return {float(each) for row in rows for each in row.values() if isinstance(each, int | float)}


@pytest.mark.parametrize("card", CARDS)
def test_a_card_holds_the_run_s_own_numbers(full_bench, full_run, card):
    expected = {float(value) for value in CARDS[card](full_run, LAYER).ravel()}
    assert len(expected) > 1 or card == "overview/numbers"
    assert expected <= numbers(full_bench, card, LAYER)


@pytest.mark.parametrize("card", ENDS)
def test_a_heatmap_s_cells_hold_their_intervals(full_bench, full_run, card):
    expected = {float(end) for end in ENDS[card](full_run, LAYER) if np.isfinite(end)}
    assert len(expected) > 2
    assert expected <= numbers(full_bench, card, LAYER)


@pytest.mark.parametrize("card", BY_LAYER)
def test_another_layer_has_other_numbers(full_bench, full_run, card):
    """The control: what is compared above is not on the card at every layer."""
    expected = {float(value) for value in CARDS[card](full_run, LAYER).ravel()}
    assert not expected <= numbers(full_bench, card, LAYER - 1)


def test_no_page_is_forgotten():
    """Runs and Erasure have no table of a run; their numbers are tried with their own pages."""
    tried = {card.split("/")[0] for card in CARDS}
    assert {page.slug for page in pages().values()} - tried <= {"runs", "erasure", "study", "trial"}
