"""Two runs of any subjects side by side, at the same relative depths, with intervals.

Layers of one depth stand beside each other as they are. Of subjects of different depth each curve
is taken as linear between its layers, at every relative depth that either has, inside what both
have: no value is invented beyond the first or last layer of a measure. About 0.2 s for two runs
with every instrument: the arrays are read once, nothing is resampled.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from probekit.errors import LanguageError, RunError
from probekit.runs.bands import Band, Measured, in_order, measures_of
from probekit.runs.comparison import ByLanguage, Compared, Difference, RunComparison

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from probekit.runs.bands import FloatArray
    from probekit.runs.run import Run

#: A change below this share of the measure's largest value is rounding: another order of batches
#: or another device moves float32 activations by as much.
ROUNDING = 1e-5
LEVEL = 0.95
#: What decides a number besides subject and text: key in the manifest's estimators → words.
_SETTINGS = {"pooling": "pooling", "after": "vectors after", "keep_first_token": "first token kept"}


def compare_runs(a: Run, b: Run, *, analysis: str | None = None) -> RunComparison:
    """``b − a`` of every by-layer measure that both runs hold with an interval.

    Intervals of a difference are *paired* where both runs read the same text with the same seed
    and keep their resamples (CKA, LRDS): percentiles of the differences of equal draws, moved onto
    the difference. Else they are *independent*: the two half-widths on the sides that matter,
    squared, added, rooted (MOVER; Zou & Donner 2008), which is wider than needed where the texts
    are the same. A point *differs* when its interval, widened by the ratio of normal quantiles
    until 95 % hold for all points compared at once (Bonferroni), leaves zero out.

    Parameters
    ----------
    a, b
        Finished runs, of any subjects, depths and texts; ``a`` is what ``b`` is compared with.
    analysis
        One instrument, such as ``cka``; every one that both have by default.

    Raises
    ------
    LanguageError
        No language in common.
    RunError
        A run without that analysis, or nothing in common to compare.
    """
    languages = _shared_languages(a, b)
    groups = _shared_groups(a, b, analysis=analysis)
    found_a, found_b = (measures_of(run, languages, groups=groups) for run in (a, b))
    same_languages = set(a.languages) == set(b.languages)
    paired = same_languages and _same_draws(a, b)
    pairs = _pairs(found_a.measures, found_b.measures, averaged=not same_languages)
    differences = {key: _compare(key, *pair, paired=paired) for key, pair in pairs}
    if not differences:
        msg = (
            f"runs {a.folder.name!r} and {b.folder.name!r} have no measure with an interval in "
            "common. Run both studies with the same --analyses."
        )
        raise RunError(msg)
    left_out = _alone(a, b, groups=groups) | found_a.left_out | found_b.left_out
    return _judged(a, b, differences=differences, left_out=left_out)


def _judged(
    a: Run, b: Run, *, differences: dict[str, Difference], left_out: dict[str, str]
) -> RunComparison:
    """What differs beyond the joint interval, and what is to be known about the two runs."""
    joint = _joint(differences)
    weights = [run.manifest.model.get("state_sha256") for run in (a, b)]
    languages = _shared_languages(a, b)
    return RunComparison(
        a=_about(a, beside=b),
        b=_about(b, beside=a),
        languages=languages,
        same_weights=weights[0] == weights[1] if all(weights) else None,
        same_corpus=a.manifest.corpus["sha256"] == b.manifest.corpus["sha256"],
        joint=joint,
        differences={key: _judge(each, joint) for key, each in differences.items()},
        left_out={key: why for key, why in left_out.items() if key not in differences},
        warnings=tuple(_warnings(a, b, languages=languages)),
    )


def _shared_languages(a: Run, b: Run) -> tuple[str, ...]:
    shared = tuple(code for code in a.languages if code in b.languages)
    if not shared:
        msg = (
            f"runs to compare must share a language. {a.folder.name!r} has "
            f"{', '.join(a.languages)} and {b.folder.name!r} has {', '.join(b.languages)}; run one "
            "of the studies with --languages of the other."
        )
        raise LanguageError(msg)
    return shared


def _shared_groups(a: Run, b: Run, *, analysis: str | None) -> list[str]:
    """Groups of results that both have, those of ``analysis`` only where it is said."""
    for run in (a, b):
        if analysis is not None and analysis not in run.analyses:
            msg = (
                f"run {run.folder.name!r} has no analysis {analysis!r} (has: "
                f"{', '.join(run.analyses)}). Run its study again with --analyses {analysis}."
            )
            raise RunError(msg)
    there = [str(name) for name in a.results.children if name in b.results.children]
    wanted = there if analysis is None else [n for n in there if n in a.analyses[analysis]]
    return in_order(wanted)


def _pairs(
    a: dict[str, Measured], b: dict[str, Measured], *, averaged: bool
) -> Iterator[tuple[str, tuple[Measured, Measured]]]:
    """Measures of both, made alike: where one mean had to be made again, so is the other."""
    for key in (key for key in a if key in b):
        pair = (a[key], b[key])
        if averaged and pair[0].averaged != pair[1].averaged:
            if any(each.by_language is None for each in pair):
                continue
            pair = (_averaged(pair[0]), _averaged(pair[1]))
        yield key, pair


def _averaged(measured: Measured) -> Measured:
    """The mean over languages from the table by language, as the other run's had to be made."""
    assert measured.by_language is not None
    overall = measured.by_language.mean(axis=1)
    return replace(measured, overall=overall, averaged=True, samples=None)


