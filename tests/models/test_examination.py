"""The arithmetic of the doctor's measurements."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from probekit.models.examination import count_hooks, largest_difference, relative_error


def test_relative_error_is_the_worst_token():
    b = torch.tensor([[3.0, 4.0], [300.0, 400.0]])
    a = b + torch.tensor([[0.0, 0.5], [0.0, 5.0]])
    assert relative_error(a, b) == pytest.approx(0.1)  # 0.5 / 5, not 5 / 500
    assert largest_difference(a, b) == 5.0


def test_nan_is_never_close_and_other_shapes_are_infinitely_far():
    b = torch.ones(2, 3)
    assert math.isnan(relative_error(b * math.nan, b))
    assert relative_error(torch.ones(2, 4), b) == math.inf
    assert largest_difference(torch.ones(2, 4), b) == math.inf


def test_hooks_of_every_kind_are_counted():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    assert count_hooks(model) == 0
    handles = [
        model[0].register_forward_hook(lambda *_: None),
        model[0].register_forward_pre_hook(lambda *_: None),
        model[1].register_full_backward_hook(lambda *_: None),
        model.register_full_backward_pre_hook(lambda *_: None),
    ]
    assert count_hooks(model) == 4
    for handle in handles:
        handle.remove()
    assert count_hooks(model) == 0
