"""What is selected, as one frozen state with one codec: the query string of the page's address.

Reading takes a query, checks every value against what the run has, drops what is wrong with a
sentence that says so, and never raises. Writing leaves out whatever is at its default, so equal
states have equal addresses. Microseconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from probekit_app.controls import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from probekit_app.controls import Control
    from probekit_app.runs_folder import OpenedRun

LONGEST_QUERY = 7680
MOST_PAIRS = 64
MOST_NOTICES = 6
#: A longer list of languages is written as those that it leaves out, where that is shorter; the
#: script of the page keeps the same rule.
LONG_LIST = 64

_NEURON = re.compile(r"([0-9]{1,4})\.([0-9]{1,7})")
_POSITION = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True)
class State:
    """Everything that is selected; the address of a page is its page and this.

    Attributes
    ----------
    run, run_b
        Names of runs; empty when none is chosen.
    layer
        −1 (the embedding) or a block.
    languages
        Codes shown, in the run's order.
    unit
        Id of a unit.
    neuron
        (block, index), or None.
    metric
        How alike languages are is measured by it: a key of the run's ``metrics``; empty where it
        has none.
    position
        Token of a text.
    centred
        Whether views that can show vectors centred per language do.
    options
        Values of the controls of pages: ``{"overview.scale": "depth"}``, defaults left out.
    """

    run: str = ""
    run_b: str = ""
    layer: int = -1
    languages: tuple[str, ...] = ()
    unit: str = ""
    neuron: tuple[int, int] | None = None
    metric: str = ""
    position: int = 0
    centred: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    def with_(self, **changes: Any) -> State:
        """The same state with some values replaced."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Parsed:
    """A state, and a sentence for every value that was dropped on the way."""

    state: State
    notices: tuple[str, ...] = ()


def query_of(text: str) -> dict[str, str]:
    """``?a=1&b=2`` as pairs; of two values of one key the last counts."""
    return _read(text)[0]


