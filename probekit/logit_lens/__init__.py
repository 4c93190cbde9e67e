"""What the layers of a model would predict: logit lens of a prompt and of a corpus.

May import ``models``, ``corpora``, ``measures`` and ``capture``; knows no run and no figure. Logits
are read by chunks of the vocabulary and never held.
"""

from __future__ import annotations

from probekit.logit_lens.concept import ConceptLens, concept_lens
from probekit.logit_lens.observer import LensStatistics
from probekit.logit_lens.prompt import PromptLens, lens
from probekit.logit_lens.sampling import Sample, sample_positions
from probekit.logit_lens.token_languages import TokenLanguages, token_languages
from probekit.logit_lens.tuned import TunedLens
from probekit.logit_lens.vocabulary import Readout, lens_rows, read_vocabulary

__all__ = [
    "ConceptLens",
    "LensStatistics",
    "PromptLens",
    "Readout",
    "Sample",
    "TokenLanguages",
    "TunedLens",
    "concept_lens",
    "lens",
    "lens_rows",
    "read_vocabulary",
    "sample_positions",
    "token_languages",
]
