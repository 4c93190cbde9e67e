"""Comparing runs: a run does not differ from itself, what was planted is found, depths align."""

from __future__ import annotations

import json
from statistics import NormalDist

import numpy as np
import pytest

from probekit import Study
from probekit.errors import InputError, LanguageError, RunError
from probekit.runs.bands import comparable
from probekit.runs.compare import compare_runs
from probekit.runs.comparison import RunComparison
from tests.runs.planted_runs import band, planted_run, table
from tests.tiny import save_tiny

FLAT = np.zeros(5)


def cka(value, **about):
    name = about.pop("name", "run")
    return planted_run(name, {"cka": band(value, about.pop("half", 0.1))}, **about)


def test_a_run_does_not_differ_from_itself(full_run):
    found = full_run.diff(full_run)
    assert found.differing == ()
    assert found.same_weights
    assert found.same_corpus
    assert found.warnings == ()
    assert set(found.differences) == set(comparable(full_run)) - set(found.left_out)
    assert len(found.differences) > 30
    for each in found.differences.values():
        assert not each.change.value.any(), each.key
        assert (each.change.low <= 0).all()
        assert (each.change.high >= 0).all()
        assert each.by_language is None or not each.by_language.change.value.any()


def test_paired_draws_of_a_run_with_itself_leave_no_doubt(finished_run):
    found = finished_run.diff(finished_run)
    for key in ("cka/mean", "regions/lrds", "regions/lrds_centred"):
        assert found[key].how == "paired"
        assert found[key].change.low == pytest.approx(0)
        assert found[key].change.high == pytest.approx(0)
    assert found["regions/sads"].how == "independent"
    assert (found["regions/sads"].change.high > 0).all()


def test_a_planted_shift_is_found_where_it_is():
    value = np.linspace(0.2, 0.6, 5)
    moved = value + np.array([0, 0, 1.0, 0, 0])
    found = cka(value, half=0.05).diff(cka(moved, half=0.05, name="other"))
    assert found["cka/mean"].change.value == pytest.approx(moved - value)
    assert found["cka/mean"].differs.tolist() == [False, False, True, False, False]
    assert found.differing == ("cka/mean",)
    (row,) = found.rows()
    assert (row["layer"], row["points_that_differ"]) == (1, 1)


def test_half_widths_of_independent_runs_add_in_squares():
    found = cka(FLAT, half=3).diff(cka(FLAT + 1, half=4))
    assert found["cka/mean"].change.low == pytest.approx(FLAT - 4)
    assert found["cka/mean"].change.high == pytest.approx(FLAT + 6)


def test_the_sides_that_matter_are_combined():
    a = planted_run("a", {"cka": band(FLAT, 1, 3)})
    b = planted_run("b", {"cka": band(FLAT, 4, 0)})
    found = a.diff(b)["cka/mean"].change
    assert found.low == pytest.approx(-np.hypot(4, 3) + FLAT)
    assert found.high == pytest.approx(np.hypot(0, 1) + FLAT)


def test_the_joint_interval_is_bonferronis():
    found = cka(FLAT).diff(cka(FLAT))
    normal = NormalDist()
    assert found.joint == pytest.approx(normal.inv_cdf(1 - 0.025 / 5) / normal.inv_cdf(0.975))
    half = np.hypot(0.1, 0.1) * found.joint
    for step, differs in ((0.99, False), (1.01, True)):
        moved = cka(FLAT).diff(cka(FLAT + step * half))
        assert moved["cka/mean"].differs.all() == differs
        assert bool(moved.differing) == differs


def draws(value, noise):
    samples = (("layer", "resample"), np.asarray(value)[:, None] + noise)
    return {"cka": band(value, 0.5) | {"mean_samples": samples}}


def test_shared_draws_take_the_shared_noise_out():
    noise = np.random.default_rng(0).normal(0, 0.2, (5, 50))
    a = planted_run("a", draws(FLAT, noise))
    found = a.diff(planted_run("b", draws(FLAT + 0.03, noise)))["cka/mean"]
    assert found.how == "paired"
    assert found.change.low == pytest.approx(0.03)
    assert found.change.high == pytest.approx(0.03)
    assert found.differs.all()


