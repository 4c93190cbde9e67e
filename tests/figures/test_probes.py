"""Figures of probes show the run file's numbers, intervals and levels."""

from __future__ import annotations

import numpy as np
import pytest

from probekit import Study
from probekit.corpora import ParallelCorpus
from probekit.errors import InputError
from probekit.figures import probes
from tests.texts import parallel

N = 24


@pytest.fixture(scope="module")
def corpus():
    plain = parallel(N)
    labels = {
        "three": tuple("abc"[i % 3] for i in range(N)),
        "two": tuple("xy"[i % 4 // 2] for i in range(N)),
    }
    return ParallelCorpus(name="c", units=plain.units, texts=plain.texts, labels=labels)


def made(corpus, model_folder, folder, **options):
    options = {"folds": 3, "penalties": (1e-2,), "removal_steps": 1, **options}
    study = Study(
        model=str(model_folder),
        analyses=("probes",),
        bootstrap=20,
        permutations=20,
        options={"probes": options},
    )
    return study.run(folder, corpus=corpus)


@pytest.fixture(scope="module")
def run(corpus, model_folder, tmp_path_factory):
    groups = {"sources": ("en",), "targets": ("sw",)}
    return made(corpus, model_folder, tmp_path_factory.mktemp("probes") / "run", **groups)


def traces(figure, name):
    return [each for each in figure.data if each.name == name]


def caption(figure):
    return " ".join(note.text for note in figure.layout.annotations)


@pytest.mark.parametrize("name", probes.FIGURES)
def test_every_figure_is_reached_through_the_run_and_says_who_and_n(run, name):
    figure = getattr(run.plot, name)()
    assert f"{N} units × 3 languages" in caption(figure)
    counted = name in {"probe_confusion", "language_confusion"}  # counts of items, no estimate
    assert ("20 bootstrap resamples" in caption(figure)) != counted
    assert figure.layout.title.text


def test_accuracy_stands_beside_its_baselines_in_every_panel(run):
    figure, data = probes.probe_accuracy(run), run.group("probes")
    for name, variable in (
        ("accuracy", "accuracy_mean"),
        ("control task", "control_mean"),
        ("shuffled labels", "shuffled_mean"),
    ):
        for at, trace in enumerate(traces(figure, name)):
            assert np.array_equal(trace.y, data[variable][:, at])
            low = float(data[f"{variable}_low"][0, at])
            assert f"[{low:.3f}, " in trace.text[0]
            assert f"n = {N}" in trace.text[0]
        assert [trace.showlegend for trace in traces(figure, name)] == [None, False]
    for at, level in enumerate(traces(figure, "commonest class")):
        assert np.allclose(level.y, float(data["majority_mean"][at]))


def test_transfer_is_shown_raw_centred_and_between_the_groups(run):
    figure, data = probes.probe_transfer(run), run.group("probes")
    for name, variable in (
        ("same language", "accuracy_mean"),
        ("other languages", "transfer_mean"),
        ("other languages, each centred", "transfer_centred_mean"),
        ("en → sw", "transfer_groups_mean"),
    ):
        first, second = traces(figure, name)
        assert np.array_equal(first.y, data[variable][:, 0])
        assert np.array_equal(second.y, data[variable][:, 1])


def test_codes_have_two_levels(run):
    figure, data = probes.probe_codes(run), run.group("probes")
    assert np.array_equal(traces(figure, "compression")[0].y, data["compression_mean"][:, 0])
    assert np.allclose(traces(figure, "uniform code")[0].y, 1.0)
    known = float(data["compression_frequency"][0].mean())
    assert np.allclose(traces(figure, "from class frequencies alone")[0].y, known)


def test_a_removal_that_did_not_finish_is_marked(run):
    figure, data = probes.language_identity(run), run.group("language_id")
    open_ends = ~data["inlp_at_chance"].to_numpy().astype(bool)
    marks = traces(figure, "not yet at chance")
    shown = list(marks[0].x) if marks else []
    assert shown == data["layer"].to_numpy()[open_ends].tolist()
    assert np.array_equal(traces(figure, "INLP directions")[0].y, data["inlp_directions"])


def test_pairs_of_one_task_and_layer(run):
    data = run.group("probes")
    figure = probes.transfer_pairs(run, task="two", layer=1)
    (heat,) = figure.data
    assert np.array_equal(heat.z, data["transfer"].sel(layer=1)[1])
    assert f"n = {N}" in heat.text[0][1]
    assert "Probes of two at block 1" in figure.layout.title.text
    best = int(data["layer"][int(data["transfer_mean"].to_numpy()[:, 0].argmax())])
    default = probes.transfer_pairs(run).data[0].z
    assert np.array_equal(default, data["transfer"].sel(layer=best)[0])


def test_a_task_or_layer_that_is_not_there_is_refused(run):
    with pytest.raises(InputError, match=r"task must be one of three, two\. Got 'four'"):
        probes.transfer_pairs(run, task="four")
    with pytest.raises(InputError, match=r"between -1 and 3\. Got 9"):
        probes.transfer_pairs(run, layer=9)


def test_what_a_run_left_out_is_said_and_the_page_is_still_made(corpus, model_folder, tmp_path):
    from probekit.figures import write_page

    run = made(corpus, model_folder, tmp_path / "run", tasks=("language",), mdl=False)
    for name in ("probe_accuracy", "probe_transfer", "probe_codes", "transfer_pairs"):
        assert "not in this run" in caption(probes.FIGURES[name](run))
    write_page(run, tmp_path / "page.html")
    lean = made(corpus, model_folder, tmp_path / "lean", tasks=("two",), mdl=False)
    assert "probes.mdl" in caption(probes.probe_codes(lean))
    assert "probes.tasks" in caption(probes.language_identity(lean))
