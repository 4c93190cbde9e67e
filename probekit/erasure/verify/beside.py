"""What a report keeps of a control: the numbers of every check, without the tables behind them.

Pure: what was found and judged goes in, plain values come out. Costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from probekit.erasure.verify.verdicts import Verdict

_RISE = ("n", "rise", "rise_low", "rise_high")
_ENDS = ("success", "low", "high")


def kept_shares(behaviour: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """``{part: {language: share}}`` of one column of the behaviour, as far as it is there."""
    return {
        part: {code: cell[name] for code, cell in cells.items() if name in cell}
        for part, cells in behaviour.items()
    }


def control_record(
    found: Mapping[str, Any], words: Mapping[str, Verdict], contract: Mapping[str, Any]
) -> dict[str, Any]:
    """A control as it stands in a report.

    Parameters
    ----------
    found
        What all checks gave.
    words
        Verdict of every language.
    contract
        Which tensors moved against those that were to.

    Returns
    -------
    dict
        ``kept`` and ``after`` (of known facts, of all facts) by part and language; ``attacks`` by
        name and language; ``verdicts`` in words and ``judged`` in full; ``fluency``; ``contract``;
        and where they were run ``damage`` (the block least like the base's) and ``lens`` (recall by
        block).
    """
    lens = found["attacks"].get("lens")
    record = {
        "kept": kept_shares(found["behaviour"], "kept"),
        "after": kept_shares(found["behaviour"], "after_exact"),
        "attacks": {name: done["by_language"] for name, done in found["attacks"].items()},
        "verdicts": {code: str(word) for code, word in words.items()},
        "judged": {code: word.to_json() for code, word in words.items()},
        "fluency": {
            code: {key: cell[key] for key in _RISE if key in cell}
            for code, cell in found["fluency"].items()
        },
        "contract": dict(contract),
    }
    if "damage" in found:
        record["damage"] = {code: least_like(rows) for code, rows in found["damage"].items()}
    if lens is not None:
        recall = {code: _columns(each["after"]) for code, each in lens["recall"].items()}
        record["lens"] = {"blocks": lens["blocks"], "recall": recall}
    return record


def least_like(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The block of the lowest CKA with the base, and how many blocks have no spread left."""
    alive = [row for row in rows if "cka" in row]
    lowest = min(alive, key=lambda row: row["cka"], default={})
    return {**lowest, "collapsed": len(rows) - len(alive)}


def _columns(shares: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Shares by block as columns."""
    return {"n": shares[0]["n"], **{end: [each[end] for each in shares] for end in _ENDS}}
