"""Selections of blocks 5-7 of twelve, made for tiny models of thirteen families."""

from __future__ import annotations

import copy
import functools
from types import SimpleNamespace

import pytest

from probekit.models.anatomy import find_anatomy
from probekit.selection import ModelCard, select
from probekit.selection.parameters import names_sha256
from tests.tiny import FAMILIES, tiny_model

N_BLOCKS = 12
SELECTIONS = {}  # frozen, so made once


@functools.cache
def deep(family):
    """A tiny model of twelve blocks (so 1 and 11 differ), its names in order, its anatomy."""
    given = FAMILIES[family][1]
    depth = next(key for key in ("n_layer", "num_hidden_layers") if key in given)
    model = tiny_model(family, **{depth: N_BLOCKS})
    tensors = {name: tensor.numel() for name, tensor in model.named_parameters()}
    return SimpleNamespace(
        family=family, model=model, tensors=tensors, names=tuple(tensors), tree=find_anatomy(model)
    )


def card_for(subject):
    tree = subject.tree
    return ModelCard(
        id=f"tiny/{subject.family}",
        model_type=tree.model_type,
        n_layers=tree.n_blocks,
        layers_path=tree.blocks,
        roles=tree.roles,
        parameters=subject.tensors,
        final_norm=tree.final_norm,
        lm_head=tree.unembed,
    )


@pytest.fixture
def subject_of():
    return deep


@pytest.fixture
def fresh():
    """A copy that a test may train or break."""
    return lambda subject: copy.deepcopy(subject.model)


@pytest.fixture
def selection_of(planted):
    """Region 5-9, read block 7, update blocks 5-7."""

    def make(family="llama", roles=("mlp_out",)):
        if (family, roles) not in SELECTIONS:
            found = select(planted(), card=card_for(deep(family)), roles=roles)
            assert found.update_layers == (5, 6, 7)
            assert found.read_layer == 7
            SELECTIONS[family, roles] = found
        return SELECTIONS[family, roles]

    return make


@pytest.fixture
def document_of(selection_of):
    """The document of such a selection, with other tensors or another region where said."""

    def make(family="llama", names=None, **selection):
        document = selection_of(family).to_document()
        if names is not None:
            document["parameters"] |= {
                "names": list(names),
                "count": len(names),
                "names_sha256": names_sha256(names),
                "numel": sum(deep(family).tensors.get(name, 1) for name in names),
            }
        document["selection"] |= selection
        return document

    return make
