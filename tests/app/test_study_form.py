"""The form: probekit's own errors beside their fields, a check, and who may start what."""

from __future__ import annotations

import json
import shlex
import sys

import pytest
import yaml

from probekit import Study
from probekit.corpora.builtin import BUILTIN_LANGUAGES
from probekit.errors import InputError
from probekit_app import create_app
from probekit_app.frame import frame
from probekit_app.jobs import Job, Jobs, callbacks
from probekit_app.jobs.check import Checked, check, understood
from probekit_app.jobs.fields import analysis_options, duration
from probekit_app.jobs.form import command, owner_of, read_form, short_yaml
from probekit_app.jobs.shown import job_list, said
from probekit_app.serving import may_start
from probekit_app.static_html import to_html

GOOD = {"model": "builtin", "corpus": "builtin", "limit": "", "seed": "0", "name": "new"}
EVERY = {"languages": list(BUILTIN_LANGUAGES), "analyses": list(callbacks.instruments())}
FOUND = {
    "languages": ["en", "de"],
    "available": ["en", "de", "sw"],
    "n_units": 12,
    "n_texts": 24,
    "n_tokens": 480,
    "n_blocks": 4,
    "d_model": 32,
    "n_parameters": 34_000,
    "dtype": "float32",
    "device": "cpu",
    "analyses": ["cka", "norms"],
    "refused": {"lens": "<b>no head</b>"},
    "memory": 2e9,
    "memory_free": 0,
    "disk": 5e6,
    "disk_free": 9e9,
    "seconds": {"load": 12.0, "pass": 100.0, "measures": 8.0},
    "problems": [],
}
UPDATE = "/_dash-update-component"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def jobs(root):
    return Jobs(root, command=(sys.executable, "-c", "raise SystemExit('StudyError: stop')"))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("limit", "0", "greater than or equal to 1. Got '0'"),
        ("limit", "many", "valid integer"),
        ("seed", "-1", "greater than or equal to 0"),
        ("seed", "1.5", "valid integer"),
        ("name", "../x", "name must have"),
        ("name", "", "name must have"),
        ("model", "https://evil.example/m", "Addresses are not read"),
        ("model", "a\u202eb", "Addresses are not read"),
        ("languages", ["en"], "at least 2. Got 1"),
        ("languages", [], "at least 2. Got 0"),
        ("analyses", ["cka", "astrology"], "must be one of cka"),
    ],
)
def test_an_error_stands_beside_its_field_alone(root, field, value, words):
    form = read_form({**GOOD, field: value}, root)
    assert list(form.errors) == [field]
    assert words in form.errors[field]
    assert "\n" not in form.errors[field]
    assert (form.study is None) == (field != "name")


def test_all_errors_are_shown_at_once(root):
    form = read_form({**GOOD, "limit": "x", "seed": "y", "name": "/"}, root)
    assert set(form.errors) == {"limit", "seed", "name"}


def test_only_the_fields_of_the_form_are_read(root):
    extra = {"trust_remote_code": True, "device": "cuda", "corpus_options": {"sep": ";"}}
    form = read_form({**GOOD, **extra}, root)
    assert form.study == Study()


def test_empty_fields_are_the_defaults(root):
    assert read_form(dict.fromkeys((*GOOD, "languages", "analyses")), root).study == Study()


def test_all_ticked_means_all_and_less_means_these(jobs):
    offered = list(BUILTIN_LANGUAGES)
    form = callbacks.form_of({**GOOD, **EVERY}, jobs, offered=offered)
    assert form.study == Study()
    less = {"languages": ["en", "sw"], "analyses": ["cka", "norms", "probes"]}
    study = callbacks.form_of({**GOOD, **less}, jobs, offered=offered).study
    assert (study.languages, study.analyses) == (("en", "sw"), ("cka", "norms", "probes"))


def test_codes_are_typed_where_languages_are_not_known(jobs):
    typed = {**GOOD, **EVERY, "corpus": "hub:flores", "codes": " en, sw ,"}
    assert callbacks.form_of(typed, jobs, offered=[]).study.languages == ("en", "sw")
    typed["codes"] = ""
    assert callbacks.form_of(typed, jobs, offered=[]).study.languages is None


