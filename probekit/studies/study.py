"""``Study``: the YAML file, the Python object and the record in the run are one pydantic model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from probekit.errors import StudyError

if TYPE_CHECKING:
    import os

    from probekit.capture.engine import Progress
    from probekit.corpora import ParallelCorpus
    from probekit.models import Subject
    from probekit.runs import Run


def _known(name: str) -> str:
    from probekit.instruments import instruments

    there = instruments()
    if name not in there:
        msg = f"must be one of {', '.join(there)}"
        raise ValueError(msg)
    return name


Analysis = Annotated[str, AfterValidator(_known)]


class Study(BaseModel):
    """What to read, how, and what to compute.

    Attributes
    ----------
    model, revision, adapter, stack, dtype, device
        As for :func:`probekit.load`.
    corpus, languages, missing, limit, corpus_options
        As for :func:`probekit.open_corpus`; ``languages`` None means all of them, ``limit`` keeps
        the first so many units, ``corpus_options`` are the reader's own (``unit``, ``labels``, …).
    backend
        ``hooks``, ``transformer_lens`` or ``nnsight``.
    pooling, keep_first_token, max_tokens
        What becomes of a text's tokens.
    token_budget, units_per_shard, padding_side
        How the pass runs; None lets it choose.
    analyses
        Which instruments to run; ``cka`` and ``norms`` always do. None: all that the model and
        the corpus allow, and the run says which were left out and why.
    options
        Settings of instruments, as in ``{"lens": {"positions": 200}}``.
    after
        What is done to the pooled vectors of a layer before anything is measured on them:
        ``none``, ``centre`` (each language on its mean), ``lsar`` or ``leace`` (the language
        subspace removed); see :mod:`probekit.measures.transforms`.
    bootstrap, permutations, seed
        Resamples of units for intervals, permutations of unit ids for nulls.
    keep_pooled, keep_shards
        Whether pooled vectors stay in the run, and shards after the merge.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str = "builtin"
    revision: str | None = None
    adapter: str | None = None
    stack: Literal["encoder", "decoder"] | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    backend: Literal["hooks", "transformer_lens", "nnsight"] = "hooks"
    trust_remote_code: bool = False

    corpus: str = "builtin"
    languages: tuple[str, ...] | None = None
    missing: Literal["refuse", "drop-unit", "drop-language"] = "refuse"
    limit: int | None = Field(default=None, ge=1)
    corpus_options: dict[str, Any] = Field(default_factory=dict)

    pooling: Literal["mean", "last", "weighted"] = "mean"
    keep_first_token: bool = False
    max_tokens: int = Field(default=128, ge=2)
    token_budget: int | None = Field(default=None, ge=1)
    units_per_shard: int | None = Field(default=None, ge=1)
    padding_side: Literal["right", "left"] = "right"

    analyses: tuple[Analysis, ...] | None = None
    options: dict[Analysis, dict[str, Any]] = Field(default_factory=dict)
    after: Literal["none", "centre", "lsar", "leace"] = "none"
    bootstrap: int = Field(default=200, ge=20, le=100_000)
    permutations: int = Field(default=200, ge=20, le=100_000)
    seed: int = Field(default=0, ge=0)

    keep_pooled: bool = True
    keep_shards: bool = False

    @field_validator("options")
    @classmethod
    def _complete(cls, options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Every setting of the named instruments, checked by the instrument's own model."""
        from probekit.instruments import instruments

        there = instruments()
        return {name: _checked(there[name].Options, given) for name, given in options.items()}

    @model_validator(mode="after")
    def _options_of_what_runs(self) -> Self:
        from probekit.instruments import instruments

        always = {name for name, kind in instruments().items() if kind.always}
        idle = [] if self.analyses is None else sorted({*self.options} - {*self.analyses} - always)
        if idle:
            msg = f"options are given for {', '.join(idle)}, which analyses does not name"
            raise ValueError(msg)
        return self

    @classmethod
    def of(cls, **fields: Any) -> Study:
        """A study from fields; like the constructor, with probekit's one-line errors.

        Raises
        ------
        StudyError
            An unknown field or a value outside its domain.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "study"
            if first["type"] == "extra_forbidden":
                msg = (
                    f"study has no field {name!r} (has: {', '.join(cls.model_fields)}). "
                    "Remove or rename it."
                )
            else:
                said = first["msg"].removeprefix("Value error, ")
                got = "" if first["loc"] in {(), ("options",)} else _got(first.get("input"))
                msg = f"study field {name!r}: {said}.{got}"
            raise StudyError(msg) from None

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], **overrides: Any) -> Study:
        """Read a study file; ``overrides`` win over what it says, option by option.

        Raises
        ------
        StudyError
            No such file, not YAML, or not a study.
        """
        import yaml

        file = Path(path)
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            msg = (
                f"study file {str(file)!r} cannot be read: {reason}. Give a YAML file with "
                "fields such as 'model' and 'corpus'."
            )
            raise StudyError(msg) from None
        if content is None:
            content = {}
        if not isinstance(content, dict):
            msg = (
                f"study file {str(file)!r} must hold fields such as 'model: builtin'. Got "
                f"a {type(content).__name__} instead."
            )
            raise StudyError(msg)
        options = content.get("corpus_options")
        if isinstance(options, dict) and "corpus_options" in overrides:
            overrides["corpus_options"] = {**options, **overrides["corpus_options"]}
        settings = content.get("options")
        if isinstance(settings, dict) and "options" in overrides:
            overrides["options"] = _merged(settings, overrides["options"])
        return cls.of(**{str(name): value for name, value in content.items()} | overrides)

    def to_yaml(self) -> str:
        """The study as a file, every field said."""
        import yaml

        content = self.model_dump(mode="json")
        text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        return text

    def load(self) -> Subject:
        """The model that the study names; see :func:`probekit.load`."""
        from probekit.studies.runner import load_subject

        return load_subject(self)

    def open_corpus(self) -> ParallelCorpus:
        """The text that the study names; see :func:`probekit.open_corpus`."""
        from probekit.studies.runner import read_corpus

        return read_corpus(self)

    def run(
        self,
        output: str | os.PathLike[str],
        *,
        subject: Subject | None = None,
        corpus: ParallelCorpus | None = None,
        progress: Progress | None = None,
    ) -> Run:
        """Run the study into a folder; the same call resumes an interrupted one.

        Returns the finished run; a folder that already holds this study's run is opened.

        Parameters
        ----------
        output
            Folder of the run; made when every input is checked.
        subject
            A loaded model, instead of loading ``self.model``.
        corpus
            Text in memory, instead of reading ``self.corpus``; ``self.languages`` still choose.
        progress
            Told how far it is. Unless given, a notebook shows a bar and anything else nothing.

        Raises
        ------
        InputError
            Something in the study or in the folder is wrong (nothing was written).
        InterruptedRun, StorageError, NumericalError
            It stopped; finished shards are kept.
        """
        from probekit.capture.notebook_progress import standing
        from probekit.studies.runner import run_study

        with standing(progress) as told:
            return run_study(self, Path(output), subject=subject, corpus=corpus, progress=told)


def _got(value: Any) -> str:
    return f" Got {value!r} instead."


def _merged(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Settings by instrument, where ``theirs`` win setting by setting."""
    return {name: {**(ours.get(name) or {}), **theirs.get(name, {})} for name in {**ours, **theirs}}


def _checked(kind: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    try:
        return kind(**given).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            msg = f"no setting {field!r} (has: {', '.join(kind.model_fields) or 'none'})"
        else:
            msg = f"{field}: {first['msg'].removeprefix('Value error, ')}, got {first['input']!r}"
        raise ValueError(msg) from None
