"""What the page of a new study does: pure functions of its fields, with callbacks around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, ctx, no_update

from probekit.corpora.builtin import BUILTIN_LANGUAGES
from probekit.errors import ProbekitError
from probekit.instruments import instruments
from probekit_app.jobs import fields
from probekit_app.jobs.check import check
from probekit_app.jobs.fields import error_id, identity
from probekit_app.jobs.form import FIELDS, command, read_form, short_yaml
from probekit_app.jobs.shown import ACT, job_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probekit_app.jobs.form import Form
    from probekit_app.jobs.jobs import Jobs

#: Fields as the page has them; languages are ticked where they are known and typed where not.
ENTRIES = ("model", "corpus", "languages", "codes", "analyses", "limit", "seed", "name")
SHOWN_ERRORS = (*FIELDS, "")
#: What a button of the list may do.
ACTS = ("cancel", "resume", "remove")

Said = dict[str, Any]


def form_of(entries: Mapping[str, Any], jobs: Jobs, *, offered: list[str]) -> Form:
    """The form that a page's entries make.

    Parameters
    ----------
    entries
        By name, as in ``ENTRIES``.
    jobs
        Says where the run would lie.
    offered
        Languages that could be ticked; none where they are typed.
    """
    ticked, analyses = entries.get("languages") or [], entries.get("analyses") or []
    typed = [code.strip() for code in str(entries.get("codes") or "").split(",") if code.strip()]
    languages = [code for code in offered if code in ticked] if offered else typed or None
    every = offered and languages == offered and entries.get("corpus") != "cldr"
    known = list(instruments())
    values = {
        **{key: entries.get(key) for key in ("model", "corpus", "limit", "seed", "name")},
        "languages": None if every else languages,
        "analyses": None if set(analyses) >= set(known) else [n for n in known if n in analyses],
    }
    return read_form(values, jobs.root)


def checked(form: Form, jobs: Jobs) -> Said:
    """What a check of a form says: its own errors, or those of a look at model and corpus."""
    errors = {key: text for key, text in form.errors.items() if key != "name"}
    if form.study is None:
        return {"about": {}, "found": {}, "errors": errors}
    seen = check(form.study, jobs.root)
    return {"about": fields.values_of(form.study), "found": seen.found, "errors": seen.errors}


def started(form: Form, said: Said, jobs: Jobs) -> Said:
    """Start the study of a form that was checked as it is; errors stay beside their fields."""
    errors = {**_errors_of(form, said), **form.errors}
    blocking = {key: text for key, text in errors.items() if key}
    if form.study is not None and not blocking and _is_checked(form, said):
        try:
            jobs.start(form.name, form.study, seconds=said["found"]["seconds"])
        except (ProbekitError, OSError) as error:
            blocking = {"name": str(error)}
        else:
            return {**said, "errors": {}, "started": form.name}
    if not blocking:
        blocking = {"": "the study must be checked as it stands. Press Check first."}
    return {**said, "about": fields.values_of(form.study), "errors": blocking}


def acted(asked: str, jobs: Jobs) -> str:
    """Do what a button of the list says, as in ``cancel gemma``; what is wrong with it, if any."""
    what, _, name = asked.partition(" ")
    try:
        if what == "cancel":
            jobs.cancel(name)
        elif what == "resume":
            jobs.resume(name)
        elif what == "remove":
            jobs.forget(name)
        else:
            return f"there is nothing called {what[:20]!r} to do"
    except (ProbekitError, OSError) as error:
        return str(error)
    return ""


def shown(form: Form, said: Said, jobs: Jobs) -> dict[str, Any]:
    """What follows from every change of a field: errors, preview, what the check found."""
    errors = {**_errors_of(form, said), **form.errors}
    if not form.name:
        errors.pop("name", None)
    fresh = _is_checked(form, said)
    found = said.get("found") or {}
    table: Any = "Check counts tokens, and says what the study needs and takes."
    if found:
        table = fields.found_table(found, errors.pop("", "") if fresh else "")
    if found and not fresh:
        table = "The form has changed since it was checked: check it again."
    elsewhere = None
    if form.study is not None:
        output = jobs.root / (form.name if "name" not in form.errors else "NAME")
        elsewhere = fields.same_elsewhere(short_yaml(form.study), command(form.study, output))
    ready = fresh and bool(found) and not form.errors and not (set(errors) - {""})
    return {"errors": errors, "found": table, "elsewhere": elsewhere, "ready": ready}


def _is_checked(form: Form, said: Said) -> bool:
    return bool(said.get("found")) and said.get("about") == fields.values_of(form.study)


def _errors_of(form: Form, said: Said) -> dict[str, str]:
    """Errors of a check, while the form is as it was then."""
    same = said.get("about") in ({}, fields.values_of(form.study))
    return dict(said.get("errors") or {}) if same else {}


def offered_by(corpus: str, said: Said) -> list[str]:
    """Languages to tick: those of a known corpus, or of one that was checked."""
    if corpus in fields.KNOWN:
        return list(BUILTIN_LANGUAGES)
    if (said.get("about") or {}).get("corpus") == corpus and not corpus.startswith("hub:"):
        return list((said.get("found") or {}).get("available", ()))
    return []


def register(app: Dash, jobs: Jobs) -> None:
    """Give an app the callbacks of the page."""
    states = {name: State(identity(name), "value") for name in ENTRIES}
    inputs = {name: Input(identity(name), "value") for name in ENTRIES}
    options = State(identity("languages"), "options")
    said_now = State(identity("said"), "data")
    _register_form(app, jobs, entries=inputs, options=options)
    _register_buttons(app, jobs, entries=states, more=(options, said_now))
    _register_list(app, jobs)


def _codes(options: Any) -> list[str]:
    return [str(each["value"]) for each in options or ()]


def _register_form(app: Dash, jobs: Jobs, *, entries: dict[str, Any], options: Any) -> None:
    def offer(corpus: str, said: Said | None, there: Any) -> tuple[Any, ...]:
        offered = offered_by(str(corpus or "").strip(), said or {})
        if offered == _codes(there):
            return no_update, no_update, bool(offered)
        kept = (said or {}).get("found", {}).get("languages", offered)
        return fields.language_options(offered), [c for c in offered if c in kept], bool(offered)

    app.callback(
        Output(identity("languages"), "options"),
        Output(identity("languages"), "value"),
        Output(identity("codes-place"), "hidden"),
        Input(identity("corpus"), "value"),
        Input(identity("said"), "data"),
        options,
        prevent_initial_call=True,
    )(offer)

    def refuse(said: Said | None, model: str, corpus: str) -> list[dict[str, Any]]:
        about = (said or {}).get("about") or {}
        same = (about.get("model"), about.get("corpus")) == (model, corpus)
        return fields.analysis_options(
            (said or {}).get("found", {}).get("refused", {}) if same else {}
        )

    app.callback(
        Output(identity("analyses"), "options"),
        Input(identity("said"), "data"),
        Input(identity("model"), "value"),
        Input(identity("corpus"), "value"),
        prevent_initial_call=True,
    )(refuse)

    def follow(values: dict[str, Any], said: Said | None, there: Any) -> tuple[Any, ...]:
        now = shown(form_of(values, jobs, offered=_codes(there)), said or {}, jobs)
        errors = [now["errors"].get(field, "") for field in SHOWN_ERRORS]
        return now["found"], now["elsewhere"], not now["ready"], errors

    app.callback(
        output=(
            Output(identity("found"), "children"),
            Output(identity("elsewhere"), "children"),
            Output(identity("start"), "disabled"),
            [Output(error_id(field), "children") for field in SHOWN_ERRORS],
        ),
        inputs=(entries, Input(identity("said"), "data"), Input(*_parts(options))),
    )(follow)


def _parts(state: Any) -> tuple[str, str]:
    return state.component_id, state.component_property


def _register_buttons(
    app: Dash, jobs: Jobs, *, entries: dict[str, Any], more: tuple[Any, Any]
) -> None:
    def press(_clicks: Any, values: dict[str, Any], now: tuple[Any, Any]) -> tuple[Any, ...]:
        there, said = now
        form = form_of(values, jobs, offered=_codes(there))
        if ctx.triggered_id == identity("check"):
            return checked(form, jobs), no_update, no_update
        after = started(form, said or {}, jobs)
        if "started" in after:
            return after, {"value": ""}, ""
        return after, no_update, no_update

    busy = "Checking: the tokenizer is read and tokens are counted …"
    app.callback(
        output=(
            Output(identity("said"), "data"),
            Output(ACT, "data"),
            Output(identity("name"), "value"),
        ),
        inputs=(
            (Input(identity("check"), "n_clicks"), Input(identity("start"), "n_clicks")),
            entries,
            more,
        ),
        running=[
            (Output(identity("check"), "disabled"), True, False),
            (Output(identity("busy"), "children"), busy, ""),
        ],
        prevent_initial_call=True,
    )(press)


def _register_list(app: Dash, jobs: Jobs) -> None:
    def look(_ticks: int, asked: dict[str, str] | None) -> tuple[Any, ...]:
        wrong = ""
        if ctx.triggered_id == ACT and asked and asked.get("value"):
            wrong = acted(str(asked["value"]), jobs)
        try:
            found = jobs.listed()
        except OSError as error:
            return no_update, True, f"the list cannot be read: {error.strerror}"
        return job_list(found), all(job.is_over for job in found), wrong

    app.callback(
        Output(identity("jobs"), "children"),
        Output(identity("clock"), "disabled"),
        Output(identity("wrong"), "children"),
        Input(identity("clock"), "n_intervals"),
        Input(ACT, "data"),
    )(look)
