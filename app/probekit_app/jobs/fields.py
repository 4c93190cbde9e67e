"""The form of a new study: fields, what a check found, the same as a file and a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import dcc, html

from probekit.corpora import language_info
from probekit.corpora.builtin import BUILTIN_LANGUAGES
from probekit.corpora.open import SOURCES
from probekit.instruments import instruments
from probekit_app.jobs.names import LONGEST as LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dash.development.base_component import Component

    from probekit import Study

PREFIX = "study-"
#: Corpora whose languages are known without reading a file.
KNOWN = ("builtin", "cldr")
#: What each analysis is for, beside its name.
WORDS = {
    "cka": "similarity of languages by layer",
    "regions": "language-specific and shared layers (LRDS, SADS)",
    "alignment": "do translations find each other (P@1, Procrustes)",
    "geometry": "language subspaces, isotropy, rogue dimensions",
    "norms": "sizes of vectors",
    "lens": "what each layer would say (slow on a CPU)",
    "mlp_regions": "regions of the MLP",
    "neurons": "language neurons (LAPE)",
    "probes": "probes and their transfer between languages",
}


def identity(name: str) -> str:
    """The id of a part of the page."""
    return f"{PREFIX}{name}"


def error_id(field: str) -> dict[str, str]:
    """The id of the place beside a field where its error stands."""
    return {"type": "study-error", "field": field}


def form(models: Sequence[str]) -> Component:
    """Every field with its label and the place of its error, then the buttons."""
    study = html.Fieldset(
        [
            html.Legend("What to read"),
            _text("model", "Model", value="builtin", among=("builtin", *models)),
            _text("corpus", "Corpus", value="builtin", among=SOURCES),
            _languages(),
            _text("limit", "Units at most", value="", hint="all", narrow=True),
        ]
    )
    analyses = html.Fieldset(
        [
            html.Legend("What to compute"),
            _ticks("analyses", "Analyses", analysis_options({}), list(instruments())),
            _text("seed", "Seed", value="0", narrow=True),
            _text("name", "Name of the run", value="", hint="gemma-en-sw", longest=LONGEST_NAME),
        ]
    )
    buttons = html.Div(
        [
            html.Button("Check", id=identity("check"), type="button", className="action"),
            html.Button(
                "Start", id=identity("start"), type="button", className="action main", disabled=True
            ),
            html.Span(id=identity("busy"), className="label", role="status"),
        ],
        className="row buttons",
    )
    return html.Div([html.Div([study, analyses], className="fields"), buttons, _error("")])


def _text(
    field: str,
    label: str,
    *,
    value: str,
    among: Sequence[str] = (),
    hint: str = "",
    longest: int = 500,
    narrow: bool = False,
) -> Component:
    choices = {"list": identity(f"{field}-list")} if among else {}
    box = dcc.Input(
        id=identity(field),
        type="text",
        value=value,
        placeholder=hint,
        maxLength=longest,
        debounce=0.4,
        spellCheck=False,
        autoComplete="off",
        className="entry narrow" if narrow else "entry",
        **choices,
    )
    options = [html.Option(value=each) for each in dict.fromkeys(among)]
    known = [html.Datalist(options, id=choices["list"])] if among else []
    name = html.Label(label, htmlFor=identity(field), className="label")
    return html.Div([name, html.Div([box, *known, _error(field)])], className="line")


def _languages() -> Component:
    codes = dcc.Input(
        id=identity("codes"),
        type="text",
        value="",
        placeholder="codes, as in en, sw; empty for all",
        maxLength=500,
        debounce=0.4,
        className="entry",
    )
    place = html.Div(
        [
            dcc.Checklist(
                id=identity("languages"),
                options=language_options(BUILTIN_LANGUAGES),
                value=list(BUILTIN_LANGUAGES),
                className="ticks",
                inline=True,
            ),
            html.Label(
                [html.Span("Language codes", className="unseen"), codes],
                id=identity("codes-place"),
                htmlFor=identity("codes"),
                hidden=True,
            ),
            _error("languages"),
        ]
    )
    return _group("Languages", place)


def _ticks(field: str, label: str, options: list[dict[str, Any]], value: list[str]) -> Component:
    ticks = dcc.Checklist(id=identity(field), options=options, value=value, className="ticks tall")
    return _group(label, html.Div([ticks, _error(field)]))


def _group(label: str, place: Component) -> Component:
    said = {"aria-label": label}
    name = html.Span(label, className="label", **{"aria-hidden": "true"})
    return html.Div([name, place], className="line", role="group", **said)


def _error(field: str) -> Component:
    return html.P(id=error_id(field), className="field-error", role="alert")


def language_options(codes: Sequence[str]) -> list[dict[str, Any]]:
    """Languages to tick, by name."""
    return [{"label": f"{language_info(code).name} ({code})", "value": code} for code in codes]


def analysis_options(refused: Mapping[str, str]) -> list[dict[str, Any]]:
    """Analyses to tick, each with what it is for, or why this model or corpus cannot have it."""
    return [
        {"label": _analysis(name, refused.get(name, "")), "value": name, "disabled": kind.always}
        for name, kind in instruments().items()
    ]


def _analysis(name: str, reason: str) -> Component:
    words = f"cannot be had: {reason}" if reason else WORDS.get(name, "")
    kind = "refused" if reason else "label"
    return html.Span([html.Span(name), html.Span(words, className=kind)], className="analysis")


def found_table(found: Mapping[str, Any], problems: str) -> Component:
    """What a check found: text, model, memory, disk, time; estimates are called so."""
    parts, seconds = found["seconds"], sum(found["seconds"].values())
    rows = {
        "Text": f"{found['n_units']} units × {len(found['languages'])} languages: "
        f"{found['n_texts']:,} texts, {found['n_tokens']:,} tokens",
        "Model": f"{found['n_blocks']} blocks, width {found['d_model']}, "
        f"{_count(found['n_parameters'])} parameters, {found['dtype']} on {found['device']}",
        "Memory": f"about {_bytes(found['memory'])} (estimate); {_free(found['memory_free'])}",
        "Disk": f"{_bytes(found['disk'])}; {_free(found['disk_free'])}",
        "Time": f"about {duration(seconds)} (estimate: loading {duration(parts['load'])}, "
        f"reading {duration(parts['pass'])}, measuring {duration(parts['measures'])})",
        "Analyses": ", ".join(found["analyses"]),
    }
    lines = [html.Tr([html.Th(name, scope="row"), html.Td(text)]) for name, text in rows.items()]
    warning = [html.P(problems, className="field-error")] if problems else []
    return html.Div([html.Table(html.Tbody(lines), className="found"), *warning])


def same_elsewhere(text: str, command: str) -> Component:
    """The study as a file, and the command that runs it in a terminal."""
    return html.Div(
        [
            html.Div([html.Code(command), _copy()], className="command"),
            html.Div([html.Pre(text, tabIndex=0), _copy()], className="command"),
        ]
    )


def _copy() -> Component:
    return html.Button("Copy", className="quiet", type="button", **{"data-copy": "code"})


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _count(n: float) -> str:
    return f"{n / 1e6:,.0f} M" if n >= 1e6 else f"{n:,.0f}"


def _bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _free(size: float) -> str:
    return f"{_bytes(size)} free" if size else "how much is free is not known"


def values_of(study: Study | None) -> dict[str, Any]:
    """A study as plain values, for telling whether two forms mean the same."""
    return {} if study is None else study.model_dump(mode="json")
