"""Is the capture right for this model? Every answer is measured on eight short sentences.

``diagnose`` compares the hooks with plain Hugging Face, the logit lens with the model's own logits,
a padded batch with single texts and left with right padding, checks where the final norm sits and
that the neurons are neurons, and lists massive activations. Costs about fifteen forwards of one or
eight short texts, and keeps every layer of those texts in memory (float32, on the CPU).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from probekit.models.anatomy import Anatomy, Stack, find_anatomy
from probekit.models.examination import Examination
from probekit.models.inputs import takes_decoder_ids

if TYPE_CHECKING:
    from rich.table import Table

    from probekit.models.subject import Subject

#: Largest relative error ‖a − b‖ / ‖b‖ of a token's vector that still counts as rounding.
TOLERANCE = {"float32": 5e-5, "float16": 2e-2, "bfloat16": 1e-1}

SENTENCES: tuple[str, ...] = (
    "The river is wide and slow.",
    "Mañana saldremos muy temprano hacia la montaña.",
    "Снег шёл всю ночь.",
    "这家店的面条很好吃。",
    "يقرأ الطفل كتابًا.",
    "बारिश रुक गई है।",
    "Mtoto anacheza mpira na rafiki zake.",
    "駅まで歩いて十分です。",
)


@dataclass(frozen=True)
class Check:
    """One row of a diagnosis.

    Attributes
    ----------
    name
        What was measured; ``encoder:`` or ``decoder:`` in front where there are two stacks.
    ok
        Whether the measurement is as it must be; a part that the model does not have is ok.
    value
        The number or path that was measured, None where the row does not apply.
    detail
        The same in words, with the tolerance it was held to.
    per_layer
        The measurement at layers -1 … n_blocks - 1, where there is one a layer.
    """

    name: str
    ok: bool
    value: float | str | None
    detail: str
    per_layer: tuple[float, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """What ``diagnose`` found about one subject."""

    source: str
    architecture: str
    dtype: str
    device: str
    tolerance: float
    rows: tuple[Check, ...] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether every row is."""
        return all(row.ok for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON types; numbers that are not finite become null."""
        return {"ok": self.ok, **_plain(asdict(self))}


def diagnose(subject: Subject) -> Diagnosis:
    """Measure whether what probekit captures from ``subject`` is what the model computes.

    Parameters
    ----------
    subject
        Any loaded subject; both stacks of an encoder-decoder are examined.

    Raises
    ------
    ModelError
        A stack has no blocks that can be found.
    """
    dtype = str(subject.dtype).removeprefix("torch.")
    tolerance = TOLERANCE.get(dtype, TOLERANCE["float32"])
    ids = [list(subject.tokenizer(sentence)["input_ids"]) for sentence in SENTENCES]
    rows: list[Check] = []
    for prefix, anatomy in _stacks(subject).items():
        one = replace(subject, anatomy=anatomy)
        found = Examination(one, ids, tolerance=tolerance).findings()
        rows += [Check(**{**finding._asdict(), "name": prefix + finding.name}) for finding in found]
    return Diagnosis(
        source=subject.source,
        architecture=subject.anatomy.architecture,
        dtype=dtype,
        device=str(subject.device),
        tolerance=tolerance,
        rows=tuple(rows),
    )


def table(diagnosis: Diagnosis) -> Table:
    """Lay a diagnosis out as a rich table."""
    from rich.markup import escape
    from rich.table import Table

    kind = diagnosis.dtype
    grid = Table(
        title=f"{escape(diagnosis.source)}: {diagnosis.architecture}, {kind}, {diagnosis.device}",
        caption=f"relative errors up to {diagnosis.tolerance:g} count as {kind} rounding",
    )
    for column in ("check", "", "value", "detail"):
        grid.add_column(column, overflow="fold")
    for row in diagnosis.rows:
        verdict = "[green]ok[/green]" if row.ok else "[red]FAILED[/red]"
        grid.add_row(row.name, verdict, escape(_shown(row.value)), escape(row.detail))
    return grid


def render(diagnosis: Diagnosis, *, width: int = 120) -> str:
    """Draw the table as plain text of at most ``width`` columns."""
    from io import StringIO

    from rich.console import Console

    page = StringIO()
    Console(file=page, width=width, no_color=True).print(table(diagnosis))
    return page.getvalue()


def _stacks(subject: Subject) -> dict[str, Anatomy]:
    """Anatomies to examine, by the prefix of their rows; the subject's own is taken as it is."""
    own = subject.anatomy
    if not takes_decoder_ids(subject.model):
        return {"": own}
    both: tuple[Stack, ...] = ("encoder", "decoder")
    return {
        f"{stack}: ": own if stack == own.stack else find_anatomy(subject.model, stack=stack)
        for stack in both
    }


def _shown(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:.2g}"
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    finite = not isinstance(value, float) or value - value == 0
    return value if finite else None
