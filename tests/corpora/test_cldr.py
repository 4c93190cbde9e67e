"""Terms of CLDR: known names, and only those that every locale has."""

from __future__ import annotations

import pytest

from probekit.corpora import cldr_terms
from probekit.errors import CorpusError, LanguageError


def term(corpus, unit: str, language: str) -> str:
    return corpus.texts[language][corpus.units.index(unit)]


@pytest.fixture(scope="module")
def corpus():
    return cldr_terms(["en", "de", "sw", "zh-Hans", "ru"])


@pytest.mark.parametrize(
    ("unit", "language", "name"),
    [
        ("territory:FR", "de", "Frankreich"),
        ("territory:FR", "zh-Hans", "法国"),
        ("language:sw", "sw", "Kiswahili"),
        ("currency:USD", "en", "US Dollar"),
        ("month:1", "sw", "Januari"),
        ("month:12", "de", "Dezember"),
        ("month:1", "ru", "январь"),  # stand-alone; in a date it is "января"
        ("unit:length-kilometer", "en", "kilometers"),
        ("unit:length-kilometer", "de", "Kilometer"),
    ],
)
def test_terms_have_the_names_of_cldr(corpus, unit: str, language: str, name: str) -> None:
    assert term(corpus, unit, language) == name


def test_label_kind_is_the_first_part_of_the_unit(corpus) -> None:
    assert set(corpus.labels["kind"]) == {"territory", "language", "currency", "month", "unit"}
    assert all(
        u.startswith(f"{k}:") for u, k in zip(corpus.units, corpus.labels["kind"], strict=True)
    )


def test_months_are_twelve_in_order(corpus) -> None:
    months = [unit for unit in corpus.units if unit.startswith("month:")]
    assert months == [f"month:{i}" for i in range(1, 13)]


def test_territories_are_two_letters_and_real(corpus) -> None:
    codes = [unit.partition(":")[2] for unit in corpus.units if unit.startswith("territory:")]
    assert all(len(code) == 2 and code.isalpha() for code in codes)
    assert not {"ZZ", "XA", "XB"} & set(codes)


def test_languages_are_without_regional_variants(corpus) -> None:
    assert not [unit for unit in corpus.units if "_" in unit]


def test_no_term_is_its_bare_code(corpus) -> None:
    for language in corpus.languages:
        for unit, text in zip(corpus.units, corpus.texts[language], strict=True):
            assert text.casefold() != unit.partition(":")[2].casefold()


def test_terms_that_a_locale_lacks_are_dropped_and_counted(corpus) -> None:
    alone = cldr_terms(["en"])
    assert not alone.dropped
    assert corpus.dropped.of_units == corpus.n_units + len(corpus.dropped.units)
    assert corpus.dropped.missing["sw"] > 0
    assert set(corpus.dropped.units).isdisjoint(corpus.units)
    assert set(corpus.units) < set(alone.units)


def test_kinds_choose_terms() -> None:
    months = cldr_terms(["en", "fr"], kinds=["month"])
    assert months.n_units == 12
    assert set(months.labels["kind"]) == {"month"}


@pytest.mark.parametrize("code", ["xx", "tlh", "en_US"])
def test_an_unknown_locale_is_a_language_error(code: str) -> None:
    with pytest.raises(LanguageError, match=code):
        cldr_terms(["en", code])


@pytest.mark.parametrize("locales", [[], ["en", "en"]])
def test_locales_must_differ_and_be_some(locales: list[str]) -> None:
    with pytest.raises(LanguageError, match="locales must differ"):
        cldr_terms(locales)


@pytest.mark.parametrize("kinds", [["colour"], [], "month"])
def test_unknown_kinds_are_refused_with_the_known_ones(kinds) -> None:
    with pytest.raises(CorpusError, match="territory, language, currency, month, unit"):
        cldr_terms(["en"], kinds=kinds)


def test_every_language_has_its_own_months_whoever_was_asked_before() -> None:
    from babel import Locale

    codes = ["en", "zh", "ja", "ar", "hi", "tr", "id", "sw"]
    assert Locale.parse("zh").months["stand-alone"]["wide"][1] == "一月"  # babel keeps this
    january = {code: cldr_terms(["en", code], ["month"]).texts[code][0] for code in codes[1:]}
    assert january == {
        "zh": "一月",
        "ja": "1月",
        "ar": "يناير",
        "hi": "जनवरी",
        "tr": "Ocak",
        "id": "Januari",
        "sw": "Januari",
    }
    together = cldr_terms(codes, ["month"])
    assert {code: together.texts[code][0] for code in codes[1:]} == january
