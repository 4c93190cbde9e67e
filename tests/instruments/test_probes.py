"""The instrument ``probes`` in a study: groups, levels, planted labels, refusals, options."""

from __future__ import annotations

import json

import numpy as np
import pytest

from probekit import Study
from probekit.corpora import ParallelCorpus
from probekit.corpora.entity import Entity
from probekit.errors import StudyError
from probekit.instruments.probe_rows import AXES, LANGUAGE_AXES
from probekit.measures.probing import crossfit
from tests.studies.planted import plant
from tests.texts import parallel

N = 30
FROM = 2  # the block whose output first holds the planted label


def labelled(n=N, **labels):
    """Made-up text in three languages, a name in every text, two labels."""
    plain = parallel(n, most_words=4)
    names = ("Ada", "Oslo")
    texts, entities = {}, {}
    for code, column in plain.texts.items():
        made = [f"so {text} {names[i % 2]} it was" for i, text in enumerate(column)]
        at = [text.rindex(names[i % 2]) for i, text in enumerate(made)]
        texts[code] = tuple(made)
        entities[code] = tuple(
            (Entity(s, s + len(names[i % 2]), ("person", "place")[i % 2], names[i % 2]),)
            for i, s in enumerate(at)
        )
    return ParallelCorpus(
        name="labelled",
        units=plain.units,
        texts=texts,
        labels=labels
        or {
            "three": tuple("abc"[(7 * i) % 3] for i in range(n)),
            "two": tuple("xy"[(5 * i) % 4 // 2] for i in range(n)),
        },
        entities=entities,
    )


def study_of(folder, **options):
    options = {"folds": 3, "penalties": (1e-2, 1e-1), "removal_steps": 4, **options}
    return Study(
        model=str(folder),
        units_per_shard=8,
        analyses=("probes",),
        bootstrap=30,
        permutations=20,
        options={"probes": options},
    )


@pytest.fixture(scope="module")
def corpus():
    return labelled()


@pytest.fixture(scope="module")
def run(model_folder, corpus, tmp_path_factory):
    return study_of(model_folder).run(tmp_path_factory.mktemp("probes") / "run", corpus=corpus)


def test_both_groups_hold_every_variable_with_its_axes(run):
    group, language = run.group("probes"), run.group("language_id")
    assert group["task"].to_numpy().tolist() == ["three", "two", "entity", "entity_kind"]
    for name, axes in AXES.items():
        if "groups" not in name:
            assert group[name].dims == ("layer", *axes), name
    for name, axes in LANGUAGE_AXES.items():
        assert language[name].dims == ("layer", *axes), name
    assert group["hits"].sizes == {"layer": 5, "task": 4, "language": 3, "unit": N}
    assert group.attrs["folds"] == 3
    assert language.attrs["chance"] == pytest.approx(1 / 3)


def test_numbers_are_finite_and_inside_their_intervals(run):
    for name in ("probes", "language_id"):
        group = run.group(name)
        for variable in group.data_vars:
            if f"{variable}_low" in group:
                assert (group[f"{variable}_low"] <= group[variable]).all(), variable
                assert (group[variable] <= group[f"{variable}_high"]).all(), variable
        assert all(np.isfinite(v).all() for v in group.data_vars.values() if v.dtype.kind == "f")


def test_means_levels_and_gains_follow_from_the_parts(run):
    group = run.group("probes")
    accuracy = group["accuracy"]
    assert np.allclose(group["accuracy_mean"], accuracy.mean("language"))
    assert np.allclose(group["accuracy_all"], accuracy.mean(("task", "language")))
    assert np.allclose(group["accuracy_by_language"], accuracy.mean("task"))
    assert np.allclose(group["selectivity"], accuracy - group["control"])
    assert np.allclose(group["above_embedding"], accuracy - accuracy[0])
    assert np.allclose(group["hits"].sum("unit") / group["n_items"], accuracy)
    own = np.diagonal(group["transfer"].to_numpy(), axis1=2, axis2=3)
    assert np.array_equal(own, accuracy.to_numpy())
    assert np.allclose(group["compression"] * group["mdl"], group["mdl_uniform"])
    assert group["majority"].sel(task="three").to_numpy().max() <= 0.5


def test_tables_show_tasks_and_language(run, capsys):
    from probekit.cli import app

    app(["show", str(run.folder), "--analysis", "probes"], standalone_mode=False)
    assert "accuracy_all" in capsys.readouterr().out


def planted_run(model_folder, corpus, folder, monkeypatch, **options):
    """Vectors of noise in which the label ``three`` is written from block ``FROM`` on."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5, 3, N, 32))
    classes = np.array(["abc".index(value) for value in corpus.labels["three"]])
    for row in range(FROM + 1, 5):
        vectors[row, :, :, :3] += 8 * np.eye(3)[classes]
    vectors += 3 * rng.standard_normal((5, 3, 1, 32))
    plant(monkeypatch, corpus, vectors)
    return study_of(model_folder, tasks=("three", "two", "language"), **options).run(
        folder, corpus=corpus
    )


def test_a_label_planted_from_a_block_on_is_read_from_there_on(
    model_folder, corpus, tmp_path, monkeypatch
):
    run = planted_run(model_folder, corpus, tmp_path / "run", monkeypatch)
    group = run.group("probes")
    accuracy = group["accuracy_mean"].sel(task="three").to_numpy()
    error = 3 * np.sqrt(2 / 9 / N)  # languages see the same folds: count one
    assert (accuracy[FROM + 1 :] > 0.8).all()
    assert (accuracy[: FROM + 1] < 1 / 3 + error).all()
    gain = group["above_embedding_mean_low"].sel(task="three").to_numpy()
    assert (gain[FROM + 1 :] > 0.2).all()
    assert (group["accuracy_mean"].sel(task="two") < 0.5 + 3 * np.sqrt(1 / 4 / N)).all()
    for name in ("control_mean", "shuffled_mean"):
        assert (group[name].sel(task="three") < 1 / 3 + error).all()
    # offsets of languages break transfer, centring mends it
    centred = group["transfer_centred_mean"].sel(task="three").to_numpy()
    assert (centred[FROM + 1 :] > 0.8).all()
    compression = group["compression_mean"].sel(task="three").to_numpy()
    assert compression[FROM + 1 :].min() > compression[: FROM + 1].max()


def test_language_planted_as_an_offset_is_read_and_removed(
    model_folder, corpus, tmp_path, monkeypatch
):
    run = planted_run(model_folder, corpus, tmp_path / "run", monkeypatch, removal_steps=12)
    language = run.group("language_id")
    assert (language["accuracy"] > 0.9).all()
    assert (language["leace_rank"] == 2).all()
    assert (language["leace_accuracy"] < 0.7).all()
    assert language["inlp_at_chance"].all()


def test_the_run_holds_what_the_measure_says(run, corpus):
    from probekit.probing import make_plan

    plan = make_plan(corpus, (), named=["three", "two"], n_folds=3, seed=0)
    vectors = run.pooled["vectors"].to_numpy()[3]
    sheet = plan.sheets[0]
    items = sheet.items(vectors, lambda: vectors)
    found = crossfit(items, sheet.labels, plan.folds, penalties=(1e-2, 1e-1))["two"]
    own = np.stack([found.predictions[a, a] for a in range(3)])
    expected = (own == sheet.labels[1].values).mean(1)
    assert np.allclose(run.group("probes")["accuracy"].sel(task="two")[3], expected)


def test_what_is_left_out_is_said(model_folder, tmp_path):
    few = labelled(n=N, rare=tuple("ab"[i < 2] for i in range(N)), fine=tuple("ab" * (N // 2)))
    bare = ParallelCorpus(name="c", units=few.units, texts=few.texts, labels=few.labels)
    run = study_of(model_folder, mdl=False, removal_steps=0).run(tmp_path / "run", corpus=bare)
    group = run.group("probes")
    assert group["task"].to_numpy().tolist() == ["fine"]
    said = group.attrs["left_out"]
    assert any("rare: class 'b' has 2 units for 3 folds" in reason for reason in said)
    assert any("entity: the corpus marks no entities" in reason for reason in said)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tasks": ("mood",)}, "task 'mood': the corpus has no such label"),
        ({"tasks": ("three",), "folds": 16}, "task 'three': 16 folds need at least 32 units"),
        ({"sources": ("en",), "targets": ("xx",)}, "must be languages of the corpus. Got 'xx'"),
        ({"sources": ("en",)}, "give both, or none"),
    ],
)
def test_what_was_named_and_cannot_be_is_an_error(model_folder, corpus, tmp_path, options, says):
    with pytest.raises(StudyError, match=says):
        study_of(model_folder, **options).run(tmp_path / "run", corpus=corpus)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options", [{"folds": 2}, {"penalties": (1.0, 0.1)}, {"penalties": (-1.0,)}, {"tasks": ()}]
)
def test_settings_outside_their_domain_are_refused(model_folder, options):
    with pytest.raises(StudyError, match=f"{next(iter(options))}: "):
        Study.of(model=str(model_folder), analyses=("probes",), options={"probes": options})


def test_parts_can_be_left_out(model_folder, corpus, tmp_path):
    lean = study_of(model_folder, tasks=("two",), mdl=False).run(tmp_path / "a", corpus=corpus)
    assert "mdl" not in lean.group("probes")
    assert "language_id" not in lean.results.children
    only = study_of(model_folder, tasks=("language",), removal_steps=0)
    only = only.run(tmp_path / "b", corpus=corpus)
    assert "probes" not in only.results.children
    assert "leace_rank" not in only.group("language_id")


def test_sources_and_targets_have_a_mean_of_their_own(model_folder, corpus, tmp_path):
    options = {"tasks": ("two",), "mdl": False, "sources": ("en",), "targets": ("de", "sw")}
    group = study_of(model_folder, **options).run(tmp_path / "run", corpus=corpus).group("probes")
    expected = group["transfer"].sel(language="en", language_b=["de", "sw"]).mean("language_b")
    assert np.allclose(group["transfer_groups_mean"], expected)
    assert json.loads(json.dumps(group.attrs["sources"])) in (["en"], "en")


def test_fewer_texts_for_language_identity(model_folder, corpus, tmp_path):
    options = {"tasks": ("language",), "language_texts": 64, "removal_steps": 0}
    group = study_of(model_folder, **options).run(tmp_path / "run", corpus=corpus)
    assert group.group("language_id").attrs["n_units"] == 64 // 3
