"""Well-known parallel data sets: where they are and what their columns mean. A table, no code.

Columns as documented on the data sets' cards; what a card does not say is not relied on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TextColumn:
    """A column that can be read as the text of a unit.

    Attributes
    ----------
    column
        Its name; with slots marked in ``annotated``, entities are read from there.
    key
        Columns that identify a unit in every language; empty where only the row number does.
    labels
        Columns that are labels of this text.
    annotated
        A column with the same text and its slots marked as ``[kind : words]``.
    distinct
        Keep only the first of the units that say the same in every language.
    """

    column: str
    key: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    annotated: str | None = None
    distinct: bool = False


@dataclass(frozen=True)
class Preset:
    """How to read one data set.

    Attributes
    ----------
    repo
        Its id on the Hugging Face Hub.
    texts
        What can be the text; the first is the default.
    split
        The default split.
    language
        Columns that, joined with ``_``, give a row's language, where all languages share one file.
    partition
        The column that names a row's split, where all splits share one file.
    class_names
        Names of label values that are stored as numbers.
    parquet_branch
        Read the Hub's own Parquet copy, one folder per language: the data set itself is a script,
        which ``datasets`` no longer runs.
    license
        Of the text.
    """

    repo: str
    texts: tuple[TextColumn, ...]
    split: str
    license: str
    language: tuple[str, ...] = ()
    partition: str | None = None
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parquet_branch: bool = False


PRESETS: dict[str, Preset] = {
    # FLORES+ (NLLB team 2022; Open Language Data Initiative); gated: accept its terms on the Hub.
    "flores": Preset(
        repo="openlanguagedata/flores_plus",
        texts=(TextColumn("text", key=("id",), labels=("topic", "domain")),),
        split="devtest",
        license="CC BY-SA 4.0",
        language=("iso_639_3", "iso_15924"),
    ),
    # SIB-200 (Adelani et al. 2024): FLORES sentences with one of seven topics.
    "sib200": Preset(
        repo="Davlan/sib200",
        texts=(TextColumn("text", key=("index_id",), labels=("category",)),),
        split="test",
        license="CC BY-SA 4.0",
    ),
    # XNLI (Conneau et al. 2018). No id: rows are in the same order in all languages. A premise
    # stands in three rows, once for each hypothesis.
    "xnli": Preset(
        repo="facebook/xnli",
        texts=(
            TextColumn("hypothesis", labels=("label",)),
            TextColumn("premise", distinct=True),
        ),
        split="test",
        license="CC BY-NC 4.0",
        class_names={"label": ("entailment", "neutral", "contradiction")},
    ),
    # Belebele (Bandarkar et al. 2024). A link is one passage; it has one or two questions.
    "belebele": Preset(
        repo="facebook/belebele",
        texts=(
            TextColumn("flores_passage", key=("link",)),
            TextColumn("question", key=("link", "question_number")),
        ),
        split="test",
        license="CC BY-SA 4.0",
        language=("dialect",),
    ),
    # MASSIVE (FitzGerald et al. 2023): requests to a voice assistant, slots marked.
    "massive": Preset(
        repo="AmazonScience/massive",
        texts=(
            TextColumn("utt", key=("id",), labels=("intent", "scenario"), annotated="annot_utt"),
        ),
        split="test",
        license="CC BY 4.0",
        language=("locale",),
        partition="partition",
        parquet_branch=True,
    ),
}
