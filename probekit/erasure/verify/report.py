"""What a verification found, as JSON, as a table, and as a page."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from probekit.erasure.verify.verdicts import Verdict
from probekit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA = "erasure-report/1"
#: The one door up the ladder: figures are made of reports, and a report can show itself.
PAGE = "probekit.figures.erasure_page"
COLUMNS = (
    "language",
    "",
    "verdict",
    "known",
    "answered after",
    "chance",
    "retained after",
    "best attack",
    "nats rise",
)


@dataclass(frozen=True, eq=False)
class Report:
    """A verification: every number in ``record``, the words in ``verdicts``.

    Attributes
    ----------
    record
        Plain values: what :meth:`to_json` gives.
    """

    record: dict[str, Any]

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """By language."""
        found = {}
        for code, row in self.record["verdicts"].items():
            cells: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in row.items() if k != "says"
            }
            found[code] = Verdict(**cells)
        return found

    @property
    def leaks(self) -> tuple[str, ...]:
        """Languages in which a fact that was to be forgotten can still be had."""
        return tuple(code for code, verdict in self.verdicts.items() if verdict.leaks)

    @property
    def contract_ok(self) -> bool:
        """No tensor moved that was not selected; also where nothing was said of a selection."""
        return bool(self.record["contract"]["ok"])

    @property
    def ok(self) -> bool:
        """Contract kept, no language leaks, something could be shown, and no doubt is left.

        A language whose facts the base does not know proves nothing and is no doubt; one in which
        half of the known facts could still be there is.
        """
        decided = any(verdict.word != "undecided" for verdict in self.verdicts.values())
        return self.contract_ok and decided and not self.leaks and not self.doubts

    @property
    def doubts(self) -> tuple[str, ...]:
        """Languages whose facts are neither shown to be had nor shown to be gone."""
        return tuple(
            code
            for code, verdict in self.verdicts.items()
            if verdict.word == "undecided" and verdict.at_most is not None
        )

    @property
    def matrix(self) -> dict[str, Any]:
        """One row, the source languages used; columns are languages, held-out ones apart."""
        return dict(self.record["matrix"])

    def to_json(self) -> dict[str, Any]:
        """Plain values, ``schema_version`` ``erasure-report/1``."""
        return dict(self.record)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Report:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        InputError
            Another schema.
        """
        version = content.get("schema_version")
        if version != SCHEMA:
            msg = f"report must be {SCHEMA}. Got {version!r} instead: give a file of verify."
            raise InputError(msg)
        return cls(dict(content))

    def rows(self) -> list[tuple[str, ...]]:
        """Cells of :meth:`table`, as text, under ``COLUMNS``."""
        return [self._row(code) for code in self.verdicts]

    def _row(self, code: str) -> tuple[str, ...]:
        record, verdict = self.record, self.verdicts[code]
        forget = record["behaviour"]["forget"][code]
        retain = record["behaviour"].get("retain", {}).get(code, {})
        side = "source" if code in record["source"] else ""
        side = "held out" if code in record["held_out"] else side
        rise = record["fluency"].get(code)
        best = verdict.best_attack
        kept = forget.get("kept")
        return (
            code,
            side,
            str(verdict),
            f"{forget['known']} of {forget['n']}",
            _cell(kept),
            f"{kept['chance']:.2f}" if kept else "",
            _cell(retain.get("kept")),
            f"{best['name']} {_cell(best)}, chance {best['chance']:.2f}" if best else "none run",
            f"{rise['rise']:+.2f}" if rise else "",
        )

    def table(self) -> Iterator[Any]:
        """Parts to print: contract, a row a language, what was run and what was not."""
        from rich.table import Table
        from rich.text import Text

        yield Text(self.contract_line())
        table = Table(box=None, padding=(0, 1), header_style="bold")
        for name in COLUMNS:
            table.add_column(name)
        for row in self.rows():
            table.add_row(*row)
        yield table
        yield from self._beside()
        for line in self.notes():
            yield Text(line)

    def _beside(self) -> Iterator[Any]:
        """A row a control: what it leaves answered, its words and its best attack, by language."""
        from rich.table import Table
        from rich.text import Text

        controls = self.record.get("controls", {})
        if not controls:
            return
        yield Text("the same base erased elsewhere: share still answered, verdict, best attack")
        table = Table(box=None, padding=(0, 1), header_style="bold")
        for name in ("control", *self.verdicts):
            table.add_column(name)
        for name, found in controls.items():
            table.add_row(Text(name), *(Text(_told(found, code)) for code in self.verdicts))
        yield table
        for name, found in controls.items():
            contract = found.get("contract")
            if contract is not None and not contract["ok"]:
                yield Text(f"control {name}: {contract_words(contract)}")

    def contract_line(self) -> str:
        """Contract in a line."""
        return contract_words(self.record["contract"])

    def notes(self) -> list[str]:
        """Attacks that were run, those that were not and why, and how to read the table."""
        run = ", ".join(self.record["attacks"]) or "none"
        skipped = [f"not run: {name} ({why})" for name, why in self.record["skipped"].items()]
        return [
            f"attacks run: {run}. Shares are of facts the base knows, with 95 % intervals.",
            "'erased' means that no attack that was run beats chance, not that a fact is gone.",
            *skipped,
            *self.record["notes"],
        ]

    def to_html(self) -> str:
        """One page that opens from disk, readable in light and dark: verdicts, figures, values."""
        made: str = importlib.import_module(PAGE).report_page(self)
        return made

    def __str__(self) -> str:
        words = "; ".join(f"{code}: {verdict}" for code, verdict in self.verdicts.items())
        return f"{self.contract_line()}. {words}"


def contract_words(found: Mapping[str, Any]) -> str:
    """Which tensors moved, against those that were to, in a line."""
    n, moved = found["n_tensors"], len(found["moved"])
    if not found["checked"]:
        return f"contract not checked (no selection given): {moved} of {n} tensors moved"
    if found["ok"]:
        return f"contract kept: {moved} of {n} tensors moved, all selected"
    first = (*found["extra"], *found["missing"])[0]
    count = len(found["extra"]) + len(found["missing"])
    return f"contract BROKEN: {count} of {n} tensors moved or are missing (first: {first})"


def _told(control: Mapping[str, Any], code: str) -> str:
    """A control in one language: share, word, best attack."""
    kept, word = control["kept"]["forget"].get(code), control["verdicts"].get(code, "")
    best = control.get("judged", {}).get(code, {}).get("best_attack")
    tried = f"; {best['name']} {_cell(best)}, chance {best['chance']:.2f}" if best else ""
    return f"{_cell(kept)} {word}{tried}".strip()


def _cell(cell: Mapping[str, Any] | None) -> str:
    if not cell:
        return ""
    return f"{cell['success']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}]"
