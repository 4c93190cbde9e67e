"""Shares, falls and contrasts in closed form, on arms whose answers are written by hand."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from probekit.errors import InputError, RuleError
from probekit.experiment import Outcome, open_outcome
from probekit.experiment.table import cells, heading, notes
from probekit.selection.grade import read_support

FACTS = [f"f{n:02d}" for n in range(10)]
KNOWN = dict.fromkeys(("en", "de", "sw"), FACTS)


def arm(place="selection", seed=0, *, forget, retain=None, known=None, source=("en",)):
    """An arm after which ``forget[code]`` of the first facts are still answered."""
    before = {"forget": known or KNOWN, "retain": KNOWN}
    kept = {"forget": forget, "retain": retain or dict.fromkeys(KNOWN, 10)}
    after = {
        part: {code: before[part][code][: kept[part][code]] for code in before[part]}
        for part in before
    }
    return {
        "arm": {
            "name": f"rmu.{'+'.join(source)}.{place}.{seed}",
            "algorithm": "rmu",
            "source": list(source),
            "place": place,
            "seed": seed,
        },
        "blocks": [2, 3],
        "steps": 5,
        "stopped": "max_steps",
        "answered": {"before": before, "after": after},
        "verifications": [],
    }


def outcome(*arms):
    record = {
        "plan": {"seeds": [0, 1], "model": "tiny"},
        "teaching": {"steps": 3, "after": {"en": {"accuracy": 1.0}}},
        "selection": {
            "region": [2, 3],
            "status": "stable",
            "update_layers": [2],
            "names_sha256": "ab",
        },
        "notes": ["a note"],
        "arms": list(arms),
    }
    return Outcome(record, Path("no-folder"))


def test_a_share_is_of_known_facts_still_answered_over_languages_and_seeds():
    (row,) = outcome(
        arm(forget={"en": 2, "de": 4, "sw": 8}),
        arm(seed=1, forget={"en": 0, "de": 4, "sw": 8}),
    ).rows()
    assert row["forget_source"]["share"] == pytest.approx(0.1)
    assert row["forget_source"]["seeds"] == pytest.approx([0.2, 0.0])
    assert row["forget_held_out"]["share"] == pytest.approx(0.6)
    assert row["forget_held_out"]["n"] == 10
    assert row["retain_source"]["share"] == 1
    assert row["carried"]["ratio"] == pytest.approx(0.4 / 0.9)


def test_every_share_lies_in_its_interval_and_certainty_has_a_width():
    (row,) = outcome(arm(forget={"en": 0, "de": 5, "sw": 5})).rows()
    for name in ("forget_source", "forget_held_out", "retain_held_out"):
        cell = row[name]
        assert 0 <= cell["low"] <= cell["share"] <= cell["high"] <= 1
        assert cell["low"] < cell["high"]
    assert row["forget_source"]["high"] == pytest.approx(1 - 0.025 ** (1 / 10))


def test_only_facts_that_were_known_count():
    known = {"en": FACTS, "de": FACTS[:4], "sw": []}
    (row,) = outcome(arm(known=known, forget={"en": 10, "de": 1, "sw": 0})).rows()
    assert row["forget_held_out"]["n"] == 4
    assert row["forget_held_out"]["share"] == pytest.approx(0.25)
    none = {"en": FACTS, "de": [], "sw": []}
    (row,) = outcome(arm(known=none, forget={"en": 0, "de": 0, "sw": 0})).rows()
    assert row["forget_held_out"] is None
    assert row["carried"] is None


def test_nothing_forgotten_carries_nothing_over():
    (row,) = outcome(arm(forget={"en": 10, "de": 0, "sw": 0})).rows()
    assert row["carried"] is None
    assert "–" in cells(row)


def test_an_erasure_that_does_the_same_everywhere_carries_all_over():
    (row,) = outcome(arm(forget={"en": 3, "de": 3, "sw": 3})).rows()
    assert row["carried"] == pytest.approx({"ratio": 1.0, "low": 1.0, "high": 1.0})


def test_a_contrast_is_paired_by_fact():
    """Both places answer half, the same half: no difference, and no doubt about it."""
    same = {"en": 0, "de": 5, "sw": 5}
    (row,) = outcome(arm(forget=same), arm("deep", forget=same)).contrasts()
    assert row["against"] == "deep"
    assert row["forget_held_out"] == {"n": 10, "difference": 0.0, "low": 0.0, "high": 0.0}
    (row,) = outcome(arm(forget={"en": 0, "de": 2, "sw": 2}), arm("deep", forget=same)).contrasts()
    assert row["forget_held_out"]["difference"] == pytest.approx(-0.3)
    assert row["forget_held_out"]["low"] < -0.3 < row["forget_held_out"]["high"] <= 0


def test_evidence_confirms_a_selection_that_beats_every_place_and_no_other(tmp_path):
    """Retained 1, forgotten .9 of held-out facts at the selection; .5 elsewhere."""
    good = arm(forget={"en": 0, "de": 1, "sw": 1})
    poor = arm("deep", forget={"en": 0, "de": 5, "sw": 5})
    found = outcome(good, poor).evidence()
    assert list(found) == ["rmu.en"]
    content = found["rmu.en"]
    assert content["effect"] == pytest.approx(0.9)
    assert content["controls"] == [{"kind": "deep", "effect": pytest.approx(0.5)}]
    file = tmp_path / "evidence.json"
    asked = {"grade": "confirmed_by_sweep", "current": "descriptive", "names_sha256": "ab"}
    file.write_text(json.dumps(content))
    assert read_support(file, **asked).effect == pytest.approx(0.9)
    swapped = outcome(
        arm(forget={"en": 0, "de": 5, "sw": 5}), arm("deep", forget={"en": 0, "de": 1, "sw": 1})
    ).evidence()["rmu.en"]
    file.write_text(json.dumps(swapped))
    with pytest.raises(RuleError, match="control 'deep'"):
        read_support(file, **asked)


def test_verdicts_are_counted_by_side():
    told = arm(forget={"en": 0, "de": 5, "sw": 5})
    words = {"en": "erased", "de": "leaks", "sw": "leaks"}
    told["verifications"] = [{"verdicts": {c: {"word": w} for c, w in words.items()}}]
    (row,) = outcome(told).rows()
    assert row["words"] == {"source": {"erased": 1}, "held_out": {"leaks": 2}}


def test_the_order_of_arms_does_not_matter_within_a_row():
    arms = [arm(seed=n, forget={"en": n, "de": 3 + n, "sw": 9}) for n in range(3)]
    rows = [outcome(*order).rows()[0] for order in (arms, arms[::-1])]
    for one, other in pairwise(rows):
        assert one["forget_held_out"]["share"] == pytest.approx(other["forget_held_out"]["share"])
        assert one["carried"]["low"] == pytest.approx(other["carried"]["low"])


def test_words_for_the_terminal():
    found = outcome(
        arm(forget={"en": 0, "de": 5, "sw": 5}), arm("deep", forget=dict.fromkeys(KNOWN, 9))
    )
    assert "region 2-3 (stable)" in heading(found)
    assert "a note" in notes(found)
    assert len(list(found.table())) >= 4


def test_a_folder_without_a_result_is_refused(tmp_path):
    with pytest.raises(InputError, match="must hold a finished"):
        open_outcome(tmp_path)
    (tmp_path / "experiment.json").write_text('{"schema_version": "other/1"}')
    with pytest.raises(InputError, match="Got 'other/1'"):
        open_outcome(tmp_path)
