"""Translated terms from Unicode CLDR: countries, languages, currencies, months and units.

Thousands of single terms in hundreds of languages, already installed with babel: good for many
languages, not for sentences. Costs a few hundredths of a second per locale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from probekit.corpora.languages import check_language
from probekit.corpora.missing import Dropped
from probekit.errors import CorpusError, LanguageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from babel import Locale

    from probekit.corpora.corpus import ParallelCorpus

TermKind = Literal["territory", "language", "currency", "month", "unit"]
TERM_KINDS: tuple[TermKind, ...] = get_args(TermKind)

# Codes that stand for "unknown", "none" or a test locale; their names are descriptions.
_NO_TERM = frozenset({"ZZ", "XA", "XB", "QO", "und", "mul", "zxx", "root", "mis", "XXX", "XTS"})
_TERRITORY_LENGTH = 2


def cldr_terms(locales: Sequence[str], kinds: Sequence[TermKind] = TERM_KINDS) -> ParallelCorpus:
    """Terms that all ``locales`` name, as CLDR names them; label ``kind``.

    Units are ``territory:FR`` (two-letter codes only), ``language:sw`` (no regional variants),
    ``currency:EUR``, ``month:1`` (stand-alone form) and ``unit:length-kilometer`` (long form). A
    name that is only the bare code counts as none. Terms that some locale lacks are left out and
    counted in ``dropped``.

    Raises
    ------
    LanguageError
        A locale that CLDR does not have, or one given twice.
    CorpusError
        An unknown kind, or no term that all locales name.
    """
    from probekit.corpora.corpus import ParallelCorpus

    _check_kinds(kinds)
    named = {code: _terms(_locale(code), kinds) for code in locales}
    if len(named) < len(locales) or not named:
        msg = f"locales must differ, and be at least one. Got {list(locales)!r}: correct the list."
        raise LanguageError(msg)
    every = sorted(set().union(*named.values()), key=_order)
    shared = [unit for unit in every if all(unit in terms for terms in named.values())]
    if not shared:
        msg = f"kinds {list(kinds)!r} have no term that all of {', '.join(named)} name. Ask fewer."
        raise CorpusError(msg)
    return ParallelCorpus(
        name="cldr",
        units=tuple(shared),
        texts={code: tuple(terms[unit] for unit in shared) for code, terms in named.items()},
        labels={"kind": tuple(unit.partition(":")[0] for unit in shared)},
        dropped=_dropped(every, shared, named),
        provenance=_provenance(),
    )


def _check_kinds(kinds: Sequence[TermKind]) -> None:
    unknown = [kind for kind in kinds if kind not in TERM_KINDS]
    if unknown or not kinds or isinstance(kinds, str):
        msg = f"kinds must be some of {', '.join(TERM_KINDS)}. Got {kinds!r} instead: correct it."
        raise CorpusError(msg)


def _dropped(every: list[str], shared: list[str], named: dict[str, dict[str, str]]) -> Dropped:
    if len(every) == len(shared):
        return Dropped()
    kept = set(shared)
    lacking = {code: sum(u not in terms for u in every) for code, terms in named.items()}
    return Dropped(
        units=tuple(unit for unit in every if unit not in kept),
        missing={code: count for code, count in lacking.items() if count},
        of_units=len(every),
        of_languages=len(named),
    )


def _locale(code: str) -> Locale:
    from babel import Locale, UnknownLocaleError

    check_language(code)
    try:
        return Locale.parse(code, sep="-")
    except (UnknownLocaleError, ValueError) as error:
        msg = f"CLDR has no locale {code!r}. Drop it with --languages, or use its main language."
        raise LanguageError(msg) from error


def _terms(locale: Locale, kinds: Sequence[TermKind]) -> dict[str, str]:
    """Collect unit id → name, without names that are missing, blank or only the code."""
    tables: dict[TermKind, Callable[[Locale], dict[str, str | None]]] = {
        "territory": _territories,
        "language": _languages,
        "currency": lambda found: {str(k): v for k, v in found.currencies.items()},
        "month": _months,
        "unit": _units,
    }
    return {
        f"{kind}:{code}": name
        for kind in kinds
        for code, name in tables[kind](locale).items()
        if code not in _NO_TERM and name and name.strip() and name.casefold() != code.casefold()
    }


def _territories(locale: Locale) -> dict[str, str | None]:
    found = {str(code): name for code, name in locale.territories.items()}
    return {
        code: name
        for code, name in found.items()
        if len(code) == _TERRITORY_LENGTH  # others are UN M49 regions, such as 419
    }


def _languages(locale: Locale) -> dict[str, str | None]:
    return {str(code): name for code, name in locale.languages.items() if "_" not in code}


def _months(locale: Locale) -> dict[str, str | None]:
    wide = _own_data(locale)["months"]["stand-alone"]["wide"]
    return {str(number): name for number, name in wide.items()}


def _units(locale: Locale) -> dict[str, str | None]:
    # CLDR's root says that a missing long name is the short one.
    return {
        str(code): names.get("long") or names.get("short")
        for code, names in _own_data(locale)["unit_display_names"].items()
    }


def _own_data(locale: Locale) -> Any:
    """Data of a locale, read from disk for it alone.

    Babel writes what an alias stands for into tables that locales share: whoever is asked first
    would name the months of every later locale that takes its names from the root.
    """
    from copy import deepcopy

    from babel import localedata

    getattr(localedata, "_cache", {}).clear()
    return localedata.LocaleDataDict(deepcopy(dict(localedata.load(str(locale)))))


def _order(unit: str) -> tuple[int, int, str]:
    kind, _, code = unit.partition(":")
    place = next(i for i, known in enumerate(TERM_KINDS) if known == kind)
    return place, int(code) if code.isdecimal() else 0, code


def _provenance() -> str:
    import babel

    return f"Unicode CLDR, as shipped with babel {babel.__version__}"
