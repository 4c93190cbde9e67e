"""A prompt lens as JSON, as tables for a terminal, and as HTML for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probekit.logit_lens.token_text import visible

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Group
    from rich.table import Table

    from probekit.logit_lens.prompt import PromptLens, TargetScores

_CELL = 12  # columns of a token in the grid
_BEST = 5  # tokens listed for the last position


def as_document(lens: PromptLens) -> dict[str, Any]:
    """Everything in a lens, as JSON has it."""
    return {
        "text": lens.text,
        "model": lens.model,
        "lens": "tuned" if lens.tuned else "logit",
        "predicts": lens.predicts,
        "units": {"entropy": "bits", "kl": "bits, KL(final || lens)", "rank": "1 is the best"},
        "vocabulary": lens.vocabulary,
        "tokens": [
            {"id": number, "text": text} for number, text in zip(lens.ids, lens.tokens, strict=True)
        ],
        "positions": list(lens.positions),
        "layers": list(lens.layers),
        "final": [_token(lens, number) for number in lens.final_ids],
        "scoring": lens.scoring,
        "targets": [_target(lens, scores) for scores in lens.targets],
        "lenses": [
            _cell(lens, row, column)
            for row in range(len(lens.layers))
            for column in range(len(lens.positions))
        ],
    }


def _token(lens: PromptLens, number: int) -> dict[str, Any]:
    return {"id": int(number), "text": lens.names[int(number)]}


def _target(lens: PromptLens, scores: TargetScores) -> dict[str, Any]:
    return {
        "text": scores.target.text,
        "spellings": [list(ids) for ids in scores.target.spellings],
        "scored": [_token(lens, number) for number in scores.target.first_ids],
        "is_single_token": scores.target.is_single,
        "joint_probability": scores.joint,
    }


def _cell(lens: PromptLens, row: int, column: int) -> dict[str, Any]:
    best = zip(lens.top_ids[row, column], lens.top_probability[row, column], strict=True)
    return {
        "layer": lens.layers[row],
        "position": lens.positions[column],
        "entropy": float(lens.entropy[row, column]),
        "kl": float(lens.kl[row, column]),
        "final_probability": float(lens.final_probability[row, column]),
        "final_rank": int(lens.final_rank[row, column]),
        "top": [_token(lens, number) | {"probability": float(p)} for number, p in best],
        "targets": [
            {
                "probability": float(scores.probability[row, column]),
                "rank": int(scores.rank[row, column]),
            }
            for scores in lens.targets
        ],
    }


def as_tables(lens: PromptLens, *, width: int) -> Group:
    """What is read, the grid of best tokens, the last position in numbers, how to read them."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [Text(_headline(lens)), _grid(lens, width), Text(""), _last(lens)]
    parts += [Text(line) for line in _notes(lens)]
    return Group(*parts)


def _headline(lens: PromptLens) -> str:
    kind = "tuned lens" if lens.tuned else "logit lens"
    what = "the next token" if lens.predicts == "next" else "the token itself (masked-language)"
    return (
        f"{lens.model}: {kind}, {len(lens.layers)} layers × {len(lens.positions)} positions, {what}"
    )


def _notes(lens: PromptLens) -> list[str]:
    lines = [
        "entropy and KL(final ‖ lens) in bits; final: rank and probability of the model's own "
        "last argmax"
    ]
    for scores in lens.targets:
        joint = "" if scores.joint is None else f"; whole word after the text: {scores.joint:.3g}"
        ids = ", ".join(f"{_shown(lens, n)} {n}" for n in scores.target.first_ids)
        lines.append(f"target {scores.target.text}: by first token ({ids}){joint}")
    return lines


def _name(layer: int) -> str:
    return "emb" if layer < 0 else str(layer)


def _shown(lens: PromptLens, number: int) -> str:
    return visible(lens.names[int(number)])


def _grid(lens: PromptLens, width: int) -> Table:
    """Best token of every layer; the last positions that fit."""
    from rich.table import Table
    from rich.text import Text

    fit = max(1, (width - 6) // (_CELL + 2))
    columns = range(max(0, len(lens.positions) - fit), len(lens.positions))
    left = columns.start
    title = f"best token by layer; columns: position and token ({left} earlier ones left out)"
    table = Table(title=title if left else None, box=None, padding=(0, 1))
    table.add_column("layer", justify="right")
    for column in columns:
        place = lens.positions[column]
        header = Text(f"{place} {visible(lens.tokens[place])}", no_wrap=True)
        table.add_column(header, width=_CELL, no_wrap=True, overflow="ellipsis")
    for row, layer in enumerate(lens.layers):
        cells = [
            Text(_shown(lens, lens.top_ids[row, column, 0]), style=_emphasis(lens, row, column))
            for column in columns
        ]
        table.add_row(_name(layer), *cells)
    return table


def _emphasis(lens: PromptLens, row: int, column: int) -> str:
    """Bold where a layer already says what the model will say."""
    return "bold" if lens.final_rank[row, column] == 1 else "dim"


def _last(lens: PromptLens) -> Table:
    """The last position that was read: numbers and best tokens by layer."""
    from rich.table import Table
    from rich.text import Text

    place = lens.positions[-1]
    shown = visible(lens.tokens[place])
    table = Table(title=Text(f"position {place} {shown}"), box=None, padding=(0, 1))
    for name in ("layer", "entropy", "KL", "final rank", "p", *_headers(lens)):
        # numbers keep their width, the list of tokens gives way
        table.add_column(Text(name), justify="right", no_wrap=True, min_width=max(6, len(name)))
    table.add_column("best tokens", no_wrap=True, overflow="ellipsis")
    for row, layer in enumerate(lens.layers):
        numbers = [
            f"{lens.entropy[row, -1]:.2f}",
            f"{lens.kl[row, -1]:.2f}",
            f"{lens.final_rank[row, -1]:,}",
            f"{lens.final_probability[row, -1]:.3f}",
        ]
        for scores in lens.targets:
            numbers += [f"{scores.rank[row, -1]:,}", f"{scores.probability[row, -1]:.3f}"]
        table.add_row(_name(layer), *numbers, Text(_best(lens, lens.top_ids[row, -1], row)))
    return table


def _headers(lens: PromptLens) -> list[str]:
    return [name for scores in lens.targets for name in (f"{scores.target.text} rank", "p")]


def _best(lens: PromptLens, ids: np.ndarray, row: int) -> str:
    shares = lens.top_probability[row, -1]
    return "  ".join(
        f"{_shown(lens, number)} {share:.2f}"
        for number, share in list(zip(ids, shares, strict=True))[:_BEST]
    )


def as_html(lens: PromptLens) -> str:
    """The grid of best tokens; each isolated, so that no direction of writing moves another."""
    from html import escape

    head = "".join(
        f"<th>{place} <bdi>{escape(visible(lens.tokens[place]))}</bdi></th>"
        for place in lens.positions
    )
    rows = []
    for row, layer in enumerate(lens.layers):
        cells = "".join(
            f'<td title="id {lens.top_ids[row, column, 0]}, '
            f'p {lens.top_probability[row, column, 0]:.3f}">'
            f"<bdi>{escape(_shown(lens, lens.top_ids[row, column, 0]))}</bdi></td>"
            for column in range(len(lens.positions))
        )
        rows.append(f"<tr><th>{_name(layer)}</th>{cells}</tr>")
    return (
        f"<p>{escape(_headline(lens))}</p>"
        f"<table><thead><tr><th>layer</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
