"""BCP 47 codes: which are real languages, how they are written, and what data sets call them.

Knowledge comes from langcodes (IANA registry, CLDR likely subtags); only language families are a
table here. The first call loads langcodes (about 0.2 s); answers are cached.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from probekit.errors import LanguageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langcodes import Language

Direction = Literal["ltr", "rtl"]

RTL_SCRIPTS = frozenset(
    {"Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"}
)

FAMILIES = {
    "Indo-European": "af as be bg bn bs ca cs cy da de el en es fa fr ga gl gu hi hr hy is it ku lt"
    " lv mk mr nb ne nl nn no or pa pl ps pt ro ru sd si sk sl sq sr sv tg uk ur yi",
    "Sino-Tibetan": "zh yue my bo",
    "Afro-Asiatic": "ar he am ha mt so ti om",
    "Turkic": "tr az kk ky tk tt ug uz",
    "Austronesian": "id ms jv su fil mg mi ceb",
    "Atlantic-Congo": "sw yo ig zu xh sn rw wo ln lg st tn",
    "Dravidian": "ta te kn ml",
    "Uralic": "fi et hu",
    "Japonic": "ja",
    "Koreanic": "ko",
    "Austroasiatic": "vi km",
    "Kra-Dai": "th lo",
    "Kartvelian": "ka",
    "Mongolic": "mn",
    "Basque (isolate)": "eu",
}

# Real codes that say "no particular language"; a corpus in them cannot be analysed by language.
_NOT_A_LANGUAGE = frozenset({"und", "mul", "mis", "zxx"})
# Korean is written in Kore, that is Hangul with some Han; data sets call the same text Hang.
_SAME_SCRIPT = {"Hang": "Kore"}
_PRIVATE_USE = re.compile(r"q[a-t][a-z]")


@dataclass(frozen=True)
class LanguageInfo:
    """What is shown beside a language: names, script, direction, family.

    Attributes
    ----------
    code
        BCP 47, spelled as the corpus spells it.
    name, autonym
        In English, and in the language itself.
    script
        ISO 15924; the likely script where the code does not say, as in ``Latn`` for ``sw``.
    direction
        ``ltr`` or ``rtl``, from the script.
    family
        From a table of the commonest languages, else ``unknown``.
    """

    code: str
    name: str
    autonym: str
    script: str
    direction: Direction
    family: str


def check_language(code: str) -> str:
    """Return ``code`` unchanged if it is a BCP 47 code of a known language.

    Raises
    ------
    LanguageError
        It does not parse, names no language (``xx``, ``und``), or is not how BCP 47 spells it
        (``eng``, ``eng_Latn``).
    """
    if isinstance(code, str) and "_" not in code and _valid(code) is not None:
        return code
    msg = f"language must be a BCP 47 code, as in 'en', 'zh-Hans', 'pt-BR'. Got {code!r} instead."
    known = isinstance(code, str) and is_language(code)
    msg += f" Write {to_bcp47(code)!r}." if known else " Correct it, or leave that language out."
    raise LanguageError(msg)


def is_language(code: str) -> bool:
    """Whether ``code`` names a known language, in BCP 47 or in a data set's spelling."""
    return _valid(_standard(code, macro=False)) is not None


def canonical_language(code: str) -> str:
    """One spelling per language: ``EN`` and ``en`` are both ``en``, ``iw`` is ``he``."""
    return _standard(check_language(code), macro=False)


def to_bcp47(code: str) -> str:
    """BCP 47 for a data set's code: ``eng_Latn`` → ``en``, ``zho_Hans`` → ``zh-Hans``.

    Individual languages become their macrolanguage where that is the usual name (``arb_Arab`` →
    ``ar``, ``swh_Latn`` → ``sw``), and a script is dropped where it is the language's likely one;
    Chinese keeps it, because Hans and Hant corpora stand side by side. A code that is BCP 47
    already is returned as given.

    Raises
    ------
    LanguageError
        The code names no known language.
    """
    if not is_language(code) or ("_" not in code and _valid(code) is not None):
        return check_language(code)
    language = _valid(_standard(code, macro="_" in code))
    if language is None:
        return check_language(code)
    script = _SAME_SCRIPT.get(language.script, language.script)
    if language.language != "zh" and script == _likely_script(language):
        language = language.update_dict({"script": None})
    return str(language.to_tag())