def test_the_command_and_the_file_are_the_same_study(tmp_path, root, monkeypatch):
    from typer.testing import CliRunner

    from probekit.cli import app

    values = {
        **GOOD,
        "model": "my folder/it's",
        "limit": "20",
        "seed": "3",
        "languages": ["en", "sw"],
        "analyses": ["cka", "norms"],
    }
    study = read_form(values, root).study
    (tmp_path / "study.yaml").write_text(short_yaml(study), "utf-8")
    assert Study.from_yaml(tmp_path / "study.yaml") == study
    assert "trust_remote_code" not in yaml.safe_load(short_yaml(study))
    ran = []
    monkeypatch.setattr(Study, "run", lambda self, output, **_: ran.append((self, output)))
    words = shlex.split(command(study, root / "new"))
    assert words[0] == "probekit"
    CliRunner().invoke(app, words[1:])
    assert ran == [(study, root / "new")]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("ModelError: model 'x' does not exist.", "model"),
        ("CorpusError: corpus must be a file", "corpus"),
        ("LanguageError: corpus has no language 'xx'", "languages"),
        ("StudyError: study field 'limit': no", "limit"),
        ("StudyError: analysis 'lens': no head", "analyses"),
        ("Killed", ""),
    ],
)
def test_the_line_of_an_error_finds_its_field(line, field):
    found = understood(2, "", f"a warning\n{line}\n")
    assert list(found.errors) == [field]
    assert found.errors[field] in line
    assert found.found == {}


def test_problems_of_a_check_find_their_field():
    text = json.dumps({**FOUND, "problems": ["analysis 'lens': no head", "the disk has 1 MB free"]})
    found = understood(1, text, "")
    assert found.errors == {"analyses": "analysis 'lens': no head", "": "the disk has 1 MB free"}
    assert found.found["n_tokens"] == 480


@pytest.mark.parametrize("out", ["", "{", "[]", "null"])
def test_a_check_that_says_nothing_is_an_error(out):
    assert "said nothing" in understood(0, out, "").errors[""]


def test_a_check_is_ended_when_it_takes_too_long(root):
    hangs = (sys.executable, "-c", "import signal; signal.pause()")
    found = check(Study(), root, command=hangs, seconds=0.3)
    assert "was ended" in found.errors[""]
    assert owner_of("", "anything") == ""


def test_a_study_starts_only_as_it_was_checked(jobs, monkeypatch):
    monkeypatch.setattr(callbacks, "check", lambda *_: Checked(FOUND))
    offered = list(BUILTIN_LANGUAGES)
    form = callbacks.form_of({**GOOD, **EVERY}, jobs, offered=offered)
    assert "Press Check first" in callbacks.started(form, {}, jobs)["errors"][""]
    seen = callbacks.checked(form, jobs)
    other = callbacks.form_of({**GOOD, **EVERY, "seed": "1"}, jobs, offered=offered)
    assert "Press Check first" in callbacks.started(other, seen, jobs)["errors"][""]
    assert not callbacks.shown(other, seen, jobs)["ready"]
    assert jobs.listed() == []
    assert callbacks.shown(form, seen, jobs)["ready"]
    assert callbacks.started(form, seen, jobs)["started"] == "new"
    assert jobs.join("new").message == "StudyError: stop"
    assert jobs.get("new").seconds == FOUND["seconds"]
    again = callbacks.started(form, seen, jobs)
    assert "a job on the list has" in again["errors"]["name"]


def test_a_refused_analysis_keeps_a_study_from_starting(jobs, monkeypatch):
    errors = {"analyses": "analysis 'lens': no"}
    monkeypatch.setattr(callbacks, "check", lambda *_: Checked(FOUND, errors))
    form = callbacks.form_of({**GOOD, **EVERY}, jobs, offered=list(BUILTIN_LANGUAGES))
    seen = callbacks.checked(form, jobs)
    shown = callbacks.shown(form, seen, jobs)
    assert not shown["ready"]
    assert shown["errors"]["analyses"] == errors["analyses"]
    assert callbacks.started(form, seen, jobs)["errors"] == errors


def test_languages_to_tick_are_those_of_the_corpus():
    assert callbacks.offered_by("builtin", {}) == list(BUILTIN_LANGUAGES)
    assert callbacks.offered_by("mine.csv", {}) == []
    seen = {"about": {"corpus": "mine.csv"}, "found": FOUND}
    assert callbacks.offered_by("mine.csv", seen) == ["en", "de", "sw"]
    assert callbacks.offered_by("other.csv", seen) == []
    options = analysis_options(FOUND["refused"])
    assert "cannot be had: &lt;b&gt;no head" in to_html([each["label"] for each in options])


