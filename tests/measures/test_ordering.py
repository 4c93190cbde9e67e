"""Orders of languages are permutations that put those that belong together side by side."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from probekit.errors import InputError
from probekit.measures.ordering import cluster_order, grouped_order


def planted(families, *, seed=0):
    """Alike within families, not across; noise that is not symmetric."""
    families = np.array(families)
    same = families[:, None] == families[None, :]
    noise = np.random.default_rng(seed).uniform(0, 0.2, size=same.shape)
    return np.where(same, 0.8, 0.3) + noise


@pytest.mark.parametrize("seed", range(4))
def test_clustering_puts_planted_families_together(seed):
    families = [0, 1, 2, 0, 1, 2, 2, 1, 0, 0]
    order = cluster_order(planted(families, seed=seed))
    assert sorted(order) == list(range(10))
    shown = [families[at] for at in order]
    assert sum(a != b for a, b in pairwise(shown)) == 2


def test_clustering_does_not_read_the_diagonal():
    table = planted([0, 1, 0, 1, 0])
    other = table.copy()
    np.fill_diagonal(other, np.nan)
    assert cluster_order(other) == cluster_order(table)


def test_two_languages_need_no_clustering():
    assert cluster_order(np.eye(2)) == [0, 1]


def test_groups_keep_the_order_of_their_first_member():
    assert grouped_order(["b", "a", "b", "c", "a"]) == [0, 2, 1, 4, 3]


@pytest.mark.parametrize("table", [np.zeros((2, 3)), np.array([[0, np.nan], [1, 0]]), np.zeros(3)])
def test_what_is_no_table_is_refused(table):
    with pytest.raises(InputError, match="alike must be a square table"):
        cluster_order(table)
