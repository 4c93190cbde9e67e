"""Probing of a corpus or a labelled file: tasks, plans, and probes that are kept and used again.

What is fitted lives in ``measures.probing``; what a study makes of it in ``instruments.probes``.
"""

from probekit.probing.labelled import LabelledTexts, LabelledWords, read_labelled
from probekit.probing.plan import Plan, Sheet, make_plan
from probekit.probing.probe import Probe
from probekit.probing.tasks import Task, corpus_tasks
from probekit.probing.vectors import text_vectors, word_vectors

__all__ = [
    "LabelledTexts",
    "LabelledWords",
    "Plan",
    "Probe",
    "Sheet",
    "Task",
    "corpus_tasks",
    "make_plan",
    "read_labelled",
    "text_vectors",
    "word_vectors",
]
