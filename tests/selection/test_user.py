"""The language of `user`: what it computes, what it refuses and where, and the rule it makes."""

from dataclasses import replace

import numpy as np
import pytest

from probekit.errors import RuleError
from probekit.selection import select
from probekit.selection.evaluate import margin, number, truth
from probekit.selection.expression import check_columns, columns_of, parse
from probekit.selection.tables import Frame
from probekit.selection.user import make_user

VALUES = np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [4.0, 0.0]])
FRAME = Frame({"a.x": VALUES, "a.y": 10 - VALUES}, VALUES.shape)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("a.x > 2", VALUES > 2),
        ("a.x >= mean(a.x)", VALUES >= 2),
        ("a.x<quantile(a.x, .25)", VALUES < 1),
        ("1 < a.x <= 3", (VALUES > 1) & (VALUES <= 3)),
        ("not (a.x > 1 or a.y < 7)", ~((VALUES > 1) | (VALUES > 3))),
        ("abs(a.x - median(a.x)) <= 1", np.abs(VALUES - 2) <= 1),
        ("a.x == max(a.x) or a.x == min(a.x)", (VALUES == 4) | (VALUES == 0)),
        ("-a.x + a.y * 2 / 4 != -1e0", (-VALUES + (10 - VALUES) / 2) != -1),
        ("layer >= 1 and depth() < .7", np.repeat([[0], [1], [1], [0], [0]], 2, axis=1) == 1),
        ("a.x / 0 > 1 or a.x\n >\t3", VALUES > 3),
    ],
)
def test_expressions_mean_what_numpy_means(where, expected):
    node = parse(where)
    np.testing.assert_array_equal(truth(node, FRAME), expected)


@pytest.mark.parametrize(
    "where", ["a.x > 2", "a.x > 1 and a.y >= 7", "not a.x > 2", "a.x <= 1 or a.x > 3", "a.x != 2"]
)
def test_a_margin_is_negative_only_outside(where):
    node = parse(where)
    inside, found = truth(node, FRAME), margin(node, FRAME)
    assert (found[inside] >= 0).all()
    assert (found[~inside] <= 0).all()


def test_arithmetic_binds_as_in_school():
    assert number(parse("1 + 2 * 3 - 4 / 2 > 0").left, FRAME)[0, 0] == 5


HOSTILE = [
    ("__import__('os').system('x') > 1", 'the character "\'" at character 12'),
    ("a.__class__ > 1", "the name '__class__' at character 1"),
    ("__a__.x > 1", "the name '__a__'"),
    ("a.x.__class__ > 1", "an attribute of something that is not a group"),
    ("a.x() > 1", "a call of something else"),
    ("open(a.x) > 1", "a call of something else"),
    ("mean(a.x)(1) > 1", "a call of something else"),
    ("(lambda: 1)() > 1", "the character ':'"),
    ("mean(a.x for a in b) > 1", "a comprehension at character 5"),
    ("a.x if a.x else a.y", "if … else"),
    ("(b := 1) > 0", "the character ':' at character 4"),
    ("a.x ** 99999999 > 1", "an operator that is not"),
    ("9 ** 9 ** 9 > 1", "an operator that is not"),
    ("a.x // 2 > 1", "an operator that is not"),
    ("f'{a}' > 1", 'the character "\'"'),
    ("a.x[0] > 1", r"the character '\['"),
    ("mean(*a.x) > 1", "starred arguments"),
    ("quantile(a.x, q=.5) > 1", "named or starred"),
    ("quantile(a.x, 2) > 1", "no number from 0 to 1 at character 15"),
    ("quantile(a.x, a.y) > 1", "no number from 0 to 1"),
    ("quantile(a.x) > 1", "1 arguments of 'quantile'"),
    ("mean(a.x, a.y) > 1", "2 arguments of 'mean'"),
    ("mean > 1", "the function 'mean' without its argument"),
    ("x > 1", "the name 'x'"),
    ("a.x is 1", "the comparison 'Is'"),
    ("a.x in a.y", "the comparison 'In'"),
    ("a.x > True", "the constant True"),
    ("a.x > 1j", "the constant 1j"),
    ("a.x > 1e999", "a number beyond"),
    ("a.x > 10000000000000", "a number beyond"),
    ("a.x", "a number where a comparison is needed"),
    ("mean(a.x > 1) > 1", "a comparison where a number is needed"),
    ("a.x > 1, a.y > 1", "a comma outside a call"),
    ("a.x > (a.y > 1)", "a comparison where a number is needed"),
    ("await a.x > 1", "Await|invalid syntax"),
    ("a.\u0445 > 1", "the character 'х' at character 3"),
    ("\uff41.x > 1", "the character"),
    ("a.x > 1; a.y", "the character ';'"),
    ("a.x > 1 # b", "the character '#'"),
    ("a.x > 1\x00", "the character"),
    ("a.x >", "at character 6"),
    ("  a.x > y", "the name 'y' .* at character 9"),
    ("", "must be an expression"),
    ("(" * 5000 + "1" + ")" * 5000, "at most 1000 characters. Got 10001"),
    ("(" * 450 + "a.x > 1" + ")" * 450, "too many nested|nested|too large"),
    ("-" * 900 + "1 > 0", "nested more than 40 deep|too large"),
    ("not " * 200 + "a.x > 1", "nested more than 40 deep|too large"),
    ("a.x > " + "9" * 900, "a number beyond|too large"),
]


