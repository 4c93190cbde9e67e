"""Choosing a rule and its settings in the workbench: controls made from the rules' own registry.

Every rule says its options as data (``RULES[name].options``); each becomes a control here, so a new
rule or option appears by itself. A selection is made once for all cards that show it (about a
second) and the last few are kept with the run.
"""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any, get_args

from probekit.errors import RuleError
from probekit.selection import RULES
from probekit.selection.target import Prefer
from probekit_app.controls import Choice, Number, Text
from probekit_app.notebook_code import run_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probekit.selection import LayerSelection, Option
    from probekit_app.controls import Control
    from probekit_app.view import View

PAGE_NAME = "selection"
YES_NO = {"true": "yes", "false": "no"}
#: A number without an upper end goes to so many times its default on the slider.
REACH = 4
STEPS = 100

RULE = Choice(
    key="selection.rule",
    label="Rule",
    values={name: name for name in RULES},
    help="  ".join(f"{name}: {entry.summary}" for name, entry in RULES.items()),
)

PREFER = Choice(
    key="selection.prefer",
    label="Target",
    values={"": "as the rule says", **{name: name for name in get_args(Prefer)}},
    help="Which block of the region a loss should read.",
    written=False,
)

ROLES = Choice(
    key="selection.roles",
    label="Tensors",
    values={
        "mlp_out": "mlp_out",
        "attn_out": "attn_out",
        "mlp_out,attn_out": "both",
    },
    help="Which matrices of the blocks an update may change: what writes into the residual stream.",
    written=False,
)


def key_of(option: Option) -> str:
    """The key of an option's control."""
    return f"{PAGE_NAME}.{option.name}"


def control_of(option: Option) -> Control:
    """The control of an option."""
    about: dict[str, Any] = {"key": key_of(option), "label": option.name, "help": option.help}
    if option.kind == "number":
        return _number(option, about)
    if option.kind == "text":
        return Text(**about, placeholder=option.help, longest=400)
    words = YES_NO if option.kind == "switch" else {name: name for name in option.choices}
    default = _said(option.default)
    ordered = {default: words[default], **words}
    return Choice(**about, values=ordered, written=False)


def _number(option: Option, about: dict[str, Any]) -> Number:
    start = float(option.default)
    low = option.low if math.isfinite(option.low) else min(0.0, REACH * start)
    high = option.high if math.isfinite(option.high) else max(1.0, REACH * start)
    step = float(f"{(high - low) / STEPS:.1g}")
    return Number(**about, low=round(low + step, 10), high=high, step=step, start=start)


def _said(value: Any) -> str:
    """A default as it stands in an address."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def option_controls() -> dict[str, Control]:
    """Controls of the options of every rule, by key; options of one name share a control."""
    options = [option for entry in RULES.values() for option in entry.options]
    return {key_of(option): control_of(option) for option in reversed(options)}


def shown_controls(view: View) -> list[Control]:
    """Controls that mean something for the chosen rule and model, in the rule's order."""
    known = option_controls()
    mine = [known[key_of(option)] for option in RULES[view.option(RULE.key)].options]
    return [*mine, PREFER, ROLES]


FOLLOWS = (RULE.key, *option_controls(), PREFER.key, ROLES.key)


def arguments(view: View) -> dict[str, Any]:
    """Arguments of ``run.select`` that are not at their defaults."""
    rule = view.option(RULE.key)
    found: dict[str, Any] = {} if rule == RULE.default else {"rule": rule}
    found |= dict(_options(view, rule))
    if view.option(PREFER.key):
        found["prefer"] = view.option(PREFER.key)
    if view.option(ROLES.key) != ROLES.default:
        found["roles"] = tuple(view.option(ROLES.key).split(","))
    return found


def _options(view: View, rule: str) -> Iterator[tuple[str, Any]]:
    for option in RULES[rule].options:
        said = view.option(key_of(option))
        if not said and option.default is None:
            msg = f"{option.name} is still empty. {option.help}"
            raise RuleError(msg)
        value: Any = " ".join(said.split())
        if option.kind == "number":
            value = float(said)
        elif option.kind == "switch":
            value = said == "true"
        if value not in ("", option.default):
            yield option.name, value


def selection_of(view: View) -> LayerSelection:
    """The selection that the controls ask for.

    Raises
    ------
    InputError
        The rule refuses its settings, or the run lacks what it needs.
    """
    asked = arguments(view)
    opened = view.opened
    assert opened is not None
    if not asked and opened.selection is not None:
        return opened.selection
    key = ("selection", *sorted((name, str(value)) for name, value in asked.items()))
    found: LayerSelection = opened.kept.get(key, lambda: opened.run.select(**asked))
    return found


def call(view: View) -> str:
    """``run.select(rule='mute', alpha=4)`` as it is typed."""
    said = ", ".join(f"{name}={value!r}" for name, value in arguments(view).items())
    return f"run.select({said})"


#: Arguments of ``run.select`` for which ``probekit select`` has a flag; others go by ``--set``.
FLAGS = ("rule", "prefer", "roles", "where")


def command(view: View) -> str:
    """``probekit select runs/x --rule mute --set alpha=4.0``: the same in a terminal.

    A value of ``--set`` is read as YAML, so it is written as YAML.
    """
    parts = ["probekit", "select", run_path(view)]
    for name, value in arguments(view).items():
        if name in FLAGS:
            parts += [f"--{name}", ",".join(value) if isinstance(value, tuple) else value]
        else:
            parts += ["--set", f"{name}={_as_yaml(value)}"]
    return shlex.join(parts)


def _as_yaml(value: Any) -> str:
    """A plain value as YAML writes it, on one line."""
    import yaml

    said: str = yaml.safe_dump(value, width=math.inf, allow_unicode=True)
    return said.removesuffix("...\n").strip()
