"""Probing classifiers: arrays in, frozen results out. No model, no file, no plot lives here.

All languages, folds, tasks and penalties of a layer are fitted together; torch does the algebra and
is imported when something is fitted.
"""

from probekit.measures.probing.crossfit import PENALTIES, CrossFit, crossfit
from probekit.measures.probing.folds import unit_folds
from probekit.measures.probing.items import Items, Labels
from probekit.measures.probing.language_id import (
    LanguageIdentity,
    Removal,
    language_identity,
    remove_language,
)
from probekit.measures.probing.logistic import Logistic, fit_logistic
from probekit.measures.probing.online_code import OnlineCode, frequency_code, online_code
from probekit.measures.probing.scores import (
    Estimate,
    ProbeScores,
    Resampler,
    estimate,
    majority_accuracy,
    normalised_transfer,
    probe_scores,
)

__all__ = [
    "PENALTIES",
    "CrossFit",
    "Estimate",
    "Items",
    "Labels",
    "LanguageIdentity",
    "Logistic",
    "OnlineCode",
    "ProbeScores",
    "Removal",
    "Resampler",
    "crossfit",
    "estimate",
    "fit_logistic",
    "frequency_code",
    "language_identity",
    "majority_accuracy",
    "normalised_transfer",
    "online_code",
    "probe_scores",
    "remove_language",
    "unit_folds",
]
