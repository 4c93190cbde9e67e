"""The form's fields as a ``Study``: each checked by probekit itself, its error kept beside it.

Only the fields named here are ever read from a page, so nothing else of a study (code of a model's
own, devices, backends) can be set from one.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probekit import Study
from probekit.errors import InputError, ModelError
from probekit_app.jobs.names import checked_name

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS = ("model", "corpus", "languages", "analyses", "limit", "seed", "name")
LONGEST = 500
#: Class of an error → the field that it is shown beside; a study error names its field itself.
OWNERS = {
    "ModelError": "model",
    "ChecksumError": "model",
    "CorpusError": "corpus",
    "LanguageError": "languages",
}


@dataclass(frozen=True)
class Form:
    """What a page's fields say.

    Attributes
    ----------
    study
        The study, None where a field is wrong.
    name
        Of the run.
    errors
        Field → what is wrong with it.
    """

    study: Study | None
    name: str
    errors: dict[str, str] = field(default_factory=dict)


def read_form(values: Mapping[str, Any], root: Path) -> Form:
    """Check every field of a form.

    Parameters
    ----------
    values
        ``model``, ``corpus``, ``limit``, ``seed``, ``name``: text or number. ``languages``,
        ``analyses``: lists, or None for all.
    root
        The folder of runs, in which the name must be new.
    """
    given, errors = _given(values), {}
    for key, value in given.items():
        try:
            if key == "model":
                checked_model(value)
            Study.of(**{key: value})
        except InputError as error:
            errors[key] = str(error)
    errors |= _too_few(given)
    name = _text(values, "name")
    try:
        checked_name(name, root)
    except InputError as error:
        errors["name"] = str(error)
    wrong = set(errors) - {"name"}
    return Form(None if wrong else Study.of(**given), name, errors)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The study's fields; an empty one is left at its default."""
    found: dict[str, Any] = {
        key: _text(values, key)[:LONGEST] for key in ("model", "corpus") if _text(values, key)
    }
    found |= {key: _text(values, key) for key in ("limit", "seed") if _text(values, key)}
    for key in ("languages", "analyses"):
        said = values.get(key)
        if said is not None:
            found[key] = tuple(str(each) for each in said) if isinstance(said, list) else said
    return found


def _text(values: Mapping[str, Any], key: str) -> str:
    said = values.get(key)
    return "" if said is None else str(said).strip()


def _too_few(given: Mapping[str, Any]) -> dict[str, str]:
    languages = given.get("languages")
    if languages is not None and len(languages) < 2:
        return {"languages": f"languages must be at least 2. Got {len(languages)}. Tick more."}
    return {}


def owner_of(kind: str, message: str) -> str:
    """The field that an error belongs beside, from its class and its words; empty for none."""
    if kind in OWNERS:
        return OWNERS[kind]
    for key in FIELDS:
        if f"study field '{key}" in message:
            return key
    return "analyses" if message.startswith(("analysis ", "option ")) else ""


def checked_model(text: str) -> None:
    """See that a model may be named from a page: ``builtin``, a local folder or file, a hub id.

    Raises
    ------
    ModelError
        It is an address, or something that no model is called.
    """
    if "://" in text or not text.isprintable():
        msg = (
            f"model must be 'builtin', a folder on this machine or a hub id. Got {text[:60]!r}. "
            "Addresses are not read."
        )
        raise ModelError(msg)


def short_yaml(study: Study) -> str:
    """The study as a file that says only what is not the default."""
    import yaml

    said = {"model": study.model, "corpus": study.corpus}
    said |= study.model_dump(mode="json", exclude_defaults=True)
    text: str = yaml.safe_dump(said, sort_keys=False, allow_unicode=True)
    return text


def command(study: Study, output: Path) -> str:
    """What runs the same study in a terminal."""
    words = ["probekit", "run", "--model", study.model, "--corpus", study.corpus]
    for key in ("languages", "analyses"):
        said = getattr(study, key)
        if said is not None:
            words += [f"--{key}", ",".join(said)]
    if study.limit is not None:
        words += ["--limit", str(study.limit)]
    return shlex.join([*words, "--seed", str(study.seed), "-o", str(output)])
