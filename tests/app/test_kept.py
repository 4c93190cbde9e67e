"""Results that several cards share are made once, bounded, and an error is not kept."""

from __future__ import annotations

import threading

import pytest

from probekit_app.kept import Kept


def test_it_is_made_once():
    kept, made = Kept(), []
    for _ in range(3):
        assert kept.get("a", lambda: made.append(1) or "made") == "made"
    assert made == [1]


def test_only_the_last_few_stay():
    kept, made = Kept(most=2), []
    for key in ("a", "b", "c", "a"):
        kept.get(key, lambda key=key: made.append(key))
    assert len(kept) == 2
    assert made == ["a", "b", "c", "a"]


def test_an_error_is_not_kept():
    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 / 0)
    assert kept.get("a", lambda: 5) == 5


def test_two_who_ask_at_once_wait_for_one_making():
    kept, made, started, go = Kept(), [], threading.Event(), threading.Event()

    def make():
        made.append(1)
        started.set()
        go.wait(10)
        return object()

    found = []
    first = threading.Thread(target=lambda: found.append(kept.get("a", make)))
    first.start()
    started.wait(10)
    second = threading.Thread(target=lambda: found.append(kept.get("a", make)))
    second.start()
    go.set()
    first.join()
    second.join()
    assert made == [1]
    assert found[0] is found[1]
