"""A study in a notebook shows one bar; anywhere else it shows nothing."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from probekit.capture import notebook_progress
from probekit.capture.notebook_progress import NotebookProgress, in_notebook, standing

SCRIPT = """
import json
from probekit import Study
study = Study.model_validate(json.loads({study!r}))
"""


class Screen:
    """Stands in for IPython: keeps every bundle that it was asked to show."""

    def __init__(self):
        self.shown, self.updated = [], []
        self.display = SimpleNamespace(display=self._show)

    def _show(self, bundle, *, raw, display_id):
        assert raw
        assert display_id
        self.shown.append(bundle)
        return self

    def update(self, bundle, *, raw):
        assert raw
        self.updated.append(bundle)

    def get_ipython(self):
        return SimpleNamespace(kernel=object())

    @property
    def last(self):
        return (self.shown + self.updated)[-1]


@pytest.fixture
def screen(monkeypatch):
    screen = Screen()
    monkeypatch.setitem(sys.modules, "IPython", screen)
    monkeypatch.setattr(notebook_progress, "PERIOD", 0.0)
    return screen


def test_stages_share_one_bar_that_counts_tokens_then_layers_then_analyses(screen):
    bar = NotebookProgress()
    bar.start(n_tokens=400, done=0)
    bar.advance(100)
    assert screen.last["text/plain"] == "reading 100 of 400 tokens (25%)"
    assert '<progress value="100" max="400" aria-label="reading"' in screen.last["text/html"]
    rows = bar.layers(range(3), total=3)
    assert next(rows) == 0
    assert next(rows) == 1
    assert screen.last["text/plain"] == "measuring 1 of 3 layers (33%)"
    assert list(rows) == [2]
    bar.step("cka", done=1, total=2)
    assert screen.last["text/plain"] == "finishing 1 of 2 analyses: cka (50%)"
    bar.close()
    assert screen.last["text/plain"] == "done in 0 s"
    assert "<progress" not in screen.last["text/html"]
    assert len(screen.shown) == 1


def test_a_shard_read_twice_does_not_pass_the_end(screen):
    bar = NotebookProgress()
    bar.start(n_tokens=100, done=60)
    bar.advance(70)
    assert screen.last["text/plain"].startswith("reading 100 of 100 tokens (100%)")
    assert "resuming: 60 of 100 tokens were read before" in screen.last["text/plain"]


def test_what_is_said_is_text_not_markup(screen):
    NotebookProgress().say("<script>alert(1)</script>")
    assert "&lt;script&gt;" in screen.last["text/html"]
    assert "<script" not in screen.last["text/html"]


def test_what_breaks_off_is_said_to_have_stopped(screen):
    def broken():
        with standing(None) as told:
            told.start(n_tokens=10, done=0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert screen.last["text/plain"] == "stopped in 0 s"


def test_a_progress_that_was_given_is_the_one_told(screen):
    mine = object()
    with standing(mine) as told:
        assert told is mine
    assert not screen.shown


def test_without_a_kernel_nothing_is_shown(monkeypatch, study, finished_run, capfd):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    study.run(finished_run.folder)
    assert capfd.readouterr() == ("", "")


def test_a_real_kernel_shows_one_bar_and_importing_shows_nothing(study, tmp_path):
    nbformat = pytest.importorskip("nbformat.v4")
    client = pytest.importorskip("nbclient").NotebookClient
    said = json.dumps(study.model_dump(mode="json"))
    cells = [SCRIPT.format(study=said), f"run = study.run({str(tmp_path / 'run')!r})"]
    notebook = nbformat.new_notebook(cells=[nbformat.new_code_cell(cell) for cell in cells])
    client(notebook, timeout=120, kernel_name="python3").execute()
    imported, ran = (cell["outputs"] for cell in notebook["cells"])
    assert imported == []
    assert [output["output_type"] for output in ran] == ["display_data"], ran
    assert ran[0]["data"]["text/plain"].startswith("done in ")
    assert "<progress" not in ran[0]["data"]["text/html"]


def test_everything_that_takes_long_shows_its_bar(screen):
    import numpy as np

    from probekit.ablation import ablate
    from probekit.logit_lens import TunedLens
    from tests.texts import parallel
    from tests.tiny import tiny_subject

    subject, corpus = tiny_subject(), parallel(12)
    ablate(subject, corpus, {"en": np.array([[0, 1]])}, limit=4, bootstrap=20)
    assert screen.last["text/plain"].startswith("done in ")
    TunedLens.fit(subject, corpus, positions_per_language=16, steps=0)
    assert len(screen.shown) == 2
    assert "done in " in screen.last["text/plain"]


def test_teaching_and_erasing_show_their_steps(screen):
    from probekit.erasure import erase, teach
    from tests.erasure.conftest import make_facts
    from tests.tiny import tiny_subject

    facts = make_facts()
    taught = teach(tiny_subject(), facts, languages=["en", "de"], method="full", max_epochs=1)
    assert screen.last["text/plain"].startswith("done in ")
    shown = [each["text/plain"] for each in screen.shown + screen.updated]
    assert any(" steps: " in text or " steps (" in text for text in shown)
    how = {"max_steps": 1, "allow_unknown": True, "allow_tied": True}
    erase(taught.subject, facts, source=["en"], algorithm="gradient-ascent", **how)
    assert len(screen.shown) == 2, "one bar a call"


def test_steps_told_elsewhere_show_no_bar(screen):
    from probekit.erasure import teach
    from probekit.erasure.progress import SilentSteps
    from tests.erasure.conftest import make_facts
    from tests.tiny import tiny_subject

    said = {"languages": ["en"], "method": "full", "max_epochs": 1}
    teach(tiny_subject(), make_facts(), progress=SilentSteps(), **said)
    assert screen.shown == []
