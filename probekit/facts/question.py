"""Questions about facts: what is asked in which language, and what the right continuation is.

A question is a prompt and the exact text that should follow it. Facts are shared by languages and
forms, so that intervals are taken over facts. Everything is checked when a set is built, one pass
over its questions; nothing here knows a model.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from probekit.corpora.checks import check_encodable
from probekit.corpora.languages import check_language
from probekit.errors import CorpusError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What a part of a set is for.
PARTS = ("forget", "retain", "neighbour", "relearn")
#: How a fact is put; other words are allowed, these are the ones used here.
FORMS = ("statement", "paraphrase", "question")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One fact, asked once in one language.

    Attributes
    ----------
    fact
        Id of the fact, shared by languages and forms.
    language
        BCP 47.
    prompt
        Text up to the answer, without a trailing space.
    answer
        Continuation exactly as it follows the prompt, with its leading space where the script has
        one.
    relation
        What kind of fact, as in ``birthplace``.
    part
        ``forget``, ``retain``, ``neighbour`` or ``relearn``.
    form
        ``statement`` (what is taught), ``paraphrase``, ``question`` or another word.
    choices
        Answers of the same relation in this language, the right one among them, all with the same
        leading space; empty where the question is open.

    Raises
    ------
    InputError
        A field that breaks these rules; the message names fact and language.
    LanguageError
        ``language`` is no known language.
    """

    fact: str
    language: str
    prompt: str
    answer: str
    relation: str = ""
    part: str = "forget"
    form: str = "statement"
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_language(self.language)
        object.__setattr__(self, "choices", tuple(self.choices))
        for name in ("fact", "prompt", "answer", "part", "form"):
            self._check_text(name, getattr(self, name))
        if self.part not in PARTS:
            self._refuse("part", f"one of {', '.join(PARTS)}", self.part)
        if self.prompt != self.prompt.rstrip():
            self._refuse("prompt", "without a space at its end (the answer has it)", "one")
        self._check_choices()

    def _check_text(self, name: str, value: object) -> None:
        if not isinstance(value, str) or not value.strip():
            self._refuse(name, "a text that is not empty", value)
        check_encodable(value, f"{name} of fact {self.fact!r} in {self.language!r}")

    def _check_choices(self) -> None:
        if not self.choices:
            return
        for choice in self.choices:
            self._check_text("choices", choice)
        if len(set(self.choices)) < max(2, len(self.choices)):
            self._refuse("choices", "two or more different answers", self.choices)
        if self.answer not in self.choices:
            self._refuse("choices", f"a list with the answer {self.answer!r}", self.choices)
        spaces = {_lead(choice) for choice in self.choices}
        if len(spaces) > 1:
            self._refuse("choices", "answers with the same leading space", self.choices)

    def _refuse(self, name: str, rule: str, got: object) -> NoReturn:
        where = f"fact {self.fact!r} in {self.language!r}"
        msg = f"{name} of {where} must be {rule}. Got {got!r} instead: correct it."
        raise InputError(msg)

    @property
    def text(self) -> str:
        """Prompt and answer: what is taught."""
        return self.prompt + self.answer

    @property
    def right(self) -> int | None:
        """Index of the answer among the choices; None for an open question."""
        return self.choices.index(self.answer) if self.choices else None

    def to_json(self) -> dict[str, object]:
        """Fields as JSON has them."""
        return {**asdict(self), "choices": list(self.choices)}


