"""Where a batch says that its content lies, on either side of the padding."""

from __future__ import annotations

import pytest
import torch

from probekit.capture.observers import Batch
from probekit.capture.tokens import TokenizedText

TEXTS = (TokenizedText(4, 1, (1, 7, 8, 9), (1, 2, 3)), TokenizedText(5, 0, (1, 6), (1,)))


def batch(side):
    return Batch(TEXTS, 4, side, torch.device("cpu"))


def test_content_positions_follow_the_padding_side():
    assert batch("right").content_index.tolist() == [1, 2, 3, 5]
    assert batch("left").content_index.tolist() == [1, 2, 3, 7]


def test_first_tokens_follow_the_padding_side():
    assert batch("right").first_index.tolist() == [0, 4]
    assert batch("left").first_index.tolist() == [0, 6]


def test_rows_know_their_unit_and_language():
    assert batch("right").units.tolist() == [4, 5]
    assert batch("right").languages.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("pooling", "row"),
    [("mean", [1 / 3, 1 / 3, 1 / 3]), ("last", [0, 0, 1]), ("weighted", [1 / 6, 2 / 6, 3 / 6])],
)
def test_pooling_weights(pooling, row):
    matrix = batch("right").pooling_matrix(pooling)
    assert torch.allclose(matrix, torch.tensor([[*row, 0.0], [0.0, 0.0, 0.0, 1.0]]))


def test_a_pooling_matrix_is_made_once_a_batch():
    one = batch("right")
    assert one.pooling_matrix("mean") is one.pooling_matrix("mean")
    assert one.pooling_matrix("mean") is not one.pooling_matrix("last")
