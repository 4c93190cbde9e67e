"""Published data sets, from local files of their layouts and from a stand-in for the Hub."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path

import datasets
import pytest

from probekit.corpora import PRESETS, Entity, read_hub
from probekit.corpora.hub import UNLABELLED, slot_entities
from probekit.errors import CorpusError, InputError, LanguageError


def put(folder: Path, name: str, rows: list[dict]) -> None:
    folder.mkdir(exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / name).write_text("".join(lines), encoding="utf-8")


def sib(texts: dict[int, str], topic: str = "travel") -> list[dict]:
    return [{"index_id": i, "category": topic, "text": text} for i, text in texts.items()]


@pytest.fixture
def sib200(tmp_path) -> Path:
    put(tmp_path, "eng_Latn.jsonl", sib({7: "seven", 3: "three", 9: "nine"}))
    put(tmp_path, "swh_Latn.jsonl", sib({3: "tatu", 9: "tisa", 7: "saba"}))
    put(tmp_path, "zho_Hans.jsonl", sib({3: "三", 7: "七"}))
    return tmp_path


def test_rows_are_joined_by_key_not_by_order(sib200: Path) -> None:
    corpus = read_hub("sib200", languages=["en", "sw"], data_dir=sib200)
    assert corpus.units == ("7", "3", "9")
    assert corpus.texts == {"en": ("seven", "three", "nine"), "sw": ("saba", "tatu", "tisa")}
    assert corpus.labels == {"category": ("travel",) * 3}
    assert corpus.name == "sib200"
    assert corpus.provenance == "Davlan/sib200, text, split test (CC BY-SA 4.0)"


def test_a_unit_that_a_language_lacks_goes_to_the_missing_policy(sib200: Path) -> None:
    wish = {"languages": ["en", "zh"], "data_dir": sib200}
    with pytest.raises(CorpusError, match="unit '9' in zh: absent"):
        read_hub("sib200", **wish)
    assert read_hub("sib200", **wish, missing="drop-unit").units == ("7", "3")
    assert read_hub("sib200", **wish, missing="drop-language").languages == ("en",)


def test_limit_takes_the_first_units_before_any_is_missed(sib200: Path) -> None:
    corpus = read_hub("sib200", languages=["en", "zh"], data_dir=sib200, limit=2)
    assert corpus.units == ("7", "3")


def test_languages_may_be_named_as_the_data_set_does(sib200: Path) -> None:
    corpus = read_hub("sib200", languages=["swh_Latn", "zho_Hans"], data_dir=sib200, limit=1)
    assert corpus.languages == ("sw", "zh-Hans")


def test_a_language_without_a_file_is_refused_with_those_there_are(sib200: Path) -> None:
    with pytest.raises(LanguageError, match=r"no language 'de'.*eng_Latn, swh_Latn, zho_Hans"):
        read_hub("sib200", languages=["de"], data_dir=sib200)


def test_files_may_lie_in_a_folder_of_the_split(tmp_path) -> None:
    for split, text in (("dev", "development"), ("devtest", "test")):
        put(
            tmp_path / split,
            "eng_Latn.jsonl",
            [{"id": 1, "text": text, "topic": "t", "domain": ""}],
        )
    corpus = read_hub("flores", languages=["en"], data_dir=tmp_path, split="dev")
    assert corpus.texts["en"] == ("development",)
    assert corpus.labels == {"topic": ("t",), "domain": (UNLABELLED,)}
    assert read_hub("flores", languages=["en"], data_dir=tmp_path).texts["en"] == ("test",)


def test_flores_in_one_file_is_parted_by_its_code_columns(tmp_path) -> None:
    rows = [
        {"id": i, "iso_639_3": iso, "iso_15924": script, "text": f"{iso} {i}", "topic": "t"}
        for iso, script in (("eng", "Latn"), ("arb", "Arab"), ("arb", "Latn"))
        for i in (0, 1)
    ]
    put(tmp_path, "all.jsonl", rows)
    corpus = read_hub("flores", languages=["ar", "en", "ar-Latn"], data_dir=tmp_path)
    assert corpus.texts["ar"] == ("arb 0", "arb 1")
    assert corpus.languages == ("ar", "en", "ar-Latn")


def test_belebele_passages_stand_once_and_questions_each(tmp_path) -> None:
    for dialect in ("eng_Latn", "swh_Latn"):
        rows = [
            {"link": link, "question_number": n, "flores_passage": f"{dialect} {link}"}
            | {"question": f"{dialect} {link} {n}", "dialect": dialect, "ds": "2023-05-03"}
            for link, n in (("p", 1), ("p", 2), ("q", 1))
        ]
        put(tmp_path, f"{dialect}.jsonl", rows)
    wish = {"languages": ["en", "sw"], "data_dir": tmp_path}
    passages = read_hub("belebele", **wish)
    assert passages.units == ("p", "q")
    assert passages.texts["sw"] == ("swh_Latn p", "swh_Latn q")
    questions = read_hub("belebele", **wish, text="question")
    assert questions.units == ("p#1", "p#2", "q#1")


def xnli(language: str) -> list[dict]:
    return [
        {"premise": f"{language} p{i // 3}", "hypothesis": f"{language} h{i}", "label": i % 3}
        for i in range(6)
    ]


def test_xnli_is_joined_by_row_with_named_labels(tmp_path) -> None:
    for code in ("en", "sw"):
        put(tmp_path, f"{code}.jsonl", xnli(code))
    corpus = read_hub("xnli", languages=["sw", "en"], data_dir=tmp_path, limit=3)
    assert corpus.texts["sw"] == ("sw h0", "sw h1", "sw h2")
    assert corpus.labels["label"] == ("entailment", "neutral", "contradiction")


def test_xnli_premises_stand_once(tmp_path) -> None:
    for code in ("en", "sw"):
        put(tmp_path, f"{code}.jsonl", xnli(code))
    corpus = read_hub("xnli", languages=["en", "sw"], data_dir=tmp_path, text="premise")
    assert corpus.texts == {"en": ("en p0", "en p1"), "sw": ("sw p0", "sw p1")}
    assert corpus.labels == {}


def test_xnli_in_one_file_of_all_languages_is_unfolded(tmp_path) -> None:
    rows = [
        {
            "premise": {"en": f"p{i}", "sw": f"sp{i}"},
            "hypothesis": {"language": ["sw", "en"], "translation": [f"sh{i}", f"h{i}"]},
            "label": i,
        }
        for i in range(3)
    ]
    put(tmp_path, "all_languages.jsonl", rows)
    corpus = read_hub("xnli", languages=["en", "sw"], data_dir=tmp_path)
    assert corpus.texts == {"en": ("h0", "h1", "h2"), "sw": ("sh0", "sh1", "sh2")}


def test_rows_without_ids_must_be_as_many_in_every_language(tmp_path) -> None:
    put(tmp_path, "en.jsonl", xnli("en"))
    put(tmp_path, "sw.jsonl", xnli("sw")[1:])
    with pytest.raises(CorpusError, match="Got en 6, sw 5"):
        read_hub("xnli", languages=["en", "sw"], data_dir=tmp_path, missing="drop-unit")


def massive(locale: str, utt: str, annotated: str) -> list[dict]:
    row = {"locale": locale, "scenario": "alarm", "intent": "alarm_set"}
    return [
        {"id": "0", "partition": "test", "utt": utt, "annot_utt": annotated, **row},
        {"id": "1", "partition": "train", "utt": "other", "annot_utt": "other", **row},
    ]


def test_massive_has_its_partition_labels_and_slots(tmp_path) -> None:
    put(tmp_path, "en-US.jsonl", massive("en-US", "wake me at five", "wake me at [time : five]"))
    put(tmp_path, "de-DE.jsonl", massive("de-DE", "um fünf wecken", "um [time : fünf] wecken"))
    corpus = read_hub("massive", languages=["en", "de"], data_dir=tmp_path)
    assert corpus.units == ("0",)
    assert corpus.labels == {"intent": ("alarm_set",), "scenario": ("alarm",)}
    assert corpus.entities["en"] == ((Entity(11, 15, "time", "five"),),)
    assert corpus.entities["de"] == ((Entity(3, 7, "time", "fünf"),),)
    assert read_hub("massive", languages=["en"], data_dir=tmp_path, split="train").units == ("1",)
    with pytest.raises(CorpusError, match=r"has: test, train.*'validation'"):
        read_hub("massive", languages=["en"], data_dir=tmp_path, split="validation")


@pytest.mark.parametrize(
    ("text", "annotated", "spans"),
    [
        ("no slot", "no slot", ()),
        ("a b c", "[x : a] b [y : c]", ((0, 1, "x", "a"), (4, 5, "y", "c"))),
        ("a b", "[x : a b c]", ()),
        ("a b", "", ()),
        ("明日の朝", "[date : 明日]の[time : 朝]", ((0, 2, "date", "明日"), (3, 4, "time", "朝"))),
    ],
)
def test_slots_become_entities_only_if_they_spell_the_text(text, annotated, spans) -> None:
    assert slot_entities(text, annotated) == tuple(Entity(*span) for span in spans)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "json"])
def test_other_formats_are_read_and_words_like_na_stay_text(tmp_path, suffix: str) -> None:
    loaded = datasets.Dataset.from_list(sib({1: "NA", 2: "null"}))
    path = tmp_path / f"eng_Latn.{suffix}"
    if suffix == "parquet":
        loaded.to_parquet(str(path))
    elif suffix == "json":
        path.write_text(json.dumps(sib({1: "NA", 2: "null"})))
    else:
        sep = "," if suffix == "csv" else "\t"
        rows = [["index_id", "category", "text"], ["1", "t", "NA"], ["2", "t", "null"]]
        path.write_text("".join(sep.join(row) + "\n" for row in rows))
    corpus = read_hub("sib200", languages=["en"], data_dir=tmp_path)
    assert corpus.texts["en"] == ("NA", "null")


def test_local_files_leave_nothing_in_the_users_cache(sib200: Path, tmp_path, monkeypatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    read_hub("sib200", languages=["en"], data_dir=sib200)
    assert not cache.exists()


def test_one_key_with_two_texts_is_refused(tmp_path) -> None:
    put(tmp_path, "eng_Latn.jsonl", [*sib({1: "a"}), *sib({1: "b"})])
    with pytest.raises(CorpusError, match=r"index_id must identify a 'text'. Got two for '1'"):
        read_hub("sib200", languages=["en"], data_dir=tmp_path)


BAD_WISHES = {
    "data set": ({"name": "wikitext"}, CorpusError, "one of flores, sib200, xnli"),
    "text": ({"text": "title"}, CorpusError, "one of text. Got 'title'"),
    "limit": ({"limit": 0}, CorpusError, "at least 1. Got 0"),
    "policy": ({"missing": "skip"}, CorpusError, "missing must be one of"),
    "languages": ({"languages": ["en", "eng_Latn"]}, LanguageError, "must differ"),
    "no languages": ({"languages": []}, LanguageError, "at least one"),
    "string": ({"languages": "en"}, LanguageError, "at least one|must differ|BCP 47"),
    "unknown language": ({"languages": ["xx"]}, LanguageError, "'xx'"),
    "folder": ({"data_dir": "absent"}, CorpusError, "data_dir must be a folder"),
}


@pytest.mark.parametrize("case", BAD_WISHES)
def test_a_wrong_wish_is_refused(sib200: Path, case: str) -> None:
    change, error, says = BAD_WISHES[case]
    wish = {"name": "sib200", "languages": ["en"], "data_dir": sib200, **change}
    with pytest.raises(error, match=says):
        read_hub(wish.pop("name"), **wish)


def test_a_folder_without_readable_files_is_refused(tmp_path) -> None:
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(CorpusError, match=r"has no .jsonl"):
        read_hub("sib200", languages=["en"], data_dir=tmp_path)


def test_two_files_of_one_language_are_refused(sib200: Path) -> None:
    (sib200 / "eng_Latn.csv").write_text("index_id,category,text\n1,t,x\n")
    with pytest.raises(CorpusError, match=r"eng_Latn\.csv and eng_Latn\.jsonl"):
        read_hub("sib200", languages=["en"], data_dir=sib200)


def test_files_of_another_data_set_are_refused_by_column(tmp_path) -> None:
    put(tmp_path, "eng_Latn.jsonl", [{"id": 1, "text": "x"}])
    with pytest.raises(CorpusError, match=r"column 'index_id' .has: id, text"):
        read_hub("sib200", languages=["en"], data_dir=tmp_path)


def test_a_broken_file_is_a_corpus_error_of_one_line(tmp_path) -> None:
    (tmp_path / "eng_Latn.jsonl").write_text('{"index_id": 1,\n')
    with pytest.raises(CorpusError, match=r"eng_Latn\.jsonl cannot be read") as caught:
        read_hub("sib200", languages=["en"], data_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_without_the_library_the_extra_is_named(monkeypatch) -> None:
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "datasets":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "datasets")
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(InputError, match=r"pip install 'probekit\[hub\]'"):
        read_hub("sib200", languages=["en"])


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """Stand in for the Hub; returns the list of what it was asked."""
    calls: list[tuple] = []

    def load_dataset(*where, **options):
        calls.append((where, options))
        loaded = datasets.Dataset.from_dict({"premise": ["p"], "hypothesis": ["h"], "label": [2]})
        names = ["zero", "one", "two"]
        return loaded.cast_column("label", datasets.ClassLabel(names=names))

    def get_dataset_config_names(repo):
        calls.append(((repo,), {}))
        return ["all_languages", "en", "sw"]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(datasets, "get_dataset_config_names", get_dataset_config_names)
    return calls


def test_the_hub_is_asked_for_the_configuration_and_split(asked: list[tuple]) -> None:
    corpus = read_hub("xnli", languages=["sw"], split="validation")
    assert asked == [
        (("facebook/xnli",), {}),
        (("facebook/xnli", "sw"), {"split": "validation"}),
    ]
    assert corpus.labels["label"] == ("two",), "class numbers take the names the Hub gives"


def test_the_hub_is_asked_for_the_default_split(asked: list[tuple]) -> None:
    read_hub("xnli", languages=["en"])
    assert asked[-1] == (("facebook/xnli", "en"), {"split": "test"})


def test_a_scripted_data_set_is_read_from_its_parquet_branch(monkeypatch) -> None:
    import huggingface_hub

    calls = []
    branch = "datasets/AmazonScience/massive@refs/convert/parquet"

    class FileSystem:
        def ls(self, path, detail):
            assert (path, detail) == (branch, True)
            folders = [{"name": f"{path}/{n}", "type": "directory"} for n in ("en-US", "sw-KE")]
            return [*folders, {"name": f"{path}/README.md", "type": "file"}]

    def load_dataset(*where, **options):
        calls.append((where, options))
        row = {"id": "0", "utt": "x", "annot_utt": "x", "intent": "i", "scenario": "s"}
        return datasets.Dataset.from_list([row])

    monkeypatch.setattr(huggingface_hub, "HfFileSystem", FileSystem)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert read_hub("massive", languages=["sw"]).units == ("0",)
    files = {"test": f"hf://{branch}/sw-KE/test/*.parquet"}
    assert calls == [(("parquet",), {"data_files": files, "split": "test"})]


def test_a_failure_of_the_hub_is_a_corpus_error_with_a_way_out(monkeypatch) -> None:
    def fail(*_args, **_options):
        msg = "gated\nsecond line"
        raise ConnectionError(msg)

    monkeypatch.setattr(datasets, "get_dataset_config_names", fail)
    with pytest.raises(CorpusError, match=r"flores_plus cannot be read \(gated\).*data_dir"):
        read_hub("flores", languages=["en"])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete(name: str) -> None:
    preset = PRESETS[name]
    columns = [text.column for text in preset.texts]
    assert preset.repo.count("/") == 1
    assert columns
    assert len(set(columns)) == len(columns)
    assert preset.split
    assert preset.license.startswith("CC BY")
    assert set(preset.class_names) <= {label for text in preset.texts for label in text.labels}
