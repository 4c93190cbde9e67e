"""Verdicts in words: a row a language, with the numbers that each verdict rests on. No plot.

Rows are plain values; :func:`verdict_table` makes HTML of them, in which every text is escaped.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from probekit.figures.erasure_attacks import words_of
from probekit.figures.erasure_document import read_report
from probekit.figures.erasure_values import least_like

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from probekit.figures.erasure_document import Given, ReportDocument
    from probekit.figures.erasure_values import Fluency, Judged, Likeness, Share

__all__ = [
    "COLUMNS", "broken_lines", "columns", "contract_line", "not_run_lines", "verdict_rows",
    "verdict_table",
]  # fmt: skip

#: Field → heading, in the order of the table.
COLUMNS: dict[str, str] = {
    "language": "Language",
    "side": "",
    "model": "Model",
    "verdict": "Verdict",
    "why": "Why",
    "known": "Known before",
    "answered": "Answered after",
    "retained": "Retained after",
    "best_attack": "Best attack",
    "rise": "Nats rise",
    "damage": "Least CKA",
}
#: The model that was verified, beside its controls.
OWN = "erased"
#: Verdict → how good that is, for its colour.
MARKS = {"erased": "good", "undecided": "open", "language damaged": "open"}
MOST_CODES = 6


class _Seen(NamedTuple):
    """What was found of one model in one language."""

    judged: Judged | None
    kept: Share | None
    retained: Share | None
    rise: Fluency | None
    damage: Likeness | None


def columns(document: Given) -> dict[str, str]:
    """Headings of the columns that a document fills: models only where controls stand beside.

    Raises
    ------
    InputError
        A document that is not of ``verify``, or not whole.
    """
    found = read_report(document)
    empty = set() if found.controls else {"model"}
    empty |= set() if found.damage else {"damage"}
    return {name: words for name, words in COLUMNS.items() if name not in empty}


def verdict_rows(document: Given) -> list[dict[str, Any]]:
    """A row a language, sources first: its verdict, why, and the shares as text with intervals.

    Below each language's row one for every control, which ``model`` names.

    Raises
    ------
    InputError
        A document that is not of ``verify``, or not whole.
    """
    found = read_report(document)
    names = (None, *found.controls)
    return [_row(found, code, name) for code in found.languages for name in names]


def _row(found: ReportDocument, code: str, name: str | None) -> dict[str, Any]:
    seen = _own(found, code) if name is None else _beside(found, code, name)
    asked, judged = found.behaviour["forget"][code], seen.judged
    best = None if judged is None else judged.best_attack
    word = found.controls[name or ""].verdicts[code] if judged is None else judged.word
    return {
        "language": code,
        "side": found.side(code),
        "model": OWN if name is None else name,
        "control": name is not None,
        "verdict": word if judged is None else _verdict(judged),
        "mark": MARKS.get(word, "bad"),
        "why": why(found, code) if name is None else _why_beside(found, code, name),
        "known": f"{asked.known} of {asked.n}",
        "answered": "" if seen.kept is None else _chanced(seen.kept),
        "retained": "" if seen.retained is None else _told(seen.retained),
        "best_attack": f"{best.name} {_chanced(best)}" if best else "none run" if judged else "",
        "rise": _rise(seen.rise) if seen.rise else "",
        "damage": seen.damage.told if seen.damage else "",
    }


def _own(found: ReportDocument, code: str) -> _Seen:
    retained = found.behaviour.get("retain", {}).get(code)
    return _Seen(
        found.verdicts[code],
        found.behaviour["forget"][code].kept,
        None if retained is None else retained.kept,
        found.fluency.get(code),
        least_like(found.damage[code]) if code in found.damage else None,
    )


def _beside(found: ReportDocument, code: str, name: str) -> _Seen:
    control = found.controls[name]
    return _Seen(
        control.judged.get(code),
        control.kept["forget"].get(code),
        control.kept.get("retain", {}).get(code),
        control.fluency.get(code),
        control.damage.get(code),
    )


def _verdict(judged: Judged) -> str:
    """The word, short: reasons have a column of their own."""
    extra = judged.damaged and judged.word != "language damaged"
    return f"{judged.word}, damaged" if extra else judged.word


def _rise(rise: Fluency) -> str:
    ends = (rise.rise_low, rise.rise_high)
    span = "" if None in ends else f" [{ends[0]:+.2f}, {ends[1]:+.2f}]"
    return f"{rise.rise:+.2f}{span}"


def why(found: ReportDocument, code: str) -> str:
    """What a verdict rests on, in a sentence or two; the numbers have columns of their own."""
    seen = _own(found, code)
    judged, kept = found.verdicts[code], seen.kept
    if kept is None:
        n = found.behaviour["forget"][code].n
        return f"The base knows none of {n} facts here: there was nothing to erase."
    if judged.word == "undecided":
        return _undecided(judged, kept)
    if judged.word == "no effect":
        return "Answered as before, or nearly so."
    said = "Still answered above chance" if kept.above else "Not answered above chance"
    by = _recovered(judged)
    if by and not kept.above:
        said = f"{said}, but {by}"
    elif judged.word == "erased":
        said = f"{said}; {_attacks(found)}{_at_most(judged)}"
    others = [other for other in judged.through if other != code]
    more = f" Also answered in {_codes(others, found)}." if others else ""
    return f"{said}.{more}{_damage(seen) if judged.damaged else ''}"


def _why_beside(found: ReportDocument, code: str, name: str) -> str:
    """Of a control only what no column says."""
    control = found.controls[name]
    judged = control.judged.get(code)
    by = _recovered(judged) if judged else ""
    return "; ".join(filter(None, ("contract BROKEN" if control.broken else "", by)))


def _recovered(judged: Judged) -> str:
    names = ", ".join(words_of(attack) for attack in judged.recovered_by)
    return f"recovered: {names}" if names else ""


def _undecided(judged: Judged, kept: Share) -> str:
    few = f"{kept.n} known {'fact' if kept.n == 1 else 'facts'}"
    if judged.at_most is None:
        return f"Only {few}: even all of them right would not beat chance."
    return (
        f"Nothing beats chance, but with {few} up to {judged.at_most:.0%} of them may still be "
        "known."
    )


def _at_most(judged: Judged) -> str:
    return "" if judged.at_most is None else f"; at most {judged.at_most:.0%} can still be known"


def _attacks(found: ReportDocument) -> str:
    n = len(found.attacks)
    if not n:
        return "no attack was run"
    return (
        f"none of {n} attacks run beats chance" if n > 1 else "the one attack run does not either"
    )


def _damage(seen: _Seen) -> str:
    """Retained facts fell or retained texts became strange: both numbers, short."""
    told = [f"retained {seen.retained.value:.2f}"] if seen.retained else []
    told += [f"nats rise {seen.rise.rise:+.2f}"] if seen.rise else []
    return f" What was to stay suffered: {', '.join(told)}." if told else ""


def _told(share: Share) -> str:
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"


def _chanced(share: Share) -> str:
    """A share with its interval beside its chance."""
    return f"{_told(share)}, chance {share.chance:.2f}"


def _codes(codes: Sequence[str], found: ReportDocument) -> str:
    if len(codes) > 1 and len(codes) == len(found.languages) - 1:
        return "every other language"
    shown = ", ".join(codes[:MOST_CODES])
    return shown if len(codes) <= MOST_CODES else f"{shown} and {len(codes) - MOST_CODES} more"


def contract_line(document: Given) -> str:
    """Which tensors moved, against those that were selected, in a line."""
    return read_report(document).contract.line


def broken_lines(document: Given) -> list[str]:
    """A line for every control whose contract is broken."""
    found = read_report(document)
    return [f"{name}: {each.broken}" for name, each in found.controls.items() if each.broken]


def not_run_lines(document: Given) -> list[str]:
    """A line for every check that was not run, with why."""
    found = read_report(document)
    return [f"not run: {name} ({reason})" for name, reason in found.skipped.items()]


def verdict_table(document: Given) -> str:
    """The verdicts as an HTML table; every text is escaped.

    Raises
    ------
    InputError
        A document that is not of ``verify``, or not whole.
    """
    shown = columns(document)
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in shown.values())
    body = "".join(_line(row, shown) for row in verdict_rows(document))
    return f'<table class="verdicts"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _line(row: Mapping[str, Any], shown: Mapping[str, str]) -> str:
    mark = ' class="control"' if row["control"] else ""
    return f"<tr{mark}>{_cells(row, shown)}</tr>"


def _cells(row: Mapping[str, Any], shown: Mapping[str, str]) -> str:
    made = []
    for name in shown:
        value, chance, level = str(row[name]).partition(", chance ")
        text = f"<bdi>{escape(value)}</bdi>"
        if name == "language":
            made.append(f'<th scope="row">{text}</th>')
        elif name == "verdict":
            made.append(f'<td><span class="verdict {row["mark"]}">{text}</span></td>')
        else:
            more = f"<br><small>chance {escape(level)}</small>" if chance else ""
            made.append(f'<td class="{name}">{text}{more}</td>')
    return "".join(made)
