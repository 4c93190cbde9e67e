"""What an ablation found: a table of languages by languages, with intervals over units."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probekit.sites import ABLATED, LANGUAGE

if TYPE_CHECKING:
    import xarray as xr

UNIT_OF = {"change": "nats per token", "change_text": "nats per text"}
CHANGES = tuple(
    f"{name}{end}" for name in ("change", "random", "excess") for end in ("", "_low", "_high")
)
BY_LANGUAGE = ("log_perplexity", "tokens_per_unit", "n_scored")


@dataclass(frozen=True)
class AblationResult:
    """Change of log-perplexity when a language's neurons are zeroed.

    Attributes
    ----------
    data
        Dataset with the axes ``ablated`` (whose neurons) and ``language`` (whose texts):
        ``change``, ``random`` and ``excess = change − random`` in nats per token, the same with
        ``_text`` in nats per text (languages differ in tokens per text), each with ``_low`` and
        ``_high``; ``random_draw`` by draw; ``log_perplexity`` of the untouched model; ``n_neurons``
        by ``ablated``; ``tokens_per_unit`` and ``n_scored`` by ``language``.
    """

    data: xr.Dataset

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that were read."""
        return tuple(str(code) for code in self.data[LANGUAGE].to_numpy())

    @property
    def ablated(self) -> tuple[str, ...]:
        """Languages whose neurons were zeroed."""
        return tuple(str(code) for code in self.data[ABLATED].to_numpy())

    def table(self) -> list[dict[str, Any]]:
        """One row a pair: ``ablated, language, n_neurons``, then changes in nats per token."""
        return [
            {
                "ablated": ablated,
                "language": language,
                "n_neurons": int(self.data["n_neurons"].sel(ablated=ablated)),
                **{
                    name: float(self.data[name].sel(ablated=ablated, language=language))
                    for name in CHANGES
                },
            }
            for ablated in self.ablated
            for language in self.languages
        ]

    def to_json(self) -> str:
        """The rows of :meth:`table`, the untouched model's perplexities, and how it was made."""
        by_language = {
            name: dict(zip(self.languages, self.data[name].to_numpy().tolist(), strict=True))
            for name in BY_LANGUAGE
        }
        content = {"how": dict(self.data.attrs), **by_language, "rows": self.table()}
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> AblationResult:
        """What :meth:`to_json` wrote: changes in nats per token, and how they were made.

        Raises
        ------
        ValueError, KeyError, TypeError
            It is nothing that :meth:`to_json` writes.
        """
        import numpy as np
        import xarray as xr

        content = json.loads(text)
        rows, languages = content["rows"], list(content["log_perplexity"])
        ablated = list(dict.fromkeys(str(row["ablated"]) for row in rows))
        shape = (len(ablated), len(languages))
        if [(row["ablated"], row["language"]) for row in rows] != [
            (a, b) for a in ablated for b in languages
        ]:
            msg = "rows must be every pair of a language ablated and a language read, in order"
            raise ValueError(msg)
        variables: dict[str, Any] = {
            name: (
                (ABLATED, LANGUAGE),
                np.array([float(row[name]) for row in rows]).reshape(shape),
            )
            for name in CHANGES
        }
        counts = [int(row["n_neurons"]) for row in rows[:: max(1, len(languages))]]
        variables["n_neurons"] = (ABLATED, counts)
        for name in BY_LANGUAGE:
            variables[name] = (LANGUAGE, [content[name][code] for code in languages])
        coordinates = {ABLATED: ablated, LANGUAGE: languages}
        return cls(xr.Dataset(variables, coords=coordinates, attrs=dict(content["how"])))

    def own_and_others(self) -> dict[str, tuple[float, float]]:
        """Excess on the ablated language itself, and its mean on the others, by language."""
        found = {}
        for code in self.ablated:
            excess = self.data["excess"].sel(ablated=code)
            others = [each for each in self.languages if each != code]
            if code in self.languages and others:
                mean = float(excess.sel(language=others).mean())
                found[code] = (float(excess.sel(language=code)), mean)
        return found

    def __repr__(self) -> str:
        attrs = self.data.attrs
        return (
            f"AblationResult({attrs['model']}: neurons of {len(self.ablated)} languages, "
            f"{attrs['n_units']} units × {len(self.languages)} languages)"
        )