@pytest.mark.parametrize("other", [{"seed": 1}, {"text": "another"}, {"units": 30, "text": "x"}])
def test_other_draws_are_independent(other):
    noise = np.random.default_rng(0).normal(0, 0.2, (5, 50))
    a = planted_run("a", draws(FLAT, noise))
    found = a.diff(planted_run("b", draws(FLAT + 0.03, noise), **other))["cka/mean"]
    assert found.how == "independent"
    assert found.change.high == pytest.approx(0.03 + np.hypot(0.5, 0.5) + FLAT)


@pytest.mark.parametrize(("n_a", "n_b"), [(4, 6), (6, 4), (5, 12), (3, 80)])
def test_a_line_over_depth_is_the_same_at_every_number_of_blocks(n_a, n_b):
    lines = [2 * np.linspace(0, 1, n + 1) - 1 for n in (n_a, n_b)]
    a, b = (cka(line, n_blocks=n) for line, n in zip(lines, (n_a, n_b), strict=True))
    found = a.diff(b)["cka/mean"]
    depths = {layer / n for n in (n_a, n_b) for layer in range(n + 1)}
    assert found.depths.tolist() == sorted(depths)
    assert found.change.value == pytest.approx(np.zeros(len(depths)), abs=1e-12)
    assert found.a.value == pytest.approx(2 * found.depths - 1)


def test_layers_of_both_keep_their_own_values():
    rng = np.random.default_rng(1)
    a, b = rng.random(4), rng.random(6)
    found = cka(a, n_blocks=3).diff(cka(b, n_blocks=5))["cka/mean"]
    for values, band_of, n in ((a, found.a, 3), (b, found.b, 5)):
        at = [found.depths.tolist().index(layer / n) for layer in range(n + 1)]
        assert np.array_equal(band_of.value[at], values)


def test_nothing_is_invented_outside_what_both_have():
    """A measure that begins at block 0 has no value at the embedding."""
    a = planted_run("a", {"neurons": band(np.ones(4), name="shared")}, n_blocks=4)
    b = planted_run("b", {"neurons": band(np.ones(8), name="shared")}, n_blocks=8)
    found = a.diff(b)["neurons/shared"]
    assert found.depths[0] == 1 / 4
    assert found.depths[-1] == 1


def test_languages_stand_under_their_codes_not_their_places():
    value = np.arange(15.0).reshape(5, 3)
    turned = ("sw", "en", "de")
    a = planted_run("a", {"lens": table(value)})
    b = planted_run("b", {"lens": table(value[:, [2, 0, 1]])}, languages=turned, text="turned")
    found = a.diff(b)
    assert found.languages == ("en", "de", "sw")
    assert not found["lens/score"].by_language.change.value.any()


def test_only_shared_languages_count_and_the_others_are_named():
    value = np.arange(15.0).reshape(5, 3)
    both = {"lens": table(value) | band(value.mean(axis=1), name="score_mean")}
    less = value[:, [0, 2]]
    a = planted_run("a", both)
    b = planted_run(
        "b",
        {"lens": table(less) | band(less.mean(axis=1) + 9, name="score_mean")},
        languages=("en", "sw"),
    )
    for found in (a.diff(b), b.diff(a)):
        each = found["lens/score_mean"]
        assert found.languages == ("en", "sw")
        assert each.averaged
        assert not each.change.value.any(), "the runs' own means are over other languages"
        assert any("only a has de" in said for said in found.warnings)


def test_a_mean_over_languages_has_its_widest_interval():
    a, b = (planted_run(name, {"lens": table(np.ones((5, 3)), 0.3)}) for name in "ab")
    found = a.diff(b)["lens/score"]
    assert found.averaged
    assert found.a.high - found.a.value == pytest.approx(np.full(5, 0.3))


def test_an_average_over_other_languages_is_left_out_with_its_reason():
    a = planted_run("a", {"regions": band(FLAT, name="lrds"), "lens": table(np.ones((5, 3)))})
    b = planted_run(
        "b",
        {"regions": band(FLAT, name="lrds"), "lens": table(np.ones((5, 2)))},
        languages=("en", "de"),
    )
    found = a.diff(b)
    assert "regions/lrds" not in found.differences
    assert "average over languages" in found.left_out["regions/lrds"]
    with pytest.raises(InputError, match="average over languages"):
        found["regions/lrds"]


def test_runs_without_a_shared_language_are_refused():
    a = planted_run("a", {"cka": band(FLAT)}, languages=("en", "de"))
    b = planted_run("b", {"cka": band(FLAT)}, languages=("fi", "sw"))
    with pytest.raises(LanguageError, match="must share a language"):
        a.diff(b)


