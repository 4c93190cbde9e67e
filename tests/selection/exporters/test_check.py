"""Only the model that a selection was made for passes: names, depth, sizes, weights."""

from __future__ import annotations

import pytest

from probekit.errors import ModelError, RuleError
from probekit.models import load
from probekit.selection import select
from probekit.selection.exporters import check_model, export, read_tensors
from tests.tiny import save_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny("llama", tmp_path_factory.mktemp("model") / "llama", num_hidden_layers=12)


@pytest.fixture
def document(folder, planted):
    """A selection whose card was taken from the saved model itself."""
    from probekit.selection import ModelCard
    from probekit.studies.provenance import model_card

    card = model_card(load(folder))
    made = ModelCard(
        id=card["id"],
        model_type=card["model_type"],
        n_layers=card["n_blocks"],
        layers_path=card["blocks"],
        roles=card["roles"],
        parameters=card["parameters"],
        dtype=card["dtype"],
        state_sha256=card["state_sha256"],
    )
    return select(planted(), card=made).to_document()


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "opt", "bloom", "t5", "bert"])
def test_names_without_weights_are_the_names_with_them(tmp_path, family):
    saved = save_tiny(family, tmp_path / family)
    loaded = load(saved).model.named_parameters()
    assert list(read_tensors(saved).items()) == [(n, tensor.numel()) for n, tensor in loaded]


def test_the_right_model_passes_and_gives_its_order(document, folder):
    names = check_model(document, folder)
    assert names == tuple(read_tensors(folder))
    assert export(document, "wmdp", names=names).expressible


def test_other_weights_under_the_same_names_are_noticed(document, tmp_path):
    other = save_tiny("llama", tmp_path / "other", seed=1, num_hidden_layers=12)
    with pytest.raises(RuleError, match=r"names are the same, the weights are not"):
        check_model(document, other)
    assert check_model(document, other, weights=False)


@pytest.mark.parametrize(
    ("family", "options", "says"),
    [
        ("gpt2", {"n_layer": 12}, "3 of 3 tensors do not exist"),
        ("llama", {"num_hidden_layers": 6}, "2 of 3 tensors do not exist"),
        ("llama", {"num_hidden_layers": 14}, "14 blocks, not 12"),
        ("llama", {"num_hidden_layers": 12, "intermediate_size": 64}, "elements, not"),
    ],
)
def test_another_model_is_refused(document, tmp_path, family, options, says):
    other = save_tiny(family, tmp_path / "other", **options)
    with pytest.raises(RuleError, match=rf"made for another model .*{says}"):
        check_model(document, other)


def test_a_source_that_is_no_model_is_refused(document, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "nothing"}')
    with pytest.raises(ModelError, match="cannot be read"):
        check_model(document, tmp_path)
