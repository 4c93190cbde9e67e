"""`select`: planted truth is found, noise and flatness are refused, every option matters."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from probekit.errors import RuleError
from probekit.selection import select


def p_values(z, n_permutations=200):
    """Permutation p-values that z-scores would get, with their granularity."""
    return (1 + np.floor(n_permutations * norm.sf(z))) / (1 + n_permutations)


@pytest.mark.parametrize("rule", ["plateau", "mute"])
@pytest.mark.parametrize("seed", range(5))
def test_planted_region_is_found_exactly(planted, rule, seed):
    found = select(planted(range(5, 10), 12, seed=seed), rule=rule)
    assert found.region == (5, 6, 7, 8, 9)
    assert found.status == "stable"
    assert found.read_layer == 7
    assert found.update_layers == (5, 6, 7)
    assert found.grade == "descriptive"


def test_a_region_at_the_first_blocks_is_found(planted):
    assert select(planted(range(3), 10)).region == (0, 1, 2)


@pytest.mark.parametrize("rule", ["plateau", "mute"])
@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_pure_noise_is_refused(evidence_of, rule, shared):
    rng = np.random.default_rng(3)
    refused = []
    for seed in range(40):
        z = np.sqrt(shared) * rng.normal() + np.sqrt(1 - shared) * rng.normal(size=12)
        evidence = evidence_of(
            0.02 * z,
            0.3 + rng.normal(0, 0.01, 12),
            rng.normal(0, 0.01, 12),
            seed=seed,
            sd=0.02 / np.sqrt(2),
            align_null95=np.full(12, 0.02 * 1.645),
            align_p=p_values(z),
        )
        refused.append(select(evidence, rule=rule).status == "no_signal")
    assert np.mean(refused) >= 0.95


def test_noise_that_differs_between_blocks_is_refused_by_the_null_alone(evidence_of):
    rng = np.random.default_rng(4)
    refused = []
    for seed in range(40):
        z = rng.normal(size=12)
        evidence = evidence_of(
            0.02 * z, 0.3 - 0.01 * z, -0.01 * z, seed=seed, sd=1e-4, align_p=p_values(z)
        )
        found = select(evidence)
        refused.append(found.status == "no_signal")
        assert not any("bootstrap noise (from" in reason for reason in found.reasons)
    # the null test's own level is .05: of 40 Bernoulli(.95), under 34 happens 1 time in 300
    assert np.mean(refused) >= 0.85


def test_flat_align_is_refused_though_it_beats_the_null(evidence_of):
    rng = np.random.default_rng(5)
    refused = []
    for seed in range(40):
        align = 0.6 + rng.normal(0, 0.01, 12)
        lrds = np.linspace(0.5, 0.1, 12)
        found = select(evidence_of(align, lrds, lrds, seed=seed, sd=0.01))
        refused.append(found.status == "no_signal")
        if refused[-1]:
            assert "no block is a better place" in found.reasons[0]
    assert np.mean(refused) >= 0.95


def test_identical_blocks_are_refused(evidence_of):
    flat = np.full(12, 0.6)
    found = select(evidence_of(flat, flat, flat, sd=0.0))
    assert (found.status, found.region, found.read_layer) == ("no_signal", (), None)


def test_a_null_that_stands_refuses_a_planted_region(planted):
    found = select(planted(align_p=np.full(12, 0.2)))
    assert found.status == "no_signal"
    assert "permutation null is not beaten" in found.reasons[0]


def test_one_lucky_block_does_not_beat_the_null_of_many(planted):
    p = np.full(12, 0.6)
    p[7] = 0.03
    assert select(planted(align_p=p)).status == "no_signal"
    p[5:10] = 0.005
    assert select(planted(align_p=p)).region == (5, 6, 7, 8, 9)


def test_no_block_that_clears_is_no_signal(evidence_of):
    align = np.repeat([0.1, 0.7], 6)
    found = select(evidence_of(align, align, align))  # aligned exactly where languages differ
    assert found.status == "no_signal"
    assert "no block clears the bars" in found.reasons[0]
    assert found.to_document()["selection"]["region"] == []


def test_a_region_that_units_cannot_agree_on_is_unstable(evidence_of):
    align = np.repeat([0.1, 0.7], 6)
    lrds = 0.3 + np.tile([0.0, 1e-3], 6)  # its bar decides nothing beside noise of .05
    found = select(evidence_of(align, lrds, lrds, sd=0.05, n_resamples=200))
    assert found.status == "unstable"
    assert found.stability.region_jaccard_mean < 0.5
    assert any("bar decides by chance" in warning for warning in found.warnings)


def test_plateau_reads_centred_and_mute_raw_lrds(evidence_of):
    align = np.repeat([0.1, 0.7], 6)
    raw = np.array([0.6] * 6 + [0.1] * 3 + [0.6] * 3)
    centred = np.array([0.6] * 9 + [0.1] * 3)
    evidence = evidence_of(align, raw, centred)
    assert select(evidence, rule="plateau").region == (9, 10, 11)
    assert select(evidence, rule="mute").region == (6, 7, 8)


@pytest.mark.parametrize(
    ("alpha", "region"),
    [(1.5, (3, 4)), (2.5, (2, 3, 4)), (None, (2, 3, 4)), (4.4, (2, 3, 4, 5)), (1.0, (3,))],
)
def test_mute_bars_by_hand(evidence_of, alpha, region):
    align = [0.1, 0.2, 0.6, 0.8, 0.7, 0.6]  # mean .5
    lrds = [0.1, 0.9, 0.24, 0.10, 0.15, 0.40]  # block 0 has the least LRDS but little Align
    found = select(evidence_of(align, lrds, lrds, sd=1e-4), rule="mute", alpha=alpha)
    if alpha == 1.0:  # 1.0 * min is block 3 itself, up to the noise of nothing: point values rule
        assert found.region == (3,)
    assert found.region == region
    assert found.rule["thresholds"]["align"]["value"] == pytest.approx(0.5)
    assert found.rule["thresholds"]["lrds"]["value"] == pytest.approx((alpha or 2.5) * 0.1)


def test_mute_keeps_every_block_and_says_that_the_region_has_holes(evidence_of):
    align = [0.1, 0.7, 0.7, 0.7, 0.1, 0.1]
    lrds = [0.5, 0.1, 0.5, 0.1, 0.5, 0.5]
    evidence = evidence_of(align, lrds, lrds)
    found = select(evidence, rule="mute")
    assert found.region == (1, 3)
    assert found.to_document()["selection"]["contiguous"] is False
    assert any("holes: blocks 1, 3" in warning for warning in found.warnings)
    assert select(evidence).region == (1,)


@pytest.mark.parametrize("least", [0.0, -0.02])
def test_mute_refuses_a_minimum_that_is_not_positive_and_offers_plateau(evidence_of, least):
    align = np.repeat([0.1, 0.7], 6)
    lrds = np.repeat([0.4, least], 6)
    evidence = evidence_of(align, lrds, lrds)
    found = select(evidence, rule="mute")
    assert found.status == "no_signal"
    assert "ill-posed" in found.reasons[0]
    assert "--rule plateau" in found.reasons[0]
    assert select(evidence).region == tuple(range(6, 12))


def test_alpha_under_one_admits_no_block(planted):
    assert select(planted(), rule="mute", alpha=0.5).status == "no_signal"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rule": "plateu"}, "rule must be one of plateau, mute, probe, lens, user. Got 'plateu'"),
        ({"alpha": 2.5}, "alpha must be left out with rule 'plateau'"),
        ({"rule": "mute", "alpha": 0}, "alpha must be a positive finite number"),
        ({"rule": "mute", "alpha": -1.0}, "Got -1.0 instead"),
        ({"rule": "mute", "alpha": float("nan")}, "Got nan instead"),
        ({"rule": "mute", "alpha": float("inf")}, "Got inf instead"),
        ({"rule": "mute", "alpha": True}, "Got True instead"),
        ({"prefer": "shallowest"}, "prefer must be one of peak, earliest, deepest"),
        ({"pooling": "max"}, "pooling must be one of mean, last"),
        ({"roles": ()}, "roles must be a sequence of names"),
        ({"roles": "mlp_out"}, "roles must be a sequence of names"),
    ],
)
def test_bad_options_are_refused_in_one_line(planted, options, words):
    with pytest.raises(RuleError, match=words) as raised:
        select(planted(), **options)
    assert "\n" not in str(raised.value)


def test_bad_roles_and_cards_are_refused(planted, card_of):
    with pytest.raises(RuleError, match=r"roles must be among .* Got 'mlp_in'"):
        select(planted(), card=card_of(), roles=("mlp_in",))
    with pytest.raises(RuleError, match="card must describe the model of the run, with 12 blocks"):
        select(planted(), card=card_of(n_layers=10))


def test_prefer_moves_the_target_and_with_it_the_update_blocks(evidence_of):
    align = np.array([0.1, 0.1, 0.1, 0.7, 0.6, 0.8, 0.65, 0.1, 0.1, 0.1])
    lrds = np.where(align > 0.5, 0.1, 0.5)
    evidence = evidence_of(align, lrds, lrds)
    targets = {p: select(evidence, prefer=p) for p in ("peak", "earliest", "deepest")}
    assert {p: found.read_layer for p, found in targets.items()} == {
        "peak": 5,
        "earliest": 3,
        "deepest": 6,
    }
    assert targets["peak"].update_layers == (3, 4, 5)
    assert targets["earliest"].update_layers == (3,)
    assert targets["deepest"].update_layers == (3, 4, 5, 6)
    assert select(evidence).read_layer == 5
    assert select(evidence, rule="mute").read_layer == 3


def test_selection_is_deterministic_and_the_seed_moves_only_its_random_parts(planted):
    first, again = (select(planted(seed=4)).to_json() for _ in range(2))
    assert first == again
    controls = [select(planted(seed=seed)).controls[:3] for seed in (4, 5)]
    assert controls[0] != controls[1]


def test_two_languages_are_enough_and_the_document_says_what_is_missing(planted):
    found = select(planted(languages=("de", "en")))
    assert found.region == (5, 6, 7, 8, 9)
    assert found.stability.unit == "item"
    assert not found.stability.leave_one_language_out
    assert found.stability.bootstrap_n == 60
    assert any("no language was left out with two languages" in w for w in found.warnings)


def test_left_out_resamples_count_as_much_as_plain_ones(planted):
    evidence = planted()
    hostile = planted(
        align_samples_left_out=evidence.align_samples_left_out[::-1],
        lrds_centred_samples_left_out=evidence.lrds_centred_samples_left_out[::-1],
    )
    # mirrored, blocks 2-6 clear: 5 and 6 always do, 7-9 in half of all resamples
    probabilities = select(hostile).probabilities
    np.testing.assert_allclose(probabilities[[5, 6, 7, 8, 9]], [1, 1, 0.5, 0.5, 0.5])
    assert select(evidence).stability.unit == "both"


def test_reasons_carry_the_numbers(planted, card_of):
    found = select(planted(), card=card_of())
    text = str(found)
    assert "blocks 5–9 keep Align >= 0.35" in text
    assert "target is block 7, the CKA peak" in text
    assert "no deeper block" in text
    assert "3 tensors (mlp_out of blocks 5–7)" in text
    assert len(text.splitlines()) == 1 + len(found.reasons) + len(found.warnings)


def test_run_id_and_pooling_are_recorded(planted):
    document = select(planted(), run_id="r1", pooling="last").to_document()
    assert document["tool"]["run_id"] == "r1"
    assert document["inputs"]["pooling"] == "last"
    assert "run_id" not in json.loads(select(planted()).to_json())["tool"]