def test_one_shared_language_is_enough_for_tables_by_language():
    a = planted_run("a", {"lens": table(np.ones((5, 2)))}, languages=("en", "de"))
    b = planted_run("b", {"lens": table(np.ones((5, 2)))}, languages=("en", "sw"))
    assert a.diff(b).languages == ("en",)


def test_other_text_weights_and_settings_are_said():
    found = cka(FLAT).diff(cka(FLAT, text="other", weights="x", n_blocks=4, units=7))
    assert found.same_weights is False
    assert any("the texts differ (20 units" in said for said in found.warnings)
    other = cka(FLAT)
    other.manifest.estimators["pooling"] = "last"
    assert any("pooling: mean and last" in said for said in cka(FLAT).diff(other).warnings)
    assert cka(FLAT).diff(cka(FLAT, weights=None)).same_weights is None


def test_two_folders_of_one_name_are_told_apart():
    a, b = (planted_run(f"{parent}/run", {"cka": band(FLAT)}) for parent in ("base", "tuned"))
    assert a.diff(b).headline().startswith("tuned/run − base/run")
    assert a.diff(a).headline().startswith("run − run")


def test_what_is_not_finite_is_left_out_not_filled_in():
    groups = {"regions": band([1, 2, np.inf, 4, 5], name="ratio") | band(FLAT, name="lrds")}
    found = planted_run("a", groups).diff(planted_run("b", groups))
    assert tuple(found.differences) == ("regions/lrds",)
    assert found.left_out["regions/ratio"] == "not finite at every layer"


def test_rounding_is_no_difference():
    found = cka(FLAT + 1, half=0).diff(cka(FLAT + 1 + 1e-7, half=0))
    assert not found.differing
    assert cka(FLAT + 1, half=0).diff(cka(FLAT + 1.001, half=0)).differing


def test_equal_truths_seldom_differ_and_unequal_ones_do():
    """Nominal 5 % over all points at once: at most 10 of 100 draws."""
    rng = np.random.default_rng(5)

    def drawn(truth):
        return cka(truth + rng.normal(0, 1, 5), half=1.96)

    false = sum(bool(drawn(FLAT).diff(drawn(FLAT)).differing) for _ in range(100))
    assert false <= 10
    assert all(drawn(FLAT).diff(drawn(FLAT + 9)).differing for _ in range(20))


@pytest.mark.parametrize("analysis", ["cka", "lens"])
def test_one_analysis_can_be_asked_for(full_run, analysis):
    found = full_run.diff(full_run, analysis=analysis)
    assert {each.analysis for each in found.differences.values()} == {analysis}


def test_an_analysis_that_a_run_lacks_is_refused(full_run, finished_run):
    with pytest.raises(RunError, match="no analysis 'lens'"):
        full_run.diff(finished_run, analysis="lens")


def test_cka_by_language_is_the_mean_of_its_pairs(finished_run):
    found = compare_runs(finished_run, finished_run)["cka/mean"]
    pairs = finished_run.cka["debiased"].to_numpy()
    assert found.by_language.a.value[:, 0] == pytest.approx(pairs[:, 0, 1:].mean(axis=1))
    assert found.by_language.a.value.mean(axis=1) == pytest.approx(finished_run.cka["mean"])


def test_json_gives_the_same_comparison_back(finished_run):
    found = finished_run.diff(finished_run)
    text = found.to_json()
    assert RunComparison.from_document(json.loads(text)).to_json() == text
    with pytest.raises(InputError, match="must have schema"):
        RunComparison.from_document({"schema": "other/1"})


def test_two_real_subjects_of_different_depth(finished_run, corpus_file, tmp_path):
    model = save_tiny("llama", tmp_path / "model", num_hidden_layers=6)
    study = Study(
        model=str(model), corpus=str(corpus_file), analyses=("cka", "regions"),
        bootstrap=40, permutations=40,
    )  # fmt: skip
    other = study.run(tmp_path / "run")
    found = finished_run.diff(other)
    assert found["cka/mean"].how == "paired"
    assert found["cka/mean"].depths.tolist() == sorted(
        {i / n for n in (4, 6) for i in range(n + 1)}
    )
    assert found.same_weights is False
    assert any("4 and 6 blocks" in said for said in found.warnings)
    assert found.left_out["alignment/*"] == "only finished has it"
    assert "6 blocks" in str(found)