@dataclass(frozen=True)
class FactSet:
    """Questions about facts, in a fixed order.

    Attributes
    ----------
    questions
        One or more. A fact has one answer in a language, whatever the form, and one part and
        relation; no prompt is given twice for the same fact and language.
    name
        For tables and reports; not part of ``sha256``.

    Raises
    ------
    InputError
        No question, or questions that contradict each other.
    """

    questions: tuple[Question, ...]
    name: str = field(default="facts", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "questions", tuple(self.questions))
        if not self.questions:
            msg = "questions must hold at least one question. Got none instead: add one."
            raise InputError(msg)
        _check_consistent(self.questions)

    def __len__(self) -> int:
        return len(self.questions)

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Codes, sorted."""
        return self._values("language")

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Ids of facts, sorted."""
        return self._values("fact")

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Parts that have questions, sorted."""
        return self._values("part")

    @cached_property
    def relations(self) -> tuple[str, ...]:
        """Relations, sorted."""
        return self._values("relation")

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """Forms, sorted."""
        return self._values("form")

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the questions as JSON Lines, in their order."""
        return hashlib.sha256(self._jsonl().encode()).hexdigest()

    def where(
        self,
        *,
        part: str | Iterable[str] | None = None,
        language: str | Iterable[str] | None = None,
        form: str | Iterable[str] | None = None,
        fact: str | Iterable[str] | None = None,
        relation: str | Iterable[str] | None = None,
    ) -> FactSet:
        """Questions whose fields have one of the given values, in the same order.

        Raises
        ------
        InputError
            A value that no question has (the message names those that exist), or values that no
            question has together.
        """
        asked = {
            "part": part,
            "language": language,
            "form": form,
            "fact": fact,
            "relation": relation,
        }
        wanted = {k: self._known(k, values) for k, values in asked.items() if values is not None}
        kept = tuple(
            question
            for question in self.questions
            if all(getattr(question, name) in values for name, values in wanted.items())
        )
        if not kept:
            said = ", ".join(f"{name} {'/'.join(sorted(v))}" for name, v in wanted.items())
            msg = f"fact set {self.name!r} has no question with {said}. Ask for less at once."
            raise InputError(msg)
        return replace(self, questions=kept)

    def texts(self) -> tuple[str, ...]:
        """Prompt and answer of every question."""
        return tuple(question.text for question in self.questions)

    def to_jsonl(self, path: str | Path) -> Path:
        """Write one JSON object a line, UTF-8; returns the path."""
        path = Path(path)
        path.write_text(self._jsonl(), encoding="utf-8", newline="\n")
        return path

    @classmethod
    def from_jsonl(cls, path: str | Path, *, name: str | None = None) -> FactSet:
        """Read what :meth:`to_jsonl` wrote; the name is the file's unless given.

        Raises
        ------
        CorpusError
            The file is missing, broken, or has other fields; the message says where.
        InputError
            A question that breaks the rules.
        """
        from probekit.corpora.readers import json_line_rows

        path = Path(path)
        if not path.is_file():
            msg = f"fact file {path} does not exist. Check the path."
            raise CorpusError(msg)
        rows = json_line_rows(path.read_bytes())
        found = [_question(row.cells, f"{path.name}: {row.where}") for row in rows]
        return cls(tuple(found), name=name or path.stem)

    def _values(self, name: str) -> tuple[str, ...]:
        return tuple(sorted({getattr(question, name) for question in self.questions}))

    def _known(self, name: str, values: str | Iterable[str]) -> frozenset[str]:
        wanted = frozenset([values] if isinstance(values, str) else values)
        has = self._values(name)
        missing = sorted(wanted.difference(has))
        if missing or not wanted:
            got = repr(missing[0]) if missing else "none"
            shown = ", ".join(has[:_SHOWN]) + (", …" if has[_SHOWN:] else "")
            msg = (
                f"{name} must be in fact set {self.name!r} (has: {shown}). Got {got} instead: "
                "correct it."
            )
            raise InputError(msg)
        return wanted

    def _jsonl(self) -> str:
        lines = (json.dumps(q.to_json(), ensure_ascii=False, sort_keys=True) for q in self)
        return "".join(f"{line}\n" for line in lines)


_SHOWN = 12  # values named in a message


def _lead(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _question(cells: object, where: str) -> Question:
    fields = {"fact", "language", "prompt", "answer", "relation", "part", "form", "choices"}
    given = dict(cells)  # type: ignore[call-overload]
    unknown = sorted(set(given) - fields)
    missing = sorted({"fact", "language", "prompt", "answer"} - set(given))
    if unknown or missing:
        got = f"no {missing[0]!r}" if missing else f"{unknown[0]!r}"
        msg = f"{where}: fields must be those of a Question. Got {got} instead: use read_facts."
        raise CorpusError(msg)
    choices = given.get("choices", [])
    if not isinstance(choices, list):
        msg = f"{where}: choices must be a list. Got {choices!r} instead: use []."
        raise CorpusError(msg)
    return Question(**{**given, "choices": tuple(choices)})


def _check_consistent(questions: tuple[Question, ...]) -> None:
    said: dict[tuple[str, str, str], str] = {}
    prompts: set[tuple[str, str, str]] = set()
    for question in questions:
        for name, scope, value in (
            ("answer", question.language, question.answer.strip()),
            ("part", "", question.part),
            ("relation", "", question.relation),
        ):
            first = said.setdefault((name, question.fact, scope), value)
            if first != value:
                raise _contradiction(question, name, (first, value))
        key = (question.fact, question.language, question.prompt)
        if key in prompts:
            msg = (
                f"prompts of fact {question.fact!r} in {question.language!r} must differ. Got "
                f"{question.prompt!r} twice: remove one."
            )
            raise InputError(msg)
        prompts.add(key)


def _contradiction(question: Question, name: str, values: tuple[str, str]) -> InputError:
    place = f" in {question.language!r}" if name == "answer" else ""
    return InputError(
        f"fact {question.fact!r}{place} must have one {name}. Got {values[0]!r} and {values[1]!r}: "
        "give them different fact ids, or correct one."
    )
