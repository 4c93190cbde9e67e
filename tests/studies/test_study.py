"""The study: a file, an object and a record; wrong fields are one line with the way out."""

from __future__ import annotations

import pytest
import yaml

from probekit import Study
from probekit.errors import StudyError


def test_yaml_round_trip_of_every_field(tmp_path):
    study = Study(
        model="x",
        languages=("no", "en", "zh-Hant"),
        corpus_options={"labels": ["topic"]},
        pooling="weighted",
        limit=9,
        seed=3,
        keep_pooled=False,
    )
    path = tmp_path / "study.yaml"
    path.write_text(study.to_yaml(), encoding="utf-8")
    assert Study.from_yaml(path) == study
    assert set(yaml.safe_load(study.to_yaml())) == set(Study.model_fields)


def test_an_empty_file_is_the_default_study(tmp_path):
    (tmp_path / "s.yaml").write_text("")
    assert Study.from_yaml(tmp_path / "s.yaml") == Study()


def test_overrides_win_option_by_option(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("model: a\nseed: 1\ncorpus_options: {unit: id, labels: [topic]}\n")
    read = Study.from_yaml(path, model="b", corpus_options={"unit": "key"})
    assert (read.model, read.seed) == ("b", 1)
    assert read.corpus_options == {"unit": "key", "labels": ["topic"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour: red\n", r"no field 'colour' \(has: model, .*Remove or rename it"),
        ("pooling: max\n", r"field 'pooling'.*Got 'max' instead"),
        ("max_tokens: 0\n", r"field 'max_tokens'.*Got 0 instead"),
        ("limit: 0\n", r"field 'limit'.*Got 0 instead"),
        ("bootstrap: 3\n", r"field 'bootstrap'.*Got 3 instead"),
        ("dtype: int8\n", r"field 'dtype'.*Got 'int8' instead"),
        ("backend: jax\n", r"field 'backend'.*Got 'jax' instead"),
        ("missing: guess\n", r"field 'missing'.*Got 'guess' instead"),
        ("languages: en\n", r"field 'languages'.*Got 'en' instead"),
        ("languages: [no, en]\n", r"field 'languages.0'.*Got False instead"),
        ("corpus_options: 3\n", r"field 'corpus_options'.*Got 3 instead"),
        ("analyses: [cka, vibes]\n", r"field 'analyses.1'.*Got 'vibes' instead"),
        ("3: x\n", "no field '3'"),
        ("[1, 2]\n", "Got a list instead"),
        ("a: [\n", "cannot be read"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, text, says):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(StudyError, match=says) as error:
        Study.from_yaml(tmp_path / "s.yaml")
    assert "\n" not in str(error.value)


def test_no_file_no_text_and_a_folder_are_one_line(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"model: caf\xe9\n")
    for path in (tmp_path / "none.yaml", tmp_path / "latin.yaml", tmp_path):
        with pytest.raises(StudyError, match="cannot be read") as error:
            Study.from_yaml(path)
        assert "\n" not in str(error.value)


def test_a_study_does_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Study().seed = 4
