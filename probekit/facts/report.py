"""Scores as the terminal prints them: one row a language and part, and how many facts are known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from probekit.facts.scores import Scores


def as_json_text(
    scores: Scores, known: Mapping[str, tuple[str, ...]], *, rule: str, seed: int = 0
) -> str:
    """``{"facts": {…}, "rule": …, "rows": [row, …], "known": {language: [fact, …]}}``."""
    facts = scores.facts
    about = {"name": facts.name, "sha256": facts.sha256, "n_questions": len(facts)}
    content = {"facts": about, "rule": rule, "rows": scores.table(seed=seed), "known": dict(known)}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def as_table(
    scores: Scores, known: Mapping[str, tuple[str, ...]], *, rule: str, seed: int = 0
) -> list[Table]:
    """Known facts and accuracies with their intervals, chance and looks."""
    from rich.table import Table

    facts = scores.facts
    part_of = {question.fact: question.part for question in facts}
    table = Table(
        title=f"{facts.name}: {len(facts.facts)} facts, {len(facts)} questions",
        caption=(
            f"Known: right in every question of the language, by {rule}. Accuracy: share whose "
            "answer beats the other choices, 95 % interval over facts. Looks: picking the choice "
            "that looks most like the prompt."
        ),
    )
    for name in ("language", "part", "known", "accuracy", "exact", "chance", "looks"):
        table.add_column(name, justify="left" if name in ("language", "part") else "right")
    for row in scores.table(seed=seed):
        passed = sum(part_of[fact] == row["part"] for fact in known[row["language"]])
        table.add_row(
            row["language"],
            row["part"],
            f"{passed} of {row['n_facts']}",
            _with_interval(row, "accuracy"),
            _with_interval(row, "exact"),
            f"{row['chance']:.2f}",
            f"{row['surface']:.2f}",
        )
    return [table]


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    return f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"
