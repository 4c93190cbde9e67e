"""``/data/PAGE/CARD.csv`` and ``.json``: a card's numbers at full precision."""

from __future__ import annotations

import csv
import io
import json
import logging
from typing import TYPE_CHECKING, Any

from flask import Response, request

from probekit.errors import ProbekitError
from probekit_app.missing import missing
from probekit_app.security import refusal
from probekit_app.workbench import find_card

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flask import Flask

    from probekit_app.workbench import Workbench

log = logging.getLogger(__name__)

TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
#: A spreadsheet reads a cell that begins so as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def register(server: Flask, bench: Workbench) -> None:
    """Serve the data of every card."""

    @server.get("/data/<page>/<card>.<kind>")
    def data(page: str, card: str, kind: str) -> Response:
        query = request.query_string.decode("utf-8", errors="replace")
        return respond(bench, f"{page}/{card}", kind=kind, query=query)


def respond(bench: Workbench, address: str, *, kind: str, query: str) -> Response:
    """The data of a card as a file; a refusal in one line where there is none."""
    try:
        page, card = find_card(address)
        view, _ = bench.look(query, key=request.args.get("key", ""))
        rows = () if missing(view, card.needs) else bench.rows(page, card, view)
    except KeyError:
        return refusal(404, "There is no such view.")
    except (ProbekitError, OSError) as error:
        return refusal(404, str(error))
    except Exception as error:  # a damaged array can raise anything
        log.exception("data of %s failed", address)
        return refusal(500, f"This failed ({type(error).__name__}); the log says more.")
    if not rows or kind not in {"csv", "json"}:
        return refusal(404, "This view has no data of that kind in this run.")
    text = as_csv(rows) if kind == "csv" else as_json(rows, title=card.title)
    return _file(text, f"{address.replace('/', '-')}.{kind}", TYPES[kind])


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every column of any row, in order of appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV; text that a spreadsheet would run is quoted by an apostrophe."""
    columns = columns_of(rows)
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow([guarded(name) for name in columns])
    writer.writerows([[guarded(row.get(name)) for name in columns] for row in rows])
    return target.getvalue()


def as_json(rows: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """``{"title": …, "columns": […], "rows": [[…]]}``."""
    content = {"title": title, **as_table(rows)}
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def as_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows as columns and cells: names are said once."""
    columns = columns_of(rows)
    return {"columns": columns, "rows": [[row.get(name) for name in columns] for row in rows]}


def guarded(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _file(text: str, name: str, kind: str) -> Response:
    response = Response(text, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
