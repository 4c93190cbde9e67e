"""The one door: words, files, and options that fit or do not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import probekit.corpora
from probekit.corpora import BUILTIN_LANGUAGES, SOURCES, builtin_sentences, open_corpus
from probekit.errors import CorpusError, LanguageError


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "c.csv"
    path.write_text("key,en,sw,topic\na,x,y,t\nb,z,,t\n")
    return path


def test_builtin_is_the_builtin_corpus() -> None:
    assert open_corpus("builtin") == builtin_sentences()
    assert open_corpus("builtin", languages=["sw", "en"]) == builtin_sentences(["sw", "en"])


def test_limit_keeps_the_first_units(file: Path) -> None:
    assert open_corpus("builtin", limit=5).units == builtin_sentences().units[:5]
    assert open_corpus("cldr", languages=["en"], limit=2, kinds=["month"]).units == (
        "month:1",
        "month:2",
    )
    with pytest.raises(CorpusError, match="at least 1"):
        open_corpus("builtin", limit=0)


def test_cldr_takes_the_builtin_languages_unless_told() -> None:
    assert open_corpus("cldr", kinds=["month"]).languages == BUILTIN_LANGUAGES
    assert open_corpus("cldr", languages=["fr"], kinds=["month"]).languages == ("fr",)


def test_a_path_is_read_with_the_readers_options(file: Path) -> None:
    options = {"unit": "key", "labels": ["topic"], "missing": "drop-unit"}
    for source in (file, str(file)):
        corpus = open_corpus(source, **options)
        assert corpus.units == ("a",)
        assert corpus.labels == {"topic": ("t",)}
    assert open_corpus(file, languages=["en"], **options).units == ("a", "b")


def test_hub_reads_local_files(tmp_path) -> None:
    rows = [{"index_id": i, "category": "t", "text": f"x{i}"} for i in range(3)]
    (tmp_path / "eng_Latn.jsonl").write_text("\n".join(map(json.dumps, rows)))
    wish = {"languages": ["en"], "data_dir": tmp_path}
    assert open_corpus("hub:sib200", **wish).texts["en"] == ("x0", "x1", "x2")
    assert open_corpus("hub:sib200", **wish, limit=2).texts["en"] == ("x0", "x1")


def test_hub_needs_languages() -> None:
    with pytest.raises(LanguageError, match="languages must be named for hub:sib200"):
        open_corpus("hub:sib200")


def test_hub_refuses_an_unknown_data_set() -> None:
    with pytest.raises(CorpusError, match="'wikitext'"):
        open_corpus("hub:wikitext", languages=["en"])


def test_an_unknown_word_is_refused_with_the_choices() -> None:
    with pytest.raises(CorpusError) as caught:
        open_corpus("bultin")
    assert all(source in str(caught.value) for source in SOURCES)


def test_a_file_that_is_not_there_is_not_taken_for_a_word() -> None:
    with pytest.raises(CorpusError, match=r"absent\.csv does not exist"):
        open_corpus("absent.csv")


@pytest.mark.parametrize(
    ("source", "option"),
    [("builtin", {"unit": "id"}), ("cldr", {"split": "test"}), ("hub:xnli", {"labels": ["x"]})],
)
def test_an_option_of_another_source_is_refused(source: str, option: dict) -> None:
    with pytest.raises(CorpusError, match=f"does not take the option '{next(iter(option))}'"):
        open_corpus(source, languages=["en"], **option)


def test_a_wrong_policy_is_refused_for_every_source() -> None:
    with pytest.raises(CorpusError, match="missing must be one of"):
        open_corpus("builtin", missing="skip")


def test_public_names_exist_and_stand_once() -> None:
    names = probekit.corpora.__all__
    assert len(names) == len(set(names))
    assert all(hasattr(probekit.corpora, name) for name in names)


def test_importing_the_room_loads_no_heavy_library() -> None:
    heavy = {
        "langcodes",
        "babel",
        "pandas",
        "pyarrow",
        "datasets",
        "torch",
        "transformers",
    }
    code = f"import sys, probekit.corpora; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
