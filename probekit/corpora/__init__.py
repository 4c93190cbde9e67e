"""Text lives here: units × languages, readers, built-in corpora. It knows no model and no figure.

Importing this room is light; langcodes, babel, pyarrow and datasets load when they are used.
"""

from probekit.corpora.builtin import BUILTIN_LANGUAGES, builtin_sentences
from probekit.corpora.cldr import TERM_KINDS, TermKind, cldr_terms
from probekit.corpora.corpus import ParallelCorpus
from probekit.corpora.entity import Entity
from probekit.corpora.hub import read_hub
from probekit.corpora.languages import LanguageInfo, check_language, language_info, to_bcp47
from probekit.corpora.missing import Dropped, MissingPolicy
from probekit.corpora.open import SOURCES, open_corpus
from probekit.corpora.presets import PRESETS, Preset
from probekit.corpora.readers import read_corpus

__all__ = [
    "BUILTIN_LANGUAGES",
    "PRESETS",
    "SOURCES",
    "TERM_KINDS",
    "Dropped",
    "Entity",
    "LanguageInfo",
    "MissingPolicy",
    "ParallelCorpus",
    "Preset",
    "TermKind",
    "builtin_sentences",
    "check_language",
    "cldr_terms",
    "language_info",
    "open_corpus",
    "read_corpus",
    "read_hub",
    "to_bcp47",
]