@pytest.mark.parametrize(("where", "words"), HOSTILE)
def test_what_is_outside_the_language_is_refused_with_its_place(where, words):
    with pytest.raises(RuleError, match=words) as raised:
        parse(where)
    assert "\n" not in str(raised.value)


def test_columns_are_listed_once_and_unknown_ones_have_near_names():
    node = parse("a.x > mean(a.x) and depth > .2 and lens.agrement_mean < 1")
    assert columns_of(node) == ("a.x", "lens.agrement_mean")
    with pytest.raises(RuleError, match=r"Got 'lens.agrement_mean' .*near: lens.agreement_mean"):
        check_columns(node, ["a.x", "lens.agreement_mean"])


@pytest.mark.parametrize(("scale", "shift"), [(3.0, 0.0), (1e-3, 5.0)])
def test_rescaling_a_column_does_not_move_a_quantile_rule(planted_columns, scale, shift):
    where = "probes.transfer_all > quantile(probes.transfer_all, .58)"
    evidence = planted_columns()
    old = evidence.columns["probes.transfer_all"]
    parts = ("value", "low", "high", "samples", "samples_left_out", "without")
    moved = replace(old, **{part: getattr(old, part) * scale + shift for part in parts})
    again = replace(evidence, columns=evidence.columns | {"probes.transfer_all": moved})
    one, two = (select(each, rule="user", where=where) for each in (evidence, again))
    assert one.region == two.region == (5, 6, 7, 8, 9)
    np.testing.assert_array_equal(one.probabilities, two.probabilities)


def test_an_expression_without_evidence_is_called_so(planted_columns):
    found = select(planted_columns(), rule="user", where="depth > .4 and depth < .9")
    assert any("it is no evidence" in warning for warning in found.warnings)


def test_every_constant_moves_in_the_sensitivity_table():
    rule = make_user("a.x > -0.5 and a.x < quantile(a.y, .5) and mean(a.x) > 3")
    values = {}
    for name, value, _ in rule.variants():
        values.setdefault(name, set()).add(value)
    assert values["constant_1"] == {0.4, 0.45, 0.55, 0.6}
    assert values["constant_2"] == {0.4, 0.45, 0.55, 0.6}
    assert values["constant_3"] == {2.4, 2.7, 3.3, 3.6}
    moved = {name: each for name, value, each in rule.variants() if value in (0.4, 2.4)}
    assert len({str(each.tree) for each in moved.values()}) == 3


def test_an_expression_that_holds_nowhere_is_no_signal(planted_columns):
    found = select(planted_columns(), rule="user", where="cka.mean > 2")
    assert found.status == "no_signal"
    assert "no block clears" in found.reasons[0]