def _read(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Pairs of a query, and what was left out: a flood is cut between pairs, never inside one."""
    text = text.removeprefix("?")
    parts = text.split("&", MOST_PAIRS)[:MOST_PAIRS]
    while sum(map(len, parts)) + len(parts) - 1 > LONGEST_QUERY:
        parts.pop()
    left = len(text) - len("&".join(parts))
    pairs = dict(parse_qsl("&".join(parts), max_num_fields=MOST_PAIRS, errors="replace"))
    if not left:
        return pairs, ()
    return pairs, (
        f"This address is too long: its last {left} characters were left out (at most "
        f"{MOST_PAIRS} settings and {LONGEST_QUERY} characters are read).",
    )


def defaults(opened: OpenedRun | None) -> State:
    """What is shown of a run before anything is selected: the block where CKA is highest."""
    if opened is None:
        return State()
    return State(
        run=opened.name,
        layer=opened.peak_layer,
        languages=opened.run.languages,
        unit=opened.units[0] if opened.units else "",
        metric=next(iter(opened.metrics), ""),
    )


def parse(
    text: str,
    opened: OpenedRun | None,
    *,
    others: tuple[str, ...] = (),
    controls: Mapping[str, Control] | None = None,
) -> Parsed:
    """The state that a query asks for, as far as the run can give it.

    Parameters
    ----------
    text
        The query string.
    opened
        The run it is about, already opened; None on a page without one.
    others
        Names of runs that ``vs`` may name.
    controls
        Controls of pages by key.
    """
    asked, cut = _read(text)
    state, notices = defaults(opened), list(cut)
    for key, value in asked.items():
        if key in _READERS and opened is not None:
            changed, problem = _READERS[key](value, opened)
        elif key == "vs":
            changed, problem = _other(value, others)
        elif controls is not None and key in controls:
            control = settled(controls[key], opened)
            changed, problem = _option(state, key, value=value, control=control)
        else:
            changed, problem = {}, _unknown(key)
        state = state.with_(**changed)
        if problem:
            notices.append(problem)
    return Parsed(state, _few(notices))


def _few(notices: list[str]) -> tuple[str, ...]:
    """The first notices, and how many there are besides."""
    if len(notices) <= MOST_NOTICES:
        return tuple(notices)
    more = len(notices) - (MOST_NOTICES - 1)
    return (*notices[: MOST_NOTICES - 1], f"{more} more parts of this address were left out.")


def serialise(state: State, standard: State) -> str:
    """The query string of a state; values equal to ``standard``'s are left out."""
    pairs = {"run": state.run, "vs": state.run_b}
    if state.layer != standard.layer:
        pairs["layer"] = str(state.layer)
    if state.languages != standard.languages:
        pairs["langs"] = _listed(state.languages, standard.languages)
    if state.unit != standard.unit:
        pairs["unit"] = state.unit
    if state.neuron is not None:
        pairs["neuron"] = f"{state.neuron[0]}.{state.neuron[1]}"
    if state.metric != standard.metric:
        pairs["metric"] = state.metric
    if state.position:
        pairs["pos"] = str(state.position)
    if state.centred:
        pairs["centred"] = "1"
    pairs |= {key: state.options[key] for key in sorted(state.options)}
    return urlencode({k: v for k, v in pairs.items() if v}, quote_via=quote, safe=",.")


def _listed(chosen: tuple[str, ...], every: tuple[str, ...]) -> str:
    """``en,sw``; a long list as what it leaves out, ``-de,-fr``, where that is shorter."""
    said = ",".join(chosen)
    if len(said) <= LONG_LIST:
        return said
    return min(said, ",".join(f"-{code}" for code in every if code not in chosen), key=len)


_Change = tuple[dict[str, Any], str]


def _layer(value: str, opened: OpenedRun) -> _Change:
    if re.fullmatch(r"-?[0-9]{1,4}", value) and int(value) in opened.layers:
        return {"layer": int(value)}, ""
    last = opened.layers[-1]
    return {}, f"This run has layers −1 (embedding) to {last}, not {_shown(value)}."


def _languages(value: str, opened: OpenedRun) -> _Change:
    every, said = opened.run.languages, [code for code in value.split(",") if code]
    named = {code for code in said if not code.startswith("-")}
    left_out = {code[1:] for code in said if code.startswith("-")}
    known = tuple(code for code in every if (code in named or not named) and code not in left_out)
    missing = sorted((named | left_out) - set(every))
    problem = f"This run has no {_shown(', '.join(missing))}." if missing else ""
    if not known:
        problem = problem or "No language would be left, so all are shown."
    return ({"languages": known} if known else {}), problem


def _unit(value: str, opened: OpenedRun) -> _Change:
    if value in opened.units:
        return {"unit": value}, ""
    return {}, f"This run has no unit {_shown(value)}."


def _neuron(value: str, opened: OpenedRun) -> _Change:
    match = _NEURON.fullmatch(value)
    if match and int(match[1]) < opened.run.n_blocks:
        return {"neuron": (int(match[1]), int(match[2]))}, ""
    return {}, f"A neuron is BLOCK.INDEX, as in 3.17, not {_shown(value)}."


def _metric(value: str, opened: OpenedRun) -> _Change:
    if value in opened.metrics:
        return {"metric": value}, ""
    return {}, f"This run has no metric {_shown(value)} (has: {', '.join(opened.metrics)})."


def _position(value: str, opened: OpenedRun) -> _Change:
    del opened
    if _POSITION.fullmatch(value):
        return {"position": int(value)}, ""
    return {}, f"A position is a whole number from 0, not {_shown(value)}."


def _centred(value: str, opened: OpenedRun) -> _Change:
    del opened
    problem = "" if value in {"0", "1"} else f"'centred' is 0 or 1, not {_shown(value)}."
    return {"centred": value == "1"}, problem


def _run(value: str, opened: OpenedRun) -> _Change:
    """The run was opened by this name, or the fallback was opened and the shell has said so."""
    del value, opened
    return {}, ""


def _other(value: str, others: tuple[str, ...]) -> _Change:
    if value in others:
        return {"run_b": value}, ""
    return {}, f"There is no run {_shown(value)} to compare with."


def _option(state: State, key: str, *, value: str, control: Control) -> _Change:
    if not control.accepts(value):
        return {}, f"{control.label} cannot be {_shown(value)} ({control.domain})."
    kept = {name: each for name, each in state.options.items() if name != key}
    return {"options": kept if value == control.default else {**kept, key: value}}, ""


def _unknown(key: str) -> str:
    return "" if key in {"run", "vs", "theme"} else f"Nothing here is called {_shown(key)}."


def _shown(value: str) -> str:
    """A value as it may be repeated on a page: short, printable."""
    text = "".join(c if c.isprintable() else "�" for c in value)
    return f"“{text[:40]}{'…' if len(text) > 40 else ''}”"


_READERS: dict[str, Callable[[str, Any], _Change]] = {
    "run": _run,
    "layer": _layer,
    "langs": _languages,
    "unit": _unit,
    "neuron": _neuron,
    "metric": _metric,
    "pos": _position,
    "centred": _centred,
}
