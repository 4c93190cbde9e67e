"""Language codes: what is one, how data sets spell it, what it is called."""

from __future__ import annotations

import pytest

from probekit.corpora import check_language, language_info, to_bcp47
from probekit.corpora.builtin import BUILTIN_LANGUAGES
from probekit.corpora.languages import FAMILIES, choose_config, is_language
from probekit.errors import LanguageError


@pytest.mark.parametrize("code", ["en", "EN", "zh-Hans", "pt-BR", "sw", "yue-Hant", "swh", "iw"])
def test_a_valid_code_is_returned_as_it_is_spelled(code: str) -> None:
    assert check_language(code) == code
    assert to_bcp47(code) == code


@pytest.mark.parametrize(
    "code", ["xx", "und", "mul", "qaa", "", "en-", "english", "idx", "x-foo", None, 3]
)
def test_what_names_no_language_is_refused(code: object) -> None:
    with pytest.raises(LanguageError, match="BCP 47"):
        check_language(code)


@pytest.mark.parametrize(
    ("code", "better"), [("eng", "en"), ("eng_Latn", "en"), ("pt_BR", "pt-BR")]
)
def test_another_spelling_is_refused_with_the_right_one(code: str, better: str) -> None:
    with pytest.raises(LanguageError, match=f"Write '{better}'"):
        check_language(code)


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("eng_Latn", "en"),
        ("eng", "en"),
        ("zho_Hans", "zh-Hans"),
        ("zho_Hant", "zh-Hant"),
        ("cmn_Hans", "zh-Hans"),
        ("arb_Arab", "ar"),
        ("arb_Latn", "ar-Latn"),
        ("swh_Latn", "sw"),
        ("hin_Deva", "hi"),
        ("kor_Hang", "ko"),
        ("jpn_Jpan", "ja"),
        ("ind_Latn", "id"),
        ("azj_Latn", "az"),
        ("ace_Arab", "ace-Arab"),
        ("en_US", "en-US"),
        ("zh_CN", "zh-CN"),
    ],
)
def test_codes_of_data_sets_become_bcp47(code: str, tag: str) -> None:
    assert to_bcp47(code) == tag
    assert check_language(tag) == tag


@pytest.mark.parametrize("name", ["unit", "text", "label", "topic", "score", "language", "domain"])
def test_common_column_names_are_no_languages(name: str) -> None:
    assert not is_language(name)


def test_info_of_arabic() -> None:
    info = language_info("ar")
    assert (info.name, info.autonym) == ("Arabic", "العربية")
    assert (info.script, info.direction, info.family) == ("Arab", "rtl", "Afro-Asiatic")


@pytest.mark.parametrize(
    ("code", "script", "direction"),
    [
        ("en", "Latn", "ltr"),
        ("zh", "Hans", "ltr"),
        ("zh-TW", "Hant", "ltr"),
        ("ja", "Jpan", "ltr"),
        ("he", "Hebr", "rtl"),
        ("iw", "Hebr", "rtl"),
        ("ur", "Arab", "rtl"),
        ("az-Arab", "Arab", "rtl"),
        ("az", "Latn", "ltr"),
        ("dv", "Thaa", "rtl"),
    ],
)
def test_script_and_direction(code: str, script: str, direction: str) -> None:
    assert (language_info(code).script, language_info(code).direction) == (script, direction)


def test_family_ignores_region_and_old_spelling() -> None:
    assert language_info("pt-BR").family == "Indo-European"
    assert language_info("iw").family == "Afro-Asiatic"
    assert language_info("quy").family == "unknown"


def test_every_builtin_language_has_a_family() -> None:
    assert all(language_info(code).family != "unknown" for code in BUILTIN_LANGUAGES)


def test_families_hold_valid_codes_once() -> None:
    codes = [code for members in FAMILIES.values() for code in members.split()]
    assert len(codes) == len(set(codes))
    assert all(check_language(code) == code for code in codes)


def test_info_of_an_unknown_language_is_refused() -> None:
    with pytest.raises(LanguageError, match="'xx'"):
        language_info("xx")


FLORES = ("eng_Latn", "swh_Latn", "zho_Hans", "zho_Hant", "arb_Arab", "arb_Latn", "all", "por_Latn")
LOCALES = ("en-US", "sw-KE", "zh-CN", "zh-TW", "ar-SA", "pt-PT")


@pytest.mark.parametrize(
    ("code", "flores", "locale"),
    [
        ("en", "eng_Latn", "en-US"),
        ("sw", "swh_Latn", "sw-KE"),
        ("zh", "zho_Hans", "zh-CN"),
        ("zh-Hant", "zho_Hant", "zh-TW"),
        ("ar", "arb_Arab", "ar-SA"),
    ],
)
def test_configurations_are_found_by_language_and_script(
    code: str, flores: str, locale: str
) -> None:
    assert choose_config(code, FLORES) == flores
    assert choose_config(code, LOCALES) == locale


def test_a_configuration_may_be_asked_for_by_its_own_name() -> None:
    assert choose_config("arb_Latn", FLORES) == "arb_Latn"


def test_another_territory_is_not_the_same_language() -> None:
    assert choose_config("pt-PT", LOCALES) == "pt-PT"
    with pytest.raises(LanguageError, match=r"no language 'pt-BR'.*pt-PT"):
        choose_config("pt-BR", LOCALES)


def test_a_variety_with_a_variant_is_not_taken_for_the_language() -> None:
    assert choose_config("ca", ("cat_Latn", "cat_Latn_valencia")) == "cat_Latn"
    with pytest.raises(LanguageError, match="no language 'ca'"):
        choose_config("ca", ("eng_Latn", "cat_Latn_valencia"))


def test_the_plain_language_comes_before_its_regional_form() -> None:
    assert choose_config("fa", ("prs_Arab", "pes_Arab")) == "pes_Arab"
    assert choose_config("fa-AF", ("prs_Arab", "pes_Arab")) == "prs_Arab"


def test_korean_is_found_under_hangul() -> None:
    assert choose_config("ko", ("jpn_Jpan", "kor_Hang")) == "kor_Hang"


def test_two_configurations_of_one_language_must_be_told_apart() -> None:
    with pytest.raises(LanguageError, match=r"more than one language 'zh'.*zho_Hans, cmn_Hans"):
        choose_config("zh", ("zho_Hans", "cmn_Hans"))
