r"""open-unlearning's RMU: ``module_regex``, ``trainable_params_regex``, both by ``re.fullmatch``.

The module pattern must hit exactly one module. Its other trainers have no such option and train
everything. Rule: ``src/trainer/unlearn/rmu.py``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from probekit.selection.exporters.draft import Dialect, Draft
from probekit.selection.exporters.patterns import exact_patterns
from probekit.selection.exporters.rmu import coefficient_note, require_read_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probekit.selection.exporters.target import Target


def selected(patterns: Sequence[str], names: Iterable[str]) -> tuple[str, ...]:
    """Names that any pattern matches in full: tensors to train, or modules to read."""
    return tuple(name for name in names if any(re.fullmatch(pattern, name) for pattern in patterns))


def write(target: Target) -> Draft:
    """Hydra trainer config that inherits RMU's and replaces its two patterns."""
    module = re.escape(target.block(require_read_layer(target)))
    trainable = list(exact_patterns(target.names, layers_path=target.layers_path))
    config = {
        "defaults": ["RMU", "_self_"],
        "handler": "RMU",
        "method_args": {"module_regex": module, "trainable_params_regex": trainable},
    }
    picked = selected(trainable, target.universe)
    one_module = len(selected([module], target.all_modules)) == 1
    return Draft(
        text=yaml.safe_dump(config, sort_keys=False, width=10_000),
        selects=picked if one_module else (),
        notes=(
            "put it in configs/trainer and train with trainer=RMU_selection; SimNPO and the other "
            "trainers there have no such option and train everything",
            *coefficient_note(target, "method_args.steering_coeff"),
        ),
    )


DIALECT = Dialect(
    name="open-unlearning",
    description="open-unlearning, RMU: Hydra trainer config",
    filename="RMU_selection.yaml",
    format="yaml",
    tested="open-unlearning 7fa0b55",
    write=write,
)
