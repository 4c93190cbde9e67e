"""Tables of an experiment for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from probekit.experiment.times import time_line

if TYPE_CHECKING:
    from probekit.experiment.outcome import Outcome


def parts(outcome: Outcome) -> Iterator[Any]:
    """What was taught and selected; a row a place; the selection against each other place."""
    from rich.table import Table
    from rich.text import Text

    yield Text(heading(outcome))
    table = Table(box=None, padding=(0, 1), header_style="bold")
    columns = ("algorithm", "source", "place", "blocks", "forget: source", "held out", "carried")
    for name in (*columns, "retain: source", "held out", "stopped by"):
        table.add_column(name)
    for row in outcome.rows():
        table.add_row(*cells(row))
    yield table
    yield Text("selection minus another place, held-out languages, the same facts paired")
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("algorithm", "source", "against", "forget", "retain"):
        table.add_column(name)
    for row in outcome.contrasts():
        told = [_gap(row[f"{part}_held_out"]) for part in ("forget", "retain")]
        table.add_row(row["algorithm"], "+".join(row["source"]), row["against"], *told)
    yield table
    for line in notes(outcome):
        yield Text(line)
    if time := time_line(outcome.seconds, [each["arm"]["name"] for each in outcome.arms]):
        yield Text(time)


def heading(outcome: Outcome) -> str:
    """Teaching and selection in a line."""
    record = outcome.record
    known = ", ".join(f"{c} {r['accuracy']:.2f}" for c, r in record["teaching"]["after"].items())
    chosen, region = record["selection"], record["selection"]["region"]
    return (
        f"{record['plan']['model']} taught in {record['teaching']['steps']} steps ({known}); "
        f"region {region[0]}-{region[-1]} ({chosen['status']}), blocks "
        f"{', '.join(map(str, chosen['update_layers']))} move"
    )


def notes(outcome: Outcome) -> list[str]:
    """How to read the tables."""
    return [
        "Shares of facts that the taught model answers and the erased one still answers, over "
        f"seeds {', '.join(map(str, outcome.record['plan']['seeds']))}, 95 % intervals over facts.",
        "carried: of what was forgotten in the source, the part forgotten in held-out languages.",
        *outcome.record["notes"],
    ]


def cells(row: Mapping[str, Any]) -> list[str]:
    """Cells of one row, as text."""
    carried = row["carried"]
    return [
        row["algorithm"],
        "+".join(row["source"]),
        row["place"],
        " ".join(dict.fromkeys(",".join(map(str, blocks)) for blocks in row["blocks"])),
        _share(row["forget_source"]),
        _share(row["forget_held_out"]),
        _ratio(carried),
        _share(row["retain_source"]),
        _share(row["retain_held_out"]),
        " ".join(dict.fromkeys(row["stopped"])),
    ]


def _share(cell: Mapping[str, Any] | None) -> str:
    return "" if cell is None else f"{cell['share']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}]"


def _ratio(cell: Mapping[str, float] | None) -> str:
    return "–" if cell is None else f"{cell['ratio']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}]"


def _gap(cell: Mapping[str, float] | None) -> str:
    if cell is None:
        return ""
    return f"{cell['difference']:+.2f} [{cell['low']:+.2f}, {cell['high']:+.2f}]"
