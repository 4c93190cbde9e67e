"""What is kept of a control: the numbers of a verification of its own, and no table behind them."""

from __future__ import annotations

import json

import pytest

from probekit.erasure import Report, erase, verify
from probekit.erasure.target import Target
from probekit.erasure.verify.beside import least_like
from tests.erasure.verifying import colours, taught_on
from tests.tiny import tiny_subject

NAME = "model.layers.{}.mlp.down_proj.weight"


@pytest.fixture(scope="module")
def found():
    """A base, a verification with two controls, and one of the first control alone."""
    facts = colours()
    base = taught_on(tiny_subject("llama", num_hidden_layers=3), facts)
    how = {"source": ["en"], "algorithm": "simnpo", "max_steps": 3}
    own, deep = (erase(base, facts, selection=Target((NAME.format(n),)), **how) for n in (1, 2))
    checks = ["lens", "damage", "choices"]
    controls = {"deep": deep, "unsaid": deep.subject}
    return verify(base, own, facts, checks=checks, controls=controls), verify(
        base, deep, facts, checks=checks
    )


def test_every_check_of_a_control_is_what_a_verification_of_it_says(found):
    report, alone = found
    deep, record = report.record["controls"]["deep"], alone.record
    for part, cells in record["behaviour"].items():
        assert deep["after"][part] == {c: cell["after_exact"] for c, cell in cells.items()}
    assert deep["judged"] == record["verdicts"]
    assert deep["contract"] == record["contract"]
    for code, cell in record["fluency"].items():
        assert deep["fluency"][code] == {k: v for k, v in cell.items() if k not in PAIR}
        lowest = min(record["damage"][code], key=lambda row: row["cka"])
        assert deep["damage"][code] == {**lowest, "collapsed": 0}
        after = record["attacks"]["lens"]["recall"][code]["after"]
        assert deep["lens"]["recall"][code]["success"] == [each["success"] for each in after]
    assert deep["lens"]["blocks"] == record["attacks"]["lens"]["blocks"]


PAIR = ("before", "after")


def test_a_contract_is_checked_only_where_it_is_said_what_was_to_move(found):
    deep, unsaid = (found[0].record["controls"][name]["contract"] for name in ("deep", "unsaid"))
    assert deep["checked"]
    assert deep["ok"]
    assert not unsaid["checked"]
    assert deep["moved"] == unsaid["moved"] == [NAME.format(2)]


def test_a_control_is_smaller_than_its_report(found):
    report, alone = found
    assert len(json.dumps(report.record["controls"]["deep"])) < len(json.dumps(alone.record)) / 2


def test_the_least_like_block_leaves_collapsed_ones_out():
    rows = [{"block": 0, "cka": 0.9}, {"block": 1, "collapsed": True}, {"block": 2, "cka": 0.3}]
    assert least_like(rows) == {"block": 2, "cka": 0.3, "collapsed": 1}
    assert least_like(rows[1:2]) == {"collapsed": 1}


def test_the_table_has_the_best_attack_beside_the_word(found):
    report, _ = found
    best = report.record["controls"]["deep"]["judged"]["en"]["best_attack"]
    table = next(p for p in report.table() if getattr(p, "columns", None)
                 and p.columns[0].header == "control")  # fmt: skip
    cell = str(next(iter(table.columns[2].cells)))
    assert f"{best['name']} {best['success']:.2f} [" in cell
    assert f"chance {best['chance']:.2f}" in cell


def test_a_broken_contract_of_a_control_is_a_line_below_the_table(found):
    record = json.loads(json.dumps(found[0].record))
    record["controls"]["deep"]["contract"] |= {"ok": False, "extra": ["x"]}
    said = [str(part) for part in Report.from_json(record).table()]
    assert any("control deep: contract BROKEN" in line and "first: x" in line for line in said)
