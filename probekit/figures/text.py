"""Texts as plotly shows them: what a run, a corpus or a model says never becomes markup.

Plotly reads links, line breaks and entities in every title, name, tick and hover text, and fills in
``%{…}`` in templates. Labels, unit ids, languages, tasks and names come from files that anybody may
have written, so each passes through :func:`plain` where a figure puts it into words.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probekit.runs import Run

#: Characters of a label; of a sentence in a caption or on hover.
LABEL, SENTENCE = 28, 240
#: What stands for a character that has no shape of its own; a line break and a tab have one.
UNSEEN = "�"
_SHOWN = {"\n": "⏎", "\t": "⇥"}
#: Joiners, which the spelling of many languages needs.
_JOINERS = "\u200c\u200d"


def plain(text: object, *, longest: int = LABEL) -> str:
    """A text that plotly shows as it is: no markup, no ``%{…}``, nothing unseen, cut where long.

    Parameters
    ----------
    text
        Anything; its ``str``.
    longest
        Characters that are kept; of a longer text the last is an ellipsis.
    """
    seen = "".join(map(_visible, str(text)))
    cut = seen if len(seen) <= longest else f"{seen[: longest - 1]}…"
    escaped = cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("%{", "&#37;{")


def _visible(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    space = " " if character.isspace() else UNSEEN
    return _SHOWN.get(character, space)


def sentence(text: object) -> str:
    """`plain`, long enough for a path or for what an instrument says of itself."""
    return plain(text, longest=SENTENCE)


def plain_labels(texts: Iterable[object], *, longest: int = LABEL) -> list[str]:
    """`plain` of each; those that are cut to the same get a number: they are places on an axis."""
    kept = list(texts)
    shown = [plain(text, longest=longest) for text in kept]
    alike, seen = Counter(shown), Counter[str]()
    for at, label in enumerate(shown):
        if alike[label] > 1:
            seen[label] += 1
            shown[at] = f"{label} ({seen[label]})"
    return shown


def listed(texts: str | Iterable[object], *, most: int = 12) -> str:
    """Labels in a row; of many the first."""
    shown = plain_labels([texts] if isinstance(texts, str) else texts)
    return ", ".join([*shown[:most], f"{len(shown) - most} more"] if len(shown) > most else shown)


def model_of(run: Run) -> str:
    """The run's model."""
    return sentence(run.manifest.model["id"])


def name_of(run: Run, code: str) -> str:
    """A language's name in English, its code where the run has none."""
    return plain(run.manifest.corpus.get("names", {}).get(code, code))
