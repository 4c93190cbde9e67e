"""What a run holds, opened by xarray alone, against a reading by plain transformers in float64."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from probekit import Study, load
from probekit.errors import CorpusError, StudyError
from tests.capture.reference import pooled_corpus

ROWS = 5
SCALARS = ("mean", "mean_low", "mean_high", "mean_null95", "mean_biased", "p_value")


@pytest.fixture(scope="module")
def reference(study, corpus):
    """Array (layer, language, unit, width)."""
    return pooled_corpus(load(study.model), corpus)


@pytest.fixture(scope="module")
def tree(finished_run):
    return xr.open_datatree(finished_run.folder / "results.zarr", engine="zarr")


def cka(x, y, *, debiased):
    """Gram by Gram: doubly or U-centred, then the normalised inner product."""

    def centred(values):
        k, n = values @ values.T, len(values)
        if not debiased:
            h = np.eye(n) - 1 / n
            return h @ k @ h
        np.fill_diagonal(k, 0)
        rows = k.sum(0) / (n - 2)
        u = k - rows[:, None] - rows[None] + k.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(u, 0)
        return u

    a, b = centred(x), centred(y)
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_groups_axes_and_coordinates(tree, corpus):
    assert set(tree.children) == {
        "cka",
        "cka_layers",
        "regions",
        "alignment",
        "norms",
        "corpus",
        "pooled",
    }
    pair = ("layer", "language", "language_b")
    for name in ("debiased", "biased", "standardised", "without_rogue"):
        assert tree["cka"][name].dims == pair
    for name in SCALARS:
        assert tree["cka"][name].dims == ("layer",)
    for name in ("lrds", "sads", "lrds_centred", "ratio"):
        for end in ("", "_low", "_high"):
            assert tree["regions"][name + end].dims == ("layer",)
    for name in ("p_at_1", "centred_cosine", "random_cosine"):
        assert tree["alignment"][name].dims == pair
    assert tree["pooled"]["vectors"].dims == ("layer", "language", "unit", "feature")
    for group in ("cka", "regions", "alignment", "norms", "pooled"):
        assert tree[group]["layer"].to_numpy().tolist() == [-1, 0, 1, 2, 3]
        assert tree[group]["depth"].to_numpy().tolist() == [0, 0.25, 0.5, 0.75, 1]
    for group in ("cka", "alignment", "corpus", "pooled"):
        assert tree[group]["language"].to_numpy().tolist() == list(corpus.languages)
    assert tree["cka"]["language_name"].to_numpy().tolist() == ["English", "German", "Swahili"]
    assert tree["corpus"]["script"].to_numpy().tolist() == ["Latn"] * 3


def test_the_corpus_is_in_the_run(tree, corpus):
    group = tree["corpus"]
    assert group["unit"].to_numpy().tolist() == list(corpus.units)
    for code in corpus.languages:
        assert group["text"].sel(language=code).to_numpy().tolist() == list(corpus.texts[code])
    assert group["label_half"].to_numpy().tolist() == list(corpus.labels["half"])
    n_bytes = [[len(text.encode()) for text in corpus.texts[code]] for code in corpus.languages]
    assert group["n_tokens"].to_numpy().tolist() == n_bytes
    assert (group["n_tokens"] - group["n_pooled"] == 1).all()


def test_pooled_vectors_are_those_of_plain_transformers(tree, reference):
    found = tree["pooled"]["vectors"].to_numpy()
    scale = np.abs(reference).max(axis=(1, 2, 3), keepdims=True)
    assert (np.abs(found - reference) <= 5e-5 * scale).all()


@pytest.mark.parametrize(("name", "debiased"), [("debiased", True), ("biased", False)])
def test_cka_of_every_pair_and_layer(tree, reference, name, debiased):
    found = tree["cka"][name].to_numpy()
    for row in range(ROWS):
        expected = [[cka(x, y, debiased=debiased) for y in reference[row]] for x in reference[row]]
        np.testing.assert_allclose(found[row], expected, atol=1e-4)
    upper = np.triu_indices(3, 1)
    mean = tree["cka"]["mean" if debiased else "mean_biased"].to_numpy()
    np.testing.assert_allclose(mean, found[:, *upper].mean(1), atol=1e-12)


def test_intervals_hold_an_order_and_the_null_is_lower_than_one(tree):
    group = tree["cka"]
    assert (group["mean_low"] < group["mean_high"]).all()
    assert (group["mean_null95"] < 1).all()
    assert ((group["p_value"] > 0) & (group["p_value"] <= 1)).all()


def test_retrieval_of_every_pair_and_layer(tree, reference):
    found = tree["alignment"]["p_at_1"].to_numpy()
    for row in range(ROWS):
        u = unit(reference[row])
        for a in range(3):
            for b in range(3):
                nearest = (u[a] @ u[b].T).argmax(1)
                assert found[row, a, b] == pytest.approx((nearest == np.arange(12)).mean())
    assert tree["alignment"].attrs["p_at_1_chance"] == pytest.approx(1 / 12)


def test_regions_by_brute_force(tree, reference):
    for row in range(ROWS):
        for name, values in (
            ("", reference[row]),
            ("_centred", reference[row] - reference[row].mean((0, 1))),
        ):
            u = unit(values)
            kinds = {"within": [], "across": [], "paired": []}
            for a in range(3):
                for b in range(3):
                    for i in range(12):
                        for j in range(12):
                            if i == j and a == b:
                                continue
                            kind = "paired" if i == j else "within" if a == b else "across"
                            kinds[kind].append(u[a, i] @ u[b, j])
            within, across, paired = (np.mean(kinds[k]) for k in ("within", "across", "paired"))
            regions = tree["regions"]
            assert float(regions[f"lrds{name}"][row]) == pytest.approx(within - across, abs=1e-4)
            assert float(regions[f"sads{name}"][row]) == pytest.approx(paired - across, abs=1e-4)


def test_xarray_alone_opens_a_run_without_a_warning(finished_run):
    code = (
        "import sys, xarray as xr; "
        "tree = xr.open_datatree(sys.argv[1], engine='zarr'); "
        "print(sorted(tree.children), float(tree['cka']['mean'].sel(layer=2)) < 2); "
        "assert 'probekit' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(finished_run.folder / "results.zarr")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith(
        "['alignment', 'cka', 'cka_layers', 'corpus', 'norms', 'pooled', 'regions']"
    )


def test_the_manifest_says_what_was_read(finished_run, study, corpus):
    manifest = json.loads((finished_run.folder / "manifest.json").read_text())
    assert manifest["model"]["n_blocks"] == 4
    assert manifest["model"]["id"] == study.model
    assert manifest["model"]["state_sha256"] == load(study.model).state_sha256
    assert manifest["corpus"]["sha256"] == corpus.sha256
    assert manifest["passed"]["shards"] == 3
    assert manifest["tokens"]["truncated"] == {"en": 0, "de": 0, "sw": 0}
    assert manifest["versions"]["torch"]
    assert "identity.json" in manifest["files"]
    assert "study.yaml" in manifest["files"]
    written = Study.from_yaml(finished_run.folder / "study.yaml")
    assert written.analyses == ("cka", "regions", "alignment", "norms")
    assert written.options["cka"] == {"rogue_dimensions": None, "layer_units": 512}
    asked = {"analyses": study.analyses, "options": study.options}
    assert written.model_copy(update=asked) == study
    assert not (finished_run.folder / "shards").exists()


def changed(study, **fields):
    return study.model_copy(update=fields)


@pytest.mark.parametrize(
    "fields", [{"pooling": "last"}, {"keep_first_token": True}, {"max_tokens": 6}]
)
def test_every_option_of_the_pass_changes_the_vectors(study, finished_run, tmp_path, fields):
    other = changed(study, **fields).run(tmp_path / "run")
    assert not np.allclose(
        other.pooled["vectors"].to_numpy(), finished_run.pooled["vectors"].to_numpy(), rtol=1e-2
    )


def test_options_that_must_not_change_the_vectors(study, finished_run, tmp_path):
    other = changed(study, padding_side="left", token_budget=512, units_per_shard=5)
    found = other.run(tmp_path / "run").pooled["vectors"].to_numpy()
    expected = finished_run.pooled["vectors"].to_numpy()
    scale = np.abs(expected).max(axis=(1, 2, 3), keepdims=True)
    assert (np.abs(found - expected) <= 5e-5 * scale).all()


def test_the_seed_moves_intervals_and_nothing_else(study, finished_run, tmp_path):
    other = changed(study, seed=1).run(tmp_path / "run")
    assert np.array_equal(other.cka["mean"], finished_run.cka["mean"])
    assert not np.array_equal(other.cka["mean_low"], finished_run.cka["mean_low"])
    assert not np.array_equal(other.cka["mean_null95"], finished_run.cka["mean_null95"])


def test_two_languages_limit_and_fewer_analyses(study, tmp_path):
    small = changed(
        study,
        languages=("sw", "en"),
        limit=8,
        analyses=("cka",),
        keep_pooled=False,
        keep_shards=True,
    )
    run = small.run(tmp_path / "run")
    assert run.languages == ("sw", "en")
    assert run.corpus.sizes["unit"] == 8
    assert set(run.results.children) == {"cka", "cka_layers", "norms", "corpus"}
    assert "mean_without" not in run.cka
    assert len(list((run.folder / "shards").iterdir())) == 2


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"limit": 7}, CorpusError, "at least 8 units. Got 7"),
        ({"languages": ("en",)}, CorpusError, "at least 2 languages. Got 1"),
        ({"max_tokens": 9999}, StudyError, "max_tokens must be at most 256"),
        (
            {"options": {"cka": {"rogue_dimensions": 32}}},
            StudyError,
            "rogue_dimensions must be below 32",
        ),
    ],
)
def test_a_study_that_cannot_run_writes_nothing(study, tmp_path, fields, error, says):
    with pytest.raises(error, match=says):
        changed(study, **fields).run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_subject_and_a_corpus_in_memory_give_the_same_bytes(
    study, corpus, tmp_path, finished_run
):
    run = study.run(tmp_path / "run", subject=load(study.model), corpus=corpus)
    stored = {n: h for n, h in run.manifest.files.items() if n.startswith("results.zarr")}
    assert stored == {
        n: h for n, h in finished_run.manifest.files.items() if n.startswith("results.zarr")
    }
    assert run.manifest.corpus["source"] == f"memory:{corpus.name}"
