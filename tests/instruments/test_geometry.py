"""The groups that alignment and geometry write: complete, named, and equal to their measures."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.measures import alignment, anc, geometry, isotropy, procrustes, project, transforms
from probekit.measures.resampling import bootstrap_weights, permutations


@pytest.fixture(scope="module")
def run(study, tmp_path_factory):
    asked = study.model_copy(update={"analyses": ("alignment", "geometry")})
    return asked.run(tmp_path_factory.mktemp("geometry") / "run")


@pytest.fixture(scope="module")
def weights():
    return bootstrap_weights(12, n_resamples=40, seed=0)


def layers(run):
    return enumerate(run.pooled["vectors"].to_numpy())


def test_alignment_holds_its_measures(run, weights):
    held, orders = run.alignment, permutations(12, n=40, seed=0)
    for row, vectors in layers(run):
        here = held.isel(layer=row)
        near = alignment(vectors, weights=weights)
        for name in ("p_at_1", "csls", "mexa", "mutual_knn", "centred_cosine"):
            assert np.array_equal(here[name], getattr(near, name))
            for end in ("low", "high"):
                assert float(here[f"{name}_mean_{end}"]) == getattr(near, f"{name}_{end}")
        same = anc(vectors, weights=weights)
        assert (float(here["anc_mean"]), float(here["anc_mean_high"])) == (same.mean, same.high)
        shape = procrustes(vectors, weights=weights, permutations=orders)
        assert np.array_equal(here["procrustes"], shape.table)
        assert float(here["procrustes_chance"]) == shape.chance


def test_geometry_holds_its_measures(run, weights):
    held = run.group("geometry")
    for row, vectors in layers(run):
        here, apart = held.isel(layer=row), geometry(vectors, weights=weights)
        assert np.array_equal(here["centroid_distance"], apart.centroid_distance)
        assert float(here["centroid_distance_mean_low"]) == apart.centroid_distance_low
        assert float(here["fisher_chance"]) == apart.fisher_chance
        filled = isotropy(vectors, weights=weights)
        assert np.array_equal(here["isoscore"], filled.isoscore)
        assert float(here["participation_mean_high"]) == filled.participation_mean_high


def test_the_maps_know_their_units(run, corpus):
    held = run.group("projection")
    assert held["raw"].dims == ("layer", "language", "unit", "component")
    assert list(held["unit"].to_numpy()) == list(corpus.units)
    for row, vectors in layers(run):
        for name, centred in (("raw", False), ("centred", True)):
            expected = project(vectors, centred=centred)
            assert held[name][row].to_numpy() == pytest.approx(expected.coordinates, rel=1e-5)
            assert np.array_equal(held[f"{name}_explained"][row], expected.explained)


def test_chance_levels_are_said(run):
    said = run.alignment.attrs
    assert (said["p_at_1_chance"], said["mexa_chance"]) == (1 / 12, 1 / 23)
    assert (said["neighbours"], said["mutual_knn_chance"]) == (2, 2 / 11)
    assert run.group("geometry").attrs["participation_isotropic"] == 32


def test_the_summaries_are_columns_of_the_table(run):
    for analysis, column in (("alignment", "mexa_mean"), ("geometry", "fisher")):
        rows = run.table(analysis)
        assert [row["layer"] for row in rows] == [-1, 0, 1, 2, 3]
        assert rows[2][column] == float(run.group(analysis)[column][2])
    assert set(run.by_language("geometry")) == {"isoscore"}


def test_options_change_the_result(run, study, tmp_path):
    options = {"alignment": {"neighbours": 1, "procrustes_units": 5}}
    asked = study.model_copy(update={"analyses": ("alignment",), "options": options})
    other = asked.run(tmp_path / "run").alignment
    assert other.attrs["neighbours"] == 1
    assert other.attrs["procrustes_units"] == 5
    assert not np.array_equal(other["mutual_knn"], run.alignment["mutual_knn"])
    assert not np.array_equal(other["csls"], run.alignment["csls"])
    assert not np.array_equal(other["procrustes"], run.alignment["procrustes"])


@pytest.mark.parametrize("after", ["centre", "lsar", "leace"])
def test_a_study_after_a_transform_measures_the_transformed_vectors(
    run, study, weights, tmp_path, after
):
    asked = study.model_copy(update={"analyses": ("alignment", "geometry"), "after": after})
    other = asked.run(tmp_path / "run")
    vectors = run.pooled["vectors"].to_numpy()[2]
    expected = alignment(transforms.apply(after, vectors), weights=weights)
    assert np.array_equal(other.alignment["p_at_1"][2], expected.p_at_1)
    assert float(other.group("geometry")["fisher"].max()) < 1e-6
    assert float(run.group("geometry")["fisher"].max()) > 0.01