@lru_cache(maxsize=1024)
def language_info(code: str) -> LanguageInfo:
    """Names, script, direction and family of a language.

    Raises
    ------
    LanguageError
        The code names no known language.
    """
    language = _valid(check_language(code))
    assert language is not None
    script = str(language.maximize().script)
    primary = canonical_language(code).partition("-")[0]
    families = (name for name, members in FAMILIES.items() if primary in members.split())
    return LanguageInfo(
        code=code,
        name=str(language.display_name("en")),
        autonym=str(language.autonym()),
        script=script,
        direction="rtl" if script in RTL_SCRIPTS else "ltr",
        family=next(families, "unknown"),
    )


def choose_config(code: str, configs: Iterable[str]) -> str:
    """Name ``code`` as a data set does: ``en`` → ``eng_Latn`` or ``en-US``, whichever exists.

    A code without a territory accepts any territory; one with a territory needs that one.

    Raises
    ------
    LanguageError
        No configuration, or more than one, is that language.
    """
    configs = tuple(configs)
    if code in configs:
        return code
    wanted = _match_key(to_bcp47(code))
    found = [name for name in configs if _matches(wanted, name)]
    exact = [name for name in found if is_language(name) and to_bcp47(name) == to_bcp47(code)]
    if len(exact) == 1 or len(found) == 1:
        return (exact or found)[0]
    several = f"Name one of them: {', '.join(found)}."
    msg = f"data set has {'no' if not found else 'more than one'} language {code!r}. "
    msg += several if found else f"Drop it with --languages (has: {', '.join(sorted(configs))})."
    raise LanguageError(msg)


def no_such_language(code: str, has: Iterable[str]) -> LanguageError:
    """Build the error for a language that was asked for and is not there."""
    known = ", ".join(sorted(has))
    msg = f"corpus has no language {code!r} (has: {known}). Add it or drop it with --languages."
    return LanguageError(msg)


@lru_cache(maxsize=4096)
def _standard(code: str, *, macro: bool) -> str:
    """Spell a tag as BCP 47 does; returns it unchanged where it is none."""
    import langcodes

    try:
        return str(langcodes.standardize_tag(code.replace("_", "-"), macro=macro))
    except (LookupError, ValueError):  # LookupError: no such code; ValueError: not a tag at all
        return code


@lru_cache(maxsize=4096)
def _valid(tag: str) -> Language | None:
    """Parse a tag as it is spelled; None unless it is valid and names a language."""
    import langcodes

    try:
        language = langcodes.Language.get(tag, normalize=False)
    except (LookupError, ValueError):
        return None
    primary = language.language
    if not (primary or "").isalpha():  # "x-foo" is wholly private
        return None
    if primary in _NOT_A_LANGUAGE or _PRIVATE_USE.fullmatch(primary):
        return None
    return language if language.is_valid() else None


def _likely_script(language: Language) -> str:
    return str(language.update_dict({"script": None}).maximize().script)


_Key = tuple[str, str, str | None, tuple[str, ...]]


@lru_cache(maxsize=4096)
def _match_key(code: str) -> _Key | None:
    """(macrolanguage, likely script, territory, variants); None for names that are no language."""
    import langcodes

    try:
        language = langcodes.Language.get(_standard(code, macro=True), normalize=False)
    except (LookupError, ValueError):
        return None
    script = str(language.maximize().script)
    script = _SAME_SCRIPT.get(script, script)
    return str(language.language), script, language.territory, tuple(language.variants or ())


def _matches(wanted: _Key | None, config: str) -> bool:
    has = _match_key(config)
    if wanted is None or has is None:
        return False
    territory = wanted[2] is None or wanted[2] == has[2]
    return territory and wanted[:2] == has[:2] and wanted[3] == has[3]
