"""Facts live here: questions with answers, sets of them, readers, and how a subject scores on them.

Sets are text and load no model library; scoring imports torch when it is called. Nothing here
changes a model.
"""

from probekit.facts.answers import Answers
from probekit.facts.cldr import CLDR_LANGUAGES, CLDR_RELATIONS, cldr_facts
from probekit.facts.generating import generate
from probekit.facts.guessing import guessing
from probekit.facts.layouts import LAYOUTS
from probekit.facts.opening import open_facts, split_facts
from probekit.facts.planted import PLANTED_LANGUAGES, planted_facts
from probekit.facts.question import FORMS, PARTS, FactSet, Question
from probekit.facts.readers import read_facts
from probekit.facts.scores import Scores, known
from probekit.facts.scoring import score

__all__ = [
    "CLDR_LANGUAGES",
    "CLDR_RELATIONS",
    "FORMS",
    "LAYOUTS",
    "PARTS",
    "PLANTED_LANGUAGES",
    "Answers",
    "FactSet",
    "Question",
    "Scores",
    "cldr_facts",
    "generate",
    "guessing",
    "known",
    "open_facts",
    "planted_facts",
    "read_facts",
    "score",
    "split_facts",
]
