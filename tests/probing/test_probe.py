"""A kept probe: scikit-learn's manners, every bit after a round trip, its own model only."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from probekit.errors import InputError, ModelError, StorageError
from probekit.probing import Probe, text_vectors
from tests.tiny import tiny_subject

TEXTS = [f"{'yes' if i % 2 else 'no way'} {i}" for i in range(24)]
SAID = ["good" if i % 2 else "bad" for i in range(24)]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.array(["a", "b", "c"])[rng.integers(0, 3, 60)]
    X = rng.standard_normal((60, 8)) + 2 * (y[:, None] == ["a", "b", "c"]) @ np.eye(3, 8)
    return X, y


@pytest.fixture(scope="module")
def subject():
    return tiny_subject("llama")


@pytest.fixture(scope="module")
def kept(subject):
    vectors = text_vectors(subject, TEXTS, language="en")
    return Probe.for_subject(subject, layer=1, task="mood").fit(vectors[2], SAID)


@pytest.mark.parametrize("classes", [["a", "b", "c"], ["a", "b"]])
def test_it_says_what_a_scikit_learn_pipeline_says(data, classes):
    X, y = data
    X, y = X[np.isin(y, classes)], y[np.isin(y, classes)]
    probe = Probe(C=0.3).fit(X, y)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, tol=1e-10, max_iter=9999))
    model.fit(X, y)
    assert np.array_equal(probe.classes_, model.classes_)
    assert np.array_equal(probe.predict(X), model.predict(X))
    assert np.allclose(probe.predict_proba(X), model.predict_proba(X), atol=1e-4)
    assert np.allclose(probe.decision_function(X), model.decision_function(X), atol=1e-3)
    assert probe.score(X, y) == model.score(X, y)
    assert probe.n_features_in_ == 8


def test_scikit_learn_can_clone_it(data):
    probe = Probe(C=0.5, task="t", layer=3)
    copy = clone(probe)
    assert copy.get_params() == probe.get_params()
    assert not hasattr(copy, "coef_")
    assert copy.set_params(C=2.0).C == 2.0
    with pytest.raises(InputError, match="no setting 'c'"):
        copy.set_params(c=1.0)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_unfitted_it_raises(data, method):
    with pytest.raises(InputError, match="must be fitted"):
        getattr(Probe(), method)(data[0])


def test_unfitted_it_is_not_saved(tmp_path):
    with pytest.raises(InputError, match="must be fitted"):
        Probe().save(tmp_path / "p.safetensors")


def test_vectors_of_another_width_are_refused(data):
    probe = Probe().fit(*data)
    with pytest.raises(InputError, match=r"\(n_items, 8\).*Got \(60, 5\)"):
        probe.predict(data[0][:, :5])


def test_a_round_trip_keeps_every_bit(data, tmp_path):
    X, y = data
    probe = Probe(C=0.3, task="t", layer=4, pooling="last", weights_sha256="abc").fit(X, y)
    found = Probe.load(probe.save(tmp_path / "p.safetensors"))
    assert found.get_params() == probe.get_params()
    assert np.array_equal(found.classes_, probe.classes_)
    for name in ("coef_", "intercept_", "mean_", "scale_"):
        assert getattr(found, name).tobytes() == getattr(probe, name).tobytes()
    assert found.predict_proba(X).tobytes() == probe.predict_proba(X).tobytes()
    assert (
        found.save(tmp_path / "q.safetensors").read_bytes()
        == (tmp_path / "p.safetensors").read_bytes()
    )


@pytest.mark.parametrize("labels", [[0, 1] * 30, [True, False] * 30, ["é", "ß"] * 30])
def test_classes_keep_their_type(data, labels, tmp_path):
    probe = Probe().fit(data[0], labels)
    found = Probe.load(probe.save(tmp_path / "p.safetensors"))
    assert found.predict(data[0]).tolist() == probe.predict(data[0]).tolist()
    assert found.classes_.dtype.kind == probe.classes_.dtype.kind


def test_what_is_not_a_probe_is_refused(tmp_path):
    (tmp_path / "text").write_text("hello")
    save_file({"x": np.zeros(2)}, tmp_path / "other.safetensors")
    for name in ("text", "other.safetensors", "none"):
        with pytest.raises(InputError, match="cannot be read"):
            Probe.load(tmp_path / name)


def test_a_place_that_cannot_be_written_is_one_clear_error(data, tmp_path):
    with pytest.raises(StorageError):
        Probe().fit(*data).save(tmp_path / "none" / "p.safetensors")


def test_it_reads_texts_with_its_own_model(kept, subject):
    assert kept.predict_texts(subject, TEXTS, language="en").tolist() == SAID


def test_other_weights_or_an_adapter_are_refused(kept, subject):
    with pytest.raises(ModelError, match=r"was fitted to weights .*load the model"):
        kept.check_subject(tiny_subject("llama", seed=1))
    adapted = dataclasses.replace(tiny_subject("llama", seed=1), adapter="an/adapter")
    with pytest.raises(ModelError, match="with adapter 'an/adapter'"):
        kept.predict_texts(adapted, TEXTS, language="en")


def test_a_model_of_another_width_is_refused(kept):
    wide = tiny_subject("llama", hidden_size=64)
    with pytest.raises(ModelError, match=r"fitted to width 32.*of width 64"):
        kept.check_subject(wide)


def test_a_probe_without_a_home_is_not_applied_to_text(data, subject):
    with pytest.raises(InputError, match=r"Probe\.for_subject"):
        Probe().fit(*data).check_subject(subject)


@pytest.mark.parametrize("layer", [-2, 3])
def test_a_layer_that_is_not_there_is_refused(subject, layer):
    with pytest.raises(InputError, match=f"between -1 and 2. Got {layer}"):
        Probe.for_subject(subject, layer=layer)


def test_its_name_says_whether_it_is_fitted(data):
    assert "not fitted" in repr(Probe())
    assert "3 classes" in repr(Probe().fit(*data))