def _same_draws(a: Run, b: Run) -> bool:
    """Whether resample r of one run drew the units of resample r of the other."""
    if a.manifest.corpus["sha256"] != b.manifest.corpus["sha256"]:
        return False
    return all(
        a.manifest.estimators.get(name) == b.manifest.estimators.get(name)
        for name in ("seed", "bootstrap")
    )


def _compare(key: str, a: Measured, b: Measured, *, paired: bool) -> Difference:
    """One measure at the depths of both; nothing is judged yet."""
    depths = _grid(a.depths, b.depths)
    onto = (_onto(depths, a.depths), _onto(depths, b.depths))
    overall_a, overall_b = _moved(a.overall, onto[0]), _moved(b.overall, onto[1])
    change = independent(overall_a, overall_b)
    draws = _draws(a.samples, b.samples, onto=onto) if paired else None
    if draws is not None:
        change = _from_draws(draws, change.value)
    return Difference(
        key=key,
        analysis=a.analysis,
        depths=depths,
        a=overall_a,
        b=overall_b,
        change=change,
        differs=np.zeros(len(depths), dtype=bool),
        how="independent" if draws is None else "paired",
        averaged=a.averaged,
        by_language=_languages(a.by_language, b.by_language, onto=onto),
    )


def _draws(
    a: FloatArray | None, b: FloatArray | None, *, onto: tuple[FloatArray, FloatArray]
) -> FloatArray | None:
    """Differences of equal draws, array (n_points, n_resamples); None where runs keep none."""
    if a is None or b is None or a.shape[1] != b.shape[1]:
        return None
    draws: FloatArray = onto[1] @ b - onto[0] @ a
    return draws


def _languages(
    a: Band | None, b: Band | None, *, onto: tuple[FloatArray, FloatArray]
) -> ByLanguage | None:
    if a is None or b is None:
        return None
    moved = _moved(a, onto[0]), _moved(b, onto[1])
    change = independent(*moved)
    return ByLanguage(*moved, change, np.zeros(change.value.shape, dtype=bool))


def _grid(a: FloatArray, b: FloatArray) -> FloatArray:
    """Depths of either, inside what both reach."""
    both: FloatArray = np.union1d(a, b)
    inside: FloatArray = both[(both >= max(a[0], b[0])) & (both <= min(a[-1], b[-1]))]
    return inside


def _onto(depths: FloatArray, own: FloatArray) -> FloatArray:
    """Matrix (n_points, n_layers) of linear interpolation; a layer's own depth gives a 1."""
    return np.stack([np.interp(depths, own, unit) for unit in np.eye(len(own))], axis=1)


def _moved(band: Band, onto: FloatArray) -> Band:
    return Band(*(onto @ part for part in band))


def independent(a: Band, b: Band) -> Band:
    """``b − a`` of independent estimates (MOVER): half-widths squared, added, rooted.

    The lower end uses how low ``b`` and how high ``a`` may be, the upper end the other two.
    """
    value = b.value - a.value
    (a_down, a_up), (b_down, b_up) = _sides(a), _sides(b)
    return Band(value, value - np.hypot(b_down, a_up), value + np.hypot(b_up, a_down))


