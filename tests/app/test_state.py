"""The codec: what is written is read back, what is wrong is dropped with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probekit_app.controls import Choice, Number, Text
from probekit_app.state import LONGEST_QUERY, State, defaults, parse, query_of, serialise

CONTROLS = {
    "trial.kind": Choice(key="trial.kind", label="Kind", values={"a": "A", "b": "B"}),
    "trial.share": Number(key="trial.share", label="Share", low=0, high=1, step=0.1, start=0.5),
    "trial.word": Text(key="trial.word", label="Word", longest=5),
}


@pytest.fixture
def opened(bench):
    return bench.runs.open("base")


def read(text, opened):
    return parse(text, opened, others=("group/other",), controls=CONTROLS)


def test_nothing_asked_is_the_default(opened):
    found = read("", opened)
    assert found.state == defaults(opened)
    assert found.notices == ()
    assert found.state.layer == opened.peak_layer
    assert found.state.languages == ("en", "de", "sw")
    assert serialise(found.state, defaults(opened)) == "run=base"


def test_the_default_layer_is_the_block_where_cka_is_highest(opened):
    means = {row["layer"]: row["cka"] for row in opened.run.table() if row["layer"] >= 0}
    assert opened.peak_layer == max(means, key=means.get)


def test_what_is_written_is_read_back(opened):
    state = State(
        run="base",
        run_b="group/other",
        layer=-1,
        languages=("en", "sw"),
        unit=opened.units[3],
        neuron=(2, 17),
        metric="mexa",
        position=4,
        centred=True,
        options={"trial.kind": "b", "trial.share": "0.3", "trial.word": "ñ&= "},
    )
    found = read(serialise(state, defaults(opened)), opened)
    assert found.state == state
    assert found.notices == ()


@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_valid_state_survives_its_address(opened, data):
    codes = data.draw(st.sets(st.sampled_from(("en", "de", "sw")), min_size=1))
    state = defaults(opened).with_(
        layer=data.draw(st.sampled_from(opened.layers)),
        languages=tuple(code for code in ("en", "de", "sw") if code in codes),
        unit=data.draw(st.sampled_from(opened.units)),
        position=data.draw(st.integers(0, 99999)),
        options=data.draw(st.sampled_from([{}, {"trial.kind": "b"}, {"trial.word": "a+b"}])),
    )
    query = serialise(state, defaults(opened))
    assert read(query, opened).state == state
    assert serialise(read(query, opened).state, defaults(opened)) == query


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("layer=99", "layers −1 (embedding) to 3"),
        ("layer=1.5", "layers"),
        ("layer=٣", "layers"),
        ("layer=--1", "layers"),
        ("langs=xx,en", "no “xx”"),
        ("langs=,,", ""),
        ("unit=nowhere", "no unit"),
        ("neuron=9.1", "BLOCK.INDEX"),
        ("neuron=<script>", "BLOCK.INDEX"),
        ("metric=bleu", "no metric"),
        ("pos=-1", "whole number"),
        ("pos=99999999999", "whole number"),
        ("centred=yes", "0 or 1"),
        ("vs=../../etc", "no run"),
        ("trial.kind=c", "one of A, B"),
        ("trial.share=2", "from 0 to 1"),
        ("trial.share=nan", "from 0 to 1"),
        ("trial.word=toolong", "at most 5"),
        ("layers=3", "Nothing here is called"),
    ],
)
def test_what_the_run_has_not_is_dropped_with_a_sentence(opened, query, said):
    found = read(query, opened)
    expected = {"langs=xx,en": defaults(opened).with_(languages=("en",))}
    assert found.state == expected.get(query, defaults(opened))
    assert said in " ".join(found.notices)
    assert bool(found.notices) == bool(said)


@given(text=st.text(max_size=300))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_address_ever_raises(opened, text):
    for query in (text, f"layer={text}", f"?langs={text}&unit={text}&{text}={text}"):
        found = read(query, opened)
        assert found.state.layer in opened.layers
        assert set(found.state.languages) <= {"en", "de", "sw"}
        assert found.state.languages


def test_a_flood_is_cut_between_its_parts_and_said(opened):
    flood = "layer=2&" + "&".join(f"theme={n}" for n in range(1000))
    assert len(query_of("&".join(f"k{n}=v" for n in range(1000)))) == 64
    assert read(flood, opened).state.layer == 2
    (notice,) = read(flood, opened).notices
    assert "too long" in notice
    long = f"layer=2&unit={'x' * LONGEST_QUERY}"
    assert query_of(long) == {"layer": "2"}
    (notice,) = read(long, opened).notices
    assert f"last {LONGEST_QUERY + 6} characters" in notice


def test_a_query_as_long_as_may_be_is_read_whole(opened):
    text = f"layer=2&theme={'x' * (LONGEST_QUERY - 14)}"
    assert len(text) == LONGEST_QUERY
    assert read(text, opened).notices == ()
    assert len(read(f"{text}x", opened).notices) == 1


def test_many_wrong_values_make_few_notices_and_a_count(opened):
    notices = read("&".join(f"bad{n}=1" for n in range(40)), opened).notices
    assert len(notices) == 6
    assert notices[-1].startswith("35 more")


def many(opened, n, monkeypatch):
    """The run as if it had so many languages, with the longest codes there are."""
    codes = tuple(f"lang{k:03d}_Latn" for k in range(n))
    monkeypatch.setattr(type(opened.run), "languages", codes)
    return codes


@pytest.mark.parametrize("n", [2, 3, 12, 100, 400])
@pytest.mark.parametrize("drop", ["one", "half", "all but one"])
def test_no_language_of_a_long_list_is_lost(opened, monkeypatch, n, drop):
    codes = many(opened, n, monkeypatch)
    kept = {"one": codes[1:], "half": codes[::2], "all but one": codes[:1]}[drop]
    state = defaults(opened).with_(languages=kept)
    query = serialise(state, defaults(opened))
    found = read(query, opened)
    assert found.state.languages == kept
    assert found.notices == ()
    assert len(query) < LONGEST_QUERY


def test_languages_can_be_left_out_by_name(opened):
    assert read("langs=-de", opened).state.languages == ("en", "sw")
    assert read("langs=en,de,-de", opened).state.languages == ("en",)
    assert read("langs=-xx", opened).state.languages == ("en", "de", "sw")
    assert "no “xx”" in read("langs=-xx", opened).notices[0]
    assert "No language would be left" in read("langs=-en,-de,-sw", opened).notices[0]


def test_a_notice_repeats_little_of_what_was_asked(opened):
    (notice,) = read("layer=" + "9" * 400 + "%00%1b", opened).notices
    assert len(notice) < 120
    assert notice.isprintable()


def test_without_a_run_nothing_about_one_is_read():
    found = parse("layer=3&theme=dark", None)
    assert found.state == State()


def test_the_last_of_two_values_counts(opened):
    assert read("layer=0&layer=2", opened).state.layer == 2
