"""Documents of erasures with planted numbers, as ``verify`` and ``sweep`` write them."""

from __future__ import annotations

import re

from probekit.erasure.verify.beside import control_record
from probekit.erasure.verify.settings import VerifySettings
from probekit.erasure.verify.shares import share
from probekit.erasure.verify.verdicts import judge

SOURCE, HELD_OUT = ("en", "es"), ("de", "sw")
N, N_BLOCKS = 16, 5


def markup(page):
    """A page without what its scripts say: plotly's own bundle names addresses it may ask for."""
    return re.sub(r"(<script[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)


def of(hits, n=N, chance=0.25):
    """So many hits of ``n``."""
    return share([1.0] * hits + [0.0] * (n - hits), [chance] * n)


def asked(after, before=N, known=N):
    """A part and language of the behaviour: facts answered after, before, and known."""
    cell = {"n": N, "known": known}
    cell |= {"before_exact": of(before), "after_exact": of(after)}
    return cell | ({"kept": of(min(after, known), known)} if known else {})


def make_report(after=None, attacks=("choices", "lens", "relearn"), **changes):
    """A report in which so many facts are answered after, by language."""
    after = after or {"es": 4, "sw": 15, "en": 3, "de": 9}
    forget = {code: asked(hits) for code, hits in after.items()}
    made = {
        "choices": {"by_language": {code: of(min(N, hits + 1)) for code, hits in after.items()}},
        "lens": {
            "blocks": [2, 3],
            "by_language": {code: of(15, chance=0.5) for code in after},
            "recall": {
                code: {
                    "before": [of(3 * block) for block in range(N_BLOCKS)],
                    "after": [of(2 * block) for block in range(N_BLOCKS)],
                }
                for code in after
            },
        },
        "relearn": {
            "by_language": {code: of(8) for code in after},
            "matrix": {source: {code: of(8) for code in after} for source in SOURCE},
        },
        "rounding": {"by_language": {code: of(5) for code in after}},
    }
    ran = {name: made[name] for name in attacks}
    retain = {code: asked(15) for code in after}
    words = judge(
        {code: cell.get("kept", {}) for code, cell in forget.items()},
        {code: cell["kept"] for code, cell in retain.items()},
        {name: each["by_language"] for name, each in ran.items()},
        how=VerifySettings(),
    )
    document = {
        "schema_version": "erasure-report/1",
        "base": {"source": "taught", "state_sha256": "aa"},
        "erased": {"source": "erased", "state_sha256": "bb"},
        "facts": {"name": "planted", "sha256": "cc", "n": 128},
        "source": list(SOURCE),
        "held_out": list(HELD_OUT),
        "contract": {
            "checked": True, "ok": True, "n_tensors": 9, "moved": ["w"], "unmoved": [],
            "extra": [], "missing": [],
        },
        "behaviour": {"forget": forget, "retain": retain},
        "fluency": {code: {"rise": 0.1, "rise_low": 0.0, "rise_high": 0.2} for code in after},
        "attacks": ran,
        "skipped": {name: "not asked for" for name in made if name not in ran},
        "matrix": {"row": forget},
        "verdicts": {code: word.to_json() for code, word in words.items()},
        "notes": [],
    }  # fmt: skip
    return document | changes


def blocks(*values):
    """CKA by block; None where a block has collapsed."""
    return [
        {"block": at, "collapsed": True}
        if value is None
        else {"block": at, "cka": value, "low": value - 0.1, "high": value, "null95": 0.1}
        for at, value in enumerate(values)
    ]


BROKEN = {
    "checked": True, "ok": False, "n_tensors": 9, "moved": ["v", "w"], "unmoved": [],
    "extra": ["v"], "missing": [],
}  # fmt: skip


def make_control(after=None, contract=None, **settings):
    """A control as ``verify`` keeps it, made of a report of its own."""
    alone = make_report(after or {"es": 8, "sw": 2, "en": 9, "de": 1})
    found = {key: alone[key] for key in ("behaviour", "attacks", "fluency")}
    found["damage"] = {code: blocks(0.9, 0.4, None) for code in alone["verdicts"]}
    forget, retain = (
        {code: cell["kept"] for code, cell in alone["behaviour"][part].items() if "kept" in cell}
        for part in ("forget", "retain")
    )
    attacks = {name: each["by_language"] for name, each in alone["attacks"].items()}
    words = judge(forget, retain, attacks, how=VerifySettings(**settings))
    return control_record(found, words, contract or alone["contract"])


def known(hits, n=N):
    """A part and language of a sweep."""
    cell = of(hits, n)
    ends = {"low": cell["low"], "high": cell["high"]}
    return {"n": n, "known": hits, "accuracy": cell["success"], "nll": 1.0, **ends}


def make_sweep(**changes):
    """The selection and two controls, over four languages."""
    codes = (*SOURCE, *HELD_OUT)

    def report(forget):
        """Other languages keep one fact more than the one before."""
        return {
            "forget": {code: known(forget + at) for at, code in enumerate(codes)},
            "retain": {code: known(15) for code in codes},
        }

    cells = [
        {
            "cell": name, "folder": name, "kind": kind, "blocks": blocks, "read_layer": blocks[-1],
            "n_tensors": len(blocks), "steps": 20, "stopped": "forget_target", "contract": True,
            "report": report(hits),
        }
        for name, kind, blocks, hits in (
            ("selection", "selection", [2, 3], 4),
            ("random-1", "random_same_size", [0, 4], 9),
            ("all-layers", "all_layers", [0, 1, 2, 3, 4], 2),
        )
    ]  # fmt: skip
    document = {
        "schema_version": "erasure-sweep/1",
        "model": {"source": "taught", "state_sha256": "aa"},
        "facts": {"name": "planted", "sha256": "cc", "n": 128},
        "source": list(SOURCE),
        "held_out": list(HELD_OUT),
        "settings": {"algorithm": "rmu", "forget_target": None},
        "forget_bar": 0.25,
        "base": report(12),
        "cells": cells,
        "notes": [],
    }
    return document | changes
