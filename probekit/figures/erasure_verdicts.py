"""Verdicts in words: a row a language, with the numbers that each verdict rests on. No plot.

Rows are plain values; :func:`verdict_table` makes HTML of them, in which every text is escaped.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from probekit.figures.erasure_attacks import words_of
from probekit.figures.erasure_document import read_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from probekit.figures.erasure_document import Given, ReportDocument
    from probekit.figures.erasure_values import Judged, Share

__all__ = ["COLUMNS", "contract_line", "not_run_lines", "verdict_rows", "verdict_table"]

#: Field → heading, in the order of the table.
COLUMNS: dict[str, str] = {
    "language": "Language",
    "side": "",
    "verdict": "Verdict",
    "why": "Why",
    "known": "Known before",
    "answered": "Answered after",
    "retained": "Retained after",
    "best_attack": "Best attack",
    "rise": "Nats rise",
}
#: Verdict → how good that is, for its colour.
MARKS = {"erased": "good", "undecided": "open", "language damaged": "open"}
MOST_CODES = 6


def verdict_rows(document: Given) -> list[dict[str, Any]]:
    """A row a language, sources first: its verdict, why, and the shares as text with intervals.

    Raises
    ------
    InputError
        A document that is not of ``verify``, or not whole.
    """
    found = read_report(document)
    return [_row(found, code) for code in found.languages]


def _row(found: ReportDocument, code: str) -> dict[str, Any]:
    judged, asked = found.verdicts[code], found.behaviour["forget"][code]
    retained = found.behaviour.get("retain", {}).get(code)
    best, rise = judged.best_attack, found.fluency.get(code)
    kept = None if retained is None else retained.kept
    return {
        "language": code,
        "side": found.side(code),
        "verdict": _verdict(judged),
        "mark": MARKS.get(judged.word, "bad"),
        "why": why(found, code),
        "known": f"{asked.known} of {asked.n}",
        "answered": "" if asked.kept is None else _beside(asked.kept),
        "retained": "" if kept is None else _told(kept),
        "best_attack": f"{best.name} {_beside(best)}" if best else "none run",
        "rise": _rise(rise) if rise else "",
    }


def _verdict(judged: Judged) -> str:
    """The word, short: reasons have a column of their own."""
    extra = judged.damaged and judged.word != "language damaged"
    return f"{judged.word}, damaged" if extra else judged.word


def _rise(rise: Any) -> str:
    ends = (rise.rise_low, rise.rise_high)
    span = "" if None in ends else f" [{ends[0]:+.2f}, {ends[1]:+.2f}]"
    return f"{rise.rise:+.2f}{span}"


def why(found: ReportDocument, code: str) -> str:
    """What a verdict rests on, in a sentence or two; the numbers have columns of their own."""
    judged, asked = found.verdicts[code], found.behaviour["forget"][code]
    if asked.kept is None:
        return f"The base knows none of {asked.n} facts here: there was nothing to erase."
    if judged.word == "undecided":
        few = f"{asked.kept.n} known {'fact' if asked.kept.n == 1 else 'facts'}"
        return f"Only {few}: even all of them right would not beat chance."
    if judged.word == "no effect":
        return "Answered as before, as far as these facts can tell."
    said = "Still answered above chance" if asked.kept.above else "Not answered above chance"
    by = ", ".join(words_of(name) for name in judged.recovered_by)
    if by and not asked.kept.above:
        said = f"{said}, but recovered: {by}"
    elif judged.word == "erased":
        said = f"{said}; {_attacks(found)}"
    others = [other for other in judged.through if other != code]
    more = f" Also answered in {_codes(others, found)}." if others else ""
    return f"{said}.{more}{_damage(found, code) if judged.damaged else ''}"


def _attacks(found: ReportDocument) -> str:
    n = len(found.attacks)
    if not n:
        return "no attack was run"
    return (
        f"none of {n} attacks run beats chance" if n > 1 else "the one attack run does not either"
    )


def _damage(found: ReportDocument, code: str) -> str:
    retained = found.behaviour.get("retain", {}).get(code)
    told = f" to {_told(retained.kept)}" if retained and retained.kept else ""
    return f" Retained facts fell{told}."


def _told(share: Share) -> str:
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"


def _beside(share: Share) -> str:
    """A share with its interval beside its chance."""
    return f"{_told(share)}, chance {share.chance:.2f}"


def _codes(codes: Sequence[str], found: ReportDocument) -> str:
    if len(codes) > 1 and len(codes) == len(found.languages) - 1:
        return "every other language"
    shown = ", ".join(codes[:MOST_CODES])
    return shown if len(codes) <= MOST_CODES else f"{shown} and {len(codes) - MOST_CODES} more"


def contract_line(document: Given) -> str:
    """Which tensors moved, against those that were selected, in a line."""
    found = read_report(document)
    contract = found.contract
    n, moved = contract.n_tensors, len(contract.moved)
    if not contract.checked:
        return f"contract not checked (no selection given): {moved} of {n} tensors moved"
    if contract.ok:
        return f"contract kept: {moved} of {n} tensors moved, all selected"
    wrong = (*contract.extra, *contract.missing)
    first = f" (first: {wrong[0]})" if wrong else ""
    return f"contract BROKEN: {len(wrong)} of {n} tensors moved or are missing{first}"


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
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in COLUMNS.values())
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in verdict_rows(document))
    return f'<table class="verdicts"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cells(row: Mapping[str, Any]) -> str:
    made = []
    for name in COLUMNS:
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