def _sides(band: Band) -> tuple[FloatArray, FloatArray]:
    """Half-widths below and above; half the interval each where it misses its own estimate."""
    half = (band.high - band.low) / 2
    inside = (band.low <= band.value) & (band.value <= band.high)
    down = np.where(inside, band.value - band.low, half)
    up = np.where(inside, band.high - band.value, half)
    return down, up


def _from_draws(draws: FloatArray, value: FloatArray) -> Band:
    """Percentiles of paired differences, array (n_points, n_resamples), moved onto the value."""
    from probekit.measures.resampling import centre_on, percentile_band

    low, high = percentile_band(centre_on(draws.T, value), LEVEL)
    return Band(value, np.minimum(low, value), np.maximum(high, value))


def _joint(differences: dict[str, Difference]) -> float:
    """How many times wider an interval must be to hold for all points at once (Bonferroni)."""
    points = sum(
        each.change.value.size + (each.by_language.change.value.size if each.by_language else 0)
        for each in differences.values()
    )
    normal = NormalDist()
    tail = (1 - LEVEL) / 2
    return normal.inv_cdf(1 - tail / points) / normal.inv_cdf(1 - tail)


def _judge(each: Difference, joint: float) -> Difference:
    mine = each.by_language
    if mine is not None:
        mine = replace(mine, differs=_differs(mine.change, (mine.a, mine.b), joint))
    differs = _differs(each.change, (each.a, each.b), joint)
    return replace(each, differs=differs, by_language=mine)


def _differs(change: Band, both: tuple[Band, Band], joint: float) -> NDArray[np.bool_]:
    low = change.value - joint * (change.value - change.low)
    high = change.value + joint * (change.high - change.value)
    largest = max(float(np.abs(band.value).max()) for band in both)
    beyond_rounding = np.abs(change.value) > ROUNDING * largest
    return np.asarray(((low > 0) | (high < 0)) & beyond_rounding)


def _about(run: Run, *, beside: Run) -> Compared:
    """What is said of a run; two folders of one name are told apart by what they lie in."""
    model, corpus = run.manifest.model, run.manifest.corpus
    folder = run.folder
    same = folder.name == beside.folder.name and folder != beside.folder
    return Compared(
        name=f"{folder.parent.name}/{folder.name}" if same else folder.name,
        model=str(model["id"]),
        n_blocks=run.n_blocks,
        n_units=int(corpus["n_units"]),
        languages=run.languages,
        weights=model.get("state_sha256"),
    )


def _alone(a: Run, b: Run, *, groups: list[str]) -> dict[str, str]:
    """Results that only one run has."""
    sides = ((a, b), (b, a))
    return {
        f"{name}/*": f"only {one.folder.name} has it"
        for one, other in sides
        for name in one.results.children
        if name not in groups and name not in other.results.children
    }


def _warnings(a: Run, b: Run, *, languages: tuple[str, ...]) -> Iterator[str]:
    corpora = a.manifest.corpus, b.manifest.corpus
    if corpora[0]["sha256"] != corpora[1]["sha256"]:
        yield (
            f"the texts differ ({corpora[0]['n_units']} units of {corpora[0]['name']} and "
            f"{corpora[1]['n_units']} of {corpora[1]['name']}): a difference may be the text's"
        )
    for run in (a, b):
        missing = [code for code in run.languages if code not in languages]
        if missing:
            yield f"only {run.folder.name} has {', '.join(missing)}: left out"
    if a.n_blocks != b.n_blocks:
        yield (
            f"{a.n_blocks} and {b.n_blocks} blocks: compared at equal relative depth, linear "
            "between layers"
        )
    yield from _other_settings(a.manifest.estimators, b.manifest.estimators)


def _other_settings(a: dict[str, Any], b: dict[str, Any]) -> Iterator[str]:
    for key, words in _SETTINGS.items():
        if a.get(key) != b.get(key):
            yield f"{words}: {a.get(key)} and {b.get(key)}: a difference may be the setting's"
    mine, others = a.get("analyses") or {}, b.get("analyses") or {}
    for name in (name for name in mine if name in others and mine[name] != others[name]):
        changed = [key for key, value in mine[name].items() if others[name].get(key) != value]
        yield f"{name} was run with other settings: {', '.join(changed) or 'not all are in both'}"
