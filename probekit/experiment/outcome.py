"""What an experiment found: a row a place, over seeds, and each place against the selection.

Facts are the units. Only facts count that the taught model answers in that language; a fact's
value is the share of its languages and seeds in which it is still answered, and an interval is a
bootstrap over facts, so that languages and seeds of one fact are not taken for independent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import InputError
from probekit.experiment.times import Times
from probekit.facts.intervals import mean_interval
from probekit.measures.resampling import bootstrap_weights, percentile_interval

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

SCHEMA = "erasure-experiment/1"
OUTCOME = "experiment.json"
SIDES = ("source", "held_out")
N_RESAMPLES = 1000
#: Least share of facts that must be erased in the source before "carried over" means anything.
LEAST_FALL = 0.1


@dataclass(frozen=True, eq=False)
class Outcome:
    """An experiment.

    Attributes
    ----------
    record
        Plain values, as in ``experiment.json``: the plan, the selection, every arm.
    folder
        Where it lies.
    """

    record: dict[str, Any]
    folder: Path

    @property
    def arms(self) -> list[dict[str, Any]]:
        """Every arm's record."""
        return list(self.record["arms"])

    def rows(self) -> list[dict[str, Any]]:
        """One row an algorithm, source and place, over seeds.

        ``forget_source``, ``forget_held_out``, ``retain_source``, ``retain_held_out``: share of
        known facts still answered, each a mapping ``{n, share, low, high, seeds}`` with the share
        of every seed; ``carried``: of what was forgotten in the source, how much was forgotten in
        the held-out languages too (``None`` where less than a tenth was forgotten in the source);
        ``words``: verdicts and how often.
        """
        return [self._row(group) for group in self._groups().values()]

    def contrasts(self) -> list[dict[str, Any]]:
        """The selection minus each other place, by algorithm and source, the same facts paired.

        Of ``forget_held_out`` (below 0: more is forgotten at the selection) and
        ``retain_held_out`` (above 0: more is kept), with intervals over facts.
        """
        found = []
        groups = self._groups()
        for (algorithm, source, place), arms in groups.items():
            own = groups.get((algorithm, source, "selection"))
            if place == "selection" or own is None:
                continue
            row: dict[str, Any] = {"algorithm": algorithm, "source": list(source), "against": place}
            for part in ("forget", "retain"):
                pair = [_shares(each, part, "held_out") for each in (own, arms)]
                row[f"{part}_held_out"] = _difference(*pair)
            found.append(row)
        return found

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage, over all sittings: ``teach``, ``select``, every arm by name.

        Of the arms of this outcome alone; one that was made before times were kept has none.
        """
        known = Times(self.folder).read()
        names = ("teach", "select", *(each["arm"]["name"] for each in self.arms))
        return {name: known[name] for name in names if name in known}

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that facts were taught in."""
        return tuple(self.record["plan"]["languages"])

    def matrix(self, algorithm: str, place: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Facts to forget that are still answered: ``{source: {language: {n, share, low, high}}}``.

        Over seeds, of the facts that the taught model answers in that language; a language without
        one has no cell. ``source`` joins the languages erased in with ``+``.
        """
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for (name, source, where), arms in self._groups().items():
            if (name, where) != (algorithm, place):
                continue
            row = {code: _told(_kept(arms, "forget", [code])) for code in self.languages}
            found["+".join(source)] = {code: cell for code, cell in row.items() if cell}
        return found

    def evidence(self) -> dict[str, dict[str, Any]]:
        """By algorithm and source: the result that may raise the selection's evidence grade.

        ``effect``: in held-out languages, share of retained facts still answered minus share of
        facts to forget still answered, at the selection; ``controls``: the same elsewhere. A file
        of one is what ``LayerSelection.with_evidence("confirmed_by_sweep", file)`` reads.
        """
        found: dict[str, dict[str, Any]] = {}
        groups = self._groups()
        for algorithm, source in dict.fromkeys(key[:2] for key in groups):
            own = [g for k, g in groups.items() if k[:2] == (algorithm, source)]
            told = {arms[0]["arm"]["place"]: _selective(arms) for arms in own}
            known = {place: each for place, each in told.items() if each is not None}
            mine = known.pop("selection", None)
            if mine is None or len(known) < len(told) - 1:
                continue
            found[f"{algorithm}.{'+'.join(source)}"] = {
                "kind": "sweep",
                "names_sha256": self.record["selection"]["names_sha256"],
                **mine,
                "controls": [{"kind": n, "effect": each["effect"]} for n, each in known.items()],
            }
        return found

    def _groups(self) -> dict[tuple[str, tuple[str, ...], str], list[dict[str, Any]]]:
        groups: dict[tuple[str, tuple[str, ...], str], list[dict[str, Any]]] = {}
        for record in self.arms:
            arm = record["arm"]
            key = (arm["algorithm"], tuple(arm["source"]), arm["place"])
            groups.setdefault(key, []).append(record)
        return groups

    def _row(self, arms: list[dict[str, Any]]) -> dict[str, Any]:
        first = arms[0]["arm"]
        row: dict[str, Any] = {key: first[key] for key in ("algorithm", "source", "place")}
        row["blocks"] = [each["blocks"] for each in arms]
        row["steps"] = [each["steps"] for each in arms]
        row["stopped"] = [each["stopped"] for each in arms]
        for part in ("forget", "retain"):
            for side in SIDES:
                row[f"{part}_{side}"] = _cell(arms, part, side)
        row["carried"] = _carried(arms)
        row["words"] = _words(arms)
        return row

    def table(self) -> Iterator[Any]:
        """Parts to print."""
        from probekit.experiment.table import parts

        yield from parts(self)

    def to_json(self) -> dict[str, Any]:
        """Rows and contrasts, as plain values."""
        return {"rows": self.rows(), "contrasts": self.contrasts()}


def open_outcome(folder: str | os.PathLike[str]) -> Outcome:
    """Read ``experiment.json`` of a folder.

    Raises
    ------
    InputError
        None there, or another schema.
    """
    file = Path(folder) / OUTCOME
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        version = record["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"folder {str(folder)!r} must hold a finished {OUTCOME}. Got {error}; run the plan."
        raise InputError(msg) from None
    if version != SCHEMA:
        msg = f"{str(file)!r} must be {SCHEMA}. Got {version!r} instead: make it again."
        raise InputError(msg)
    return Outcome(record, Path(folder))


def _sides(arm: Mapping[str, Any], side: str, languages: Sequence[str]) -> list[str]:
    source = arm["arm"]["source"]
    return [code for code in languages if (code in source) == (side == "source")]


def _shares(arms: Sequence[Mapping[str, Any]], part: str, side: str) -> dict[str, float]:
    """Share of its languages and seeds in which each known fact is still answered."""
    codes = list(arms[0]["answered"]["before"][part])
    return _kept(arms, part, _sides(arms[0], side, codes))


def _kept(arms: Sequence[Mapping[str, Any]], part: str, codes: Sequence[str]) -> dict[str, float]:
    """Share of some languages and of seeds in which each known fact is still answered."""
    known: dict[str, int] = {}
    kept: dict[str, int] = {}
    for arm in arms:
        before, after = (arm["answered"][when][part] for when in ("before", "after"))
        for code in codes:
            still = set(after[code])
            for fact in before[code]:
                known[fact] = known.get(fact, 0) + 1
                kept[fact] = kept.get(fact, 0) + (fact in still)
    return {fact: kept[fact] / n for fact, n in sorted(known.items())}


def _told(shares: Mapping[str, float]) -> dict[str, Any] | None:
    """Mean over facts with its interval; None without a fact."""
    if not shares:
        return None
    values = np.array(list(shares.values()))
    low, high = mean_interval(values)
    return {"n": len(values), "share": float(values.mean()), "low": low, "high": high}


def _cell(arms: Sequence[Mapping[str, Any]], part: str, side: str) -> dict[str, Any] | None:
    cell = _told(_shares(arms, part, side))
    if cell is None:
        return None
    own = (_shares([arm], part, side) for arm in arms)
    return {**cell, "seeds": [float(np.mean([*each.values()])) for each in own if each]}


def _carried(arms: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """``fall in held-out languages / fall in the source``, over facts known on both sides."""
    source, held = (_shares(arms, "forget", side) for side in SIDES)
    facts = [fact for fact in source if fact in held]
    if not facts:
        return None
    falls = 1 - np.array([[each[fact] for fact in facts] for each in (source, held)])
    mean = falls.mean(axis=1)
    if mean[0] < LEAST_FALL:
        return None
    drawn = bootstrap_weights(len(facts), n_resamples=N_RESAMPLES, seed=0) @ falls.T
    usable = drawn[drawn[:, 0] > 0]
    low, high = percentile_interval(usable[:, 1] / usable[:, 0])
    return {"ratio": float(mean[1] / mean[0]), "low": low, "high": high}


def _selective(arms: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Retained minus forgotten facts that held-out languages still answer, with its interval."""
    draws: list[Values] = []
    means: list[float] = []
    for part in ("retain", "forget"):
        shares = np.array(list(_shares(arms, part, "held_out").values()))
        if not len(shares):
            return None
        weights = bootstrap_weights(len(shares), n_resamples=N_RESAMPLES, seed=len(draws))
        draws.append(weights @ shares / len(shares))
        means.append(float(shares.mean()))
    effect = means[0] - means[1]
    low, high = percentile_interval(draws[0] - draws[1])
    return {"effect": effect, "ci95": [min(low, effect), max(high, effect)]}


def _difference(own: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float] | None:
    facts = [fact for fact in own if fact in other]
    if not facts:
        return None
    values: Values = np.array([own[fact] - other[fact] for fact in facts])
    drawn = bootstrap_weights(len(facts), n_resamples=N_RESAMPLES, seed=0) @ values / len(facts)
    low, high = percentile_interval(drawn)
    return {"n": len(facts), "difference": float(values.mean()), "low": low, "high": high}


def _words(arms: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """``{side: {verdict: languages}}`` of the first verification of every arm that has one."""
    found: dict[str, dict[str, int]] = {}
    for arm in arms:
        for report in arm["verifications"][:1]:
            for code, verdict in report["verdicts"].items():
                side = "source" if code in arm["arm"]["source"] else "held_out"
                counts = found.setdefault(side, {})
                counts[verdict["word"]] = counts.get(verdict["word"], 0) + 1
    return found
