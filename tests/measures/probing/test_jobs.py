"""Jobs side by side: results in order, errors raised, torch's threads as before."""

from __future__ import annotations

import pytest
import torch

from probekit.measures.probing.jobs import side_by_side


def test_results_come_in_the_order_of_the_jobs():
    assert side_by_side([lambda n=n: n * n for n in range(7)]) == [n * n for n in range(7)]
    assert side_by_side([]) == []


@pytest.mark.parametrize("cores", [1, 3])
def test_threads_are_shared_out_and_put_back(cores):
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        seen = side_by_side([torch.get_num_threads] * 2)
        assert seen == [max(1, cores // 2)] * 2
        assert torch.get_num_threads() == cores
        with pytest.raises(ZeroDivisionError):
            side_by_side([lambda: 1 // 0, lambda: 1])
        assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(before)
