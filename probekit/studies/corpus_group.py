"""The corpus inside a run: texts, labels and token counts, so that a run explains itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.instruments.coordinates import language_coordinates
from probekit.sites import LANGUAGE, LANGUAGE_B, UNIT

if TYPE_CHECKING:
    import xarray as xr

    from probekit.capture import TokenizedCorpus
    from probekit.corpora import ParallelCorpus


def corpus_group(corpus: ParallelCorpus, tokens: TokenizedCorpus) -> xr.Dataset:
    """Texts (language, unit), token counts read and pooled, labels by unit."""
    import xarray as xr

    read = np.zeros((tokens.n_languages, tokens.n_units), dtype=np.int64)
    pooled = np.zeros_like(read)
    for text in tokens.texts:
        read[text.language, text.unit] = len(text.ids)
        pooled[text.language, text.unit] = len(text.content)
    texts = np.array([list(corpus.texts[code]) for code in corpus.languages], dtype=object)
    coordinates = language_coordinates(corpus)
    del coordinates[LANGUAGE_B]
    return xr.Dataset(
        {
            "text": ((LANGUAGE, UNIT), texts),
            "n_tokens": ((LANGUAGE, UNIT), read),
            "n_pooled": ((LANGUAGE, UNIT), pooled),
            **{
                f"label_{name}": (UNIT, np.array(values, dtype=object))
                for name, values in corpus.labels.items()
            },
        },
        coords={**coordinates, UNIT: (UNIT, np.array(corpus.units, dtype=object))},
    )
