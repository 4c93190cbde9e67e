"""Results that several cards of a page ask for, made once and kept: bounded, safe to share.

Two cards that ask for the same thing at the same moment wait for one making of it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOST = 24


class Kept:
    """The last few results by key.

    Parameters
    ----------
    most
        How many are kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._made: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make`` returns, made at most once while it is kept; an error is not kept."""
        with self._lock:
            known = self._made.get(key)
            mine = known is None
            future: Future[Any] = Future() if known is None else known
            self._made[key] = future
            self._made.move_to_end(key)
            while len(self._made) > self._most:
                self._made.popitem(last=False)
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)
                with self._lock:
                    self._made.pop(key, None)
        return future.result()

    def __len__(self) -> int:
        return len(self._made)
