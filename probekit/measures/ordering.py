"""An order of languages in which those that are alike stand together; for drawing, not a result."""

from __future__ import annotations

import numpy as np

from probekit.errors import InputError
from probekit.measures.checks import AnyArray


def cluster_order(alike: AnyArray) -> list[int]:
    """Order of the leaves of average-linkage clustering, turned so that neighbours are alike.

    Optimal leaf ordering (Bar-Joseph et al. 2001). Milliseconds for 100 languages.

    Parameters
    ----------
    alike : array of shape (n_languages, n_languages)
        Larger is more alike; read in both directions and averaged. Its diagonal is not read.

    Raises
    ------
    InputError
        Not a square table of finite numbers.
    """
    table = np.asarray(alike, dtype=np.float64)
    square = table.ndim == 2 and table.shape[0] == table.shape[1]
    off = ~np.eye(len(table), dtype=bool) if square else None
    if off is None or not np.isfinite(table[off]).all():
        msg = f"alike must be a square table of finite numbers. Got shape {table.shape} instead."
        raise InputError(msg)
    if len(table) < 3:
        return list(range(len(table)))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    both = (table + table.T) / 2
    distance = np.where(off, both[off].max() - both, 0)
    tree = linkage(squareform(distance, checks=False), method="average", optimal_ordering=True)
    return [int(leaf) for leaf in leaves_list(tree)]


def grouped_order(groups: list[str]) -> list[int]:
    """Groups in the order of their first member, and members in their own order."""
    first = {group: at for at, group in reversed(list(enumerate(groups)))}
    return sorted(range(len(groups)), key=lambda at: (first[groups[at]], at))
