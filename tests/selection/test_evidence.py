"""Evidence and model cards refuse what is not usable, by name."""

import dataclasses
import re

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.selection import ModelCard


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"align": np.zeros(11)}, r"evidence.align must have shape \(12,\). Got \(11,\)"),
        ({"lrds_samples": np.zeros((12, 5))}, "evidence.lrds_samples must have shape"),
        ({"align_samples": np.zeros(12)}, "evidence.align_samples must have shape"),
        ({"align": np.full(12, np.nan)}, "evidence.align must be finite. Got nan at block 0"),
        ({"lrds": np.full(12, np.inf)}, "evidence.lrds must be finite"),
        ({"ratio": np.full(12, -np.inf)}, "evidence.ratio must be finite"),
        ({"align_p": np.full(12, 1.5)}, r"evidence.align_p must lie in \[0, 1\]"),
        ({"layers": (-1, *range(11))}, r"without the embedding \(-1\)"),
        ({"layers": tuple(range(0, 24, 2))}, "evidence.layers must be every block"),
        ({"languages": ("de", "de", "en", "sw")}, "distinct codes"),
        ({"languages": ("de",)}, "at least two distinct"),
        ({"n_units": 0}, "evidence.n_units must be positive"),
        ({"align_without": None}, "Got no align_without"),
        ({"languages": ("de", "en")}, "must be None with two languages"),
    ],
)
def test_unusable_evidence_is_refused_by_name(planted, change, words):
    with pytest.raises(InputError, match=words) as raised:
        dataclasses.replace(planted(), **change)
    assert "\n" not in str(raised.value)


def test_fewer_than_three_blocks_are_refused(evidence_of):
    with pytest.raises(InputError, match="at least 3"):
        evidence_of([0.1, 0.9], [0.5, 0.1], [0.5, 0.1])


def test_a_single_resample_is_refused(planted):
    with pytest.raises(InputError, match="at least 2 resamples"):
        planted(n_resamples=1)


def test_an_infinite_ratio_is_legal(planted):
    assert np.isinf(planted(ratio=np.full(12, np.inf)).ratio).all()


def test_arrays_are_read_only_copies(planted):
    source = np.full(12, 0.05)
    evidence = planted(align_null95=source)
    source[0] = 9.0
    assert evidence.align_null95[0] == 0.05
    with pytest.raises(ValueError, match="read-only"):
        evidence.align[0] = 1.0


def test_two_languages_carry_no_left_out_arrays(planted):
    assert not planted(languages=("de", "en")).has_left_out
    assert planted().has_left_out


@pytest.mark.parametrize("change", [{"n_layers": 0}, {"parameters": {}}])
def test_an_empty_model_card_is_refused(card_of, change):
    with pytest.raises(InputError, match="at least one block and one tensor"):
        card_of(**change)


def test_a_model_card_does_not_follow_later_changes_of_its_sources():
    parameters = {"model.layers.0.mlp.down_proj.weight": 4}
    card = ModelCard(
        id="m",
        model_type="llama",
        n_layers=1,
        layers_path="model.layers",
        roles={},
        parameters=parameters,
    )
    parameters.clear()
    assert re.fullmatch(r"model\..*", next(iter(card.parameters)))
