"""Hand-written prompts and invented people, as the package's data files have them.

Read once per process, a few hundredths of a second a file.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from probekit.corpora.languages import language_info
from probekit.errors import CorpusError, LanguageError

if TYPE_CHECKING:
    from collections.abc import Sequence

# ISO 15924 scripts that are written without spaces between words.
_UNSPACED = frozenset({"Hans", "Hant", "Jpan", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"})

#: How a question and its answer are announced, by language.
FRAMES: dict[str, str] = {
    "en": "Question: {} Answer:",
    "es": "Pregunta: {} Respuesta:",
    "fr": "Question : {} Réponse :",
    "de": "Frage: {} Antwort:",
    "ru": "Вопрос: {} Ответ:",
    "zh": "问题：{}答案：",
    "ja": "質問：{}答え：",
    "ar": "سؤال: {} الجواب:",
    "hi": "प्रश्न: {} उत्तर:",
    "tr": "Soru: {} Cevap:",
    "id": "Pertanyaan: {} Jawaban:",
    "sw": "Swali: {} Jibu:",
}


def leading_space(language: str) -> str:
    """One space, or none where the script does not part words (Chinese, Japanese, Thai, …).

    Raises
    ------
    LanguageError
        The code names no known language.
    """
    return "" if language_info(language).script in _UNSPACED else " "


@lru_cache(maxsize=4)
def data(name: str) -> Any:
    """Read a YAML file of this package's data.

    Raises
    ------
    CorpusError
        The installation lacks it.
    """
    import yaml

    try:
        text = (files("probekit.facts") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        msg = f"fact file {name}.yaml is not in this installation. Install probekit again."
        raise CorpusError(msg) from error
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def some_languages(asked: Sequence[str] | None, has: Sequence[str], what: str) -> tuple[str, ...]:
    """Languages that were asked for, or all that ``what`` has.

    Raises
    ------
    LanguageError
        One that has no prompts, one given twice, or none.
    """
    if asked is None:
        return tuple(has)
    if isinstance(asked, str) or not asked or len(set(asked)) < len(asked):
        msg = f"languages must be a list of different codes. Got {asked!r} instead: correct it."
        raise LanguageError(msg)
    for code in asked:
        if code not in has:
            msg = (
                f"{what} has no prompts in {code!r} (has: {', '.join(has)}). Drop it with "
                "--languages, or bring a file of your own."
            )
            raise LanguageError(msg)
    return tuple(asked)
