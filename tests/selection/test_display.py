"""A selection as HTML: its strip of blocks, its facts, and its escaped sentences."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from probekit.selection import select

HOSTILE = "<script>alert(1)</script>"


def strip_of(page: str) -> list[str]:
    """Style of every block of the strip, in order."""
    return re.findall(r'<div title="block \d+: [^"]+" style="([^"]+)">', page)


def test_strip_fills_the_region_and_frames_the_target(planted) -> None:
    found = select(planted())
    blocks = strip_of(found._repr_html_())
    assert len(blocks) == 12
    filled = [at for at, style in enumerate(blocks) if "color:#fff" in style]
    framed = [at for at, style in enumerate(blocks) if "outline:" in style]
    assert filled == list(found.region) == [5, 6, 7, 8, 9]
    assert framed == [found.read_layer]


def test_bars_are_the_share_of_resamples_that_clear(planted) -> None:
    found = select(planted())
    widths = re.findall(r"width:(\d+)%", found._repr_html_())
    assert [int(width) for width in widths] == [round(100 * p) for p in found.probabilities]


def test_refusal_has_no_filled_block_and_says_why(planted) -> None:
    found = select(planted(align_p=np.full(12, 0.5)))
    page = found._repr_html_()
    assert "no region (no_signal)" in page
    assert "<li>the permutation null is not beaten" in page
    assert not [style for style in strip_of(page) if "#fff" in style or "outline" in style]
    assert "none (prefer peak)" in page


def test_facts_name_rule_stability_controls_agreement_and_tensors(planted, card_of) -> None:
    found = select(planted(), card=card_of())
    page = found._repr_html_()
    facts = dict(re.findall(r"<tr><th[^>]*>(\w+)</th><td[^>]*>(.*?)</td></tr>", page))
    assert facts["rule"].startswith("plateau: longest run of P[align &gt;= mean(align)")
    overlap = found.stability.region_jaccard_mean
    assert facts["stability"].startswith(f"stable: mean overlap {overlap:.2f} over 120 resamples")
    assert "all layers 0–11" in facts["controls"]
    assert "cka_mean with -lrds τ" in facts["agreement"]
    assert facts["tensors"].startswith("3 of mlp_out, ")


def test_the_folded_table_has_a_row_per_block(planted) -> None:
    page = select(planted())._repr_html_().partition("<details>")[2]
    assert page.count("<tr>") == 13
    assert page.count("<td>yes</td>") == 5


def test_nothing_that_was_read_becomes_markup(planted) -> None:
    found = select(planted(languages=("de", HOSTILE, "sw", "hi")))
    rule = {**found.rule, "name": HOSTILE, "expression": HOSTILE, "prefer": HOSTILE}
    hostile = replace(
        found, rule=rule, reasons=(HOSTILE,), warnings=(HOSTILE,), roles=(HOSTILE,), grade=HOSTILE
    )
    page = hostile._repr_html_()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 6


def test_page_asks_for_nothing_from_outside(planted) -> None:
    assert not re.search(r"src=|href=|url\(|@import", select(planted())._repr_html_())