@pytest.mark.parametrize(
    "asked", ["", "cancel", "erase new", "cancel ../x", "resume \0", "x" * 9999]
)
def test_an_odd_button_is_one_line(jobs, asked):
    found = callbacks.acted(asked, jobs)
    assert found
    assert "\n" not in found
    assert len(found) < 200


def test_a_job_in_words():
    job = Job(name="<i>", state="running", started=0.0, stage="reading", done=30, total=60)
    job = job.with_(seconds=FOUND["seconds"], log="<script>")
    assert said(job, 0.0) == "52 %, about 58 s to go: reading 30 of 60 tokens"
    assert "waits for one study" in said(job.with_(state="queued"), 0.0, before=1)
    page = to_html(job_list([job], 0.0))
    assert 'aria-valuenow="52"' in page
    assert "<i>" not in page
    assert "<script>" not in page
    assert duration(30) == "30 s"
    assert duration(600) == "10 min"
    assert duration(9000) == "2.5 h"


# ---------------------------------------------------------------- who may


def test_only_this_machine_starts_studies_unless_it_is_said():
    assert may_start("127.0.0.1", read_only=False, allow_studies=False)
    assert not may_start("127.0.0.1", read_only=True, allow_studies=False)
    assert not may_start("0.0.0.0", read_only=False, allow_studies=False)
    assert may_start("0.0.0.0", read_only=False, allow_studies=True)
    with pytest.raises(InputError, match="exclude each other"):
        may_start("127.0.0.1", read_only=True, allow_studies=True)


def start_of():
    """What a browser posts when Start is pressed."""
    about = callbacks.fields.values_of(Study())
    form = [{"id": f"study-{n}", "property": "value", "value": None} for n in callbacks.ENTRIES]
    form[callbacks.ENTRIES.index("name")]["value"] = "new"
    form[callbacks.ENTRIES.index("analyses")]["value"] = EVERY["analyses"]
    clicks = [{"id": f"study-{n}", "property": "n_clicks", "value": 1} for n in ("check", "start")]
    options = {"id": "study-languages", "property": "options", "value": []}
    seen = {"id": "study-said", "property": "data", "value": {"about": about, "found": FOUND}}
    outputs = [("study-said", "data"), ("study-act", "data"), ("study-name", "value")]
    return {
        "output": "..study-said.data...study-act.data...study-name.value..",
        "outputs": [{"id": name, "property": part} for name, part in outputs],
        "inputs": clicks,
        "state": [*form, options, seen],
        "changedPropIds": ["study-start.n_clicks"],
    }


def test_a_post_from_here_starts_and_one_from_elsewhere_does_not(root):
    app = create_app(root, studies=True)
    jobs = app.server.extensions["probekit"].jobs
    jobs._command = (sys.executable, "-c", "raise SystemExit('StudyError: stop')")
    client = app.server.test_client()
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ):
        assert client.post(UPDATE, json=start_of(), headers=headers).status_code == 403
    assert jobs.listed() == []
    answer = client.post(UPDATE, json=start_of(), headers={"Origin": "http://localhost"})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert jobs.join("new").message == "StudyError: stop"


def test_a_read_only_server_has_no_form_and_nothing_to_post_to(root):
    app = create_app(root)
    bench = app.server.extensions["probekit"]
    assert bench.jobs is None
    assert not [name for name in app.callback_map if "study" in name]
    page = to_html(frame(bench, "/study", "").content)
    assert "Studies are not started here" in page
    assert "button" not in page
    answer = app.server.test_client().post(UPDATE, json=start_of())
    assert answer.status_code != 200
    assert "Traceback" not in answer.get_data(as_text=True)
    assert not (root / ".jobs").exists()


def test_inside_a_run_no_study_is_started(runs):
    app = create_app(runs / "base", studies=True)
    page = to_html(frame(app.server.extensions["probekit"], "/study", "").content)
    assert "looks at one run" in page


def test_the_runs_page_leads_to_the_form_only_where_there_is_one(root):
    for studies in (True, False):
        bench = create_app(root, studies=studies).server.extensions["probekit"]
        page = to_html(frame(bench, "/runs", "").content)
        assert ('data-page="/study"' in page) == studies
