"""Independent pieces of work side by side, each on its own thread with its share of the cores.

A batch of small matrices leaves most cores idle, or worse, waiting for each other, when torch
splits every operation; whole pieces side by side do not. Costs the memory of the pieces at once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def side_by_side(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Results of all jobs, in order; the first error of any is raised.

    While they run, torch splits each operation over as many threads as are left for its job.
    """
    import torch

    cores = torch.get_num_threads()
    workers = max(1, min(len(jobs), cores))
    torch.set_num_threads(max(1, cores // workers))
    try:
        # threads made now take over the number of threads that was just set
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda job: job(), jobs))
    finally:
        torch.set_num_threads(cores)
