"""The built-in model: found as data, checked against its hash, converted once, and read rightly."""

from __future__ import annotations

import hashlib
import logging
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from probekit.errors import ChecksumError, ModelError, StorageError
from probekit.models import builtin, load
from probekit.models.backends import open_backend
from probekit.models.doctor import diagnose
from probekit.models.inputs import pad_batch
from probekit.sites import Site, residual_sites
from tests.tiny import save_tiny

SENTENCES = {
    "en": "The laboratory does not have enough money to repair its microscope.",
    "es": "El año pasado nevó mucho en la montaña.",
    "fr": "Le garçon a mangé la pêche d'été.",
    "de": "Größere Brücken überqueren den Fluss.",
    "ru": "Снег шёл всю ночь.",
    "zh": "这个实验室没有足够的钱来修理显微镜。",
    "ja": "駅まで歩いて十分です。",
    "ar": "لا يملك المختبر ما يكفي من المال.",
    "hi": "प्रयोगशाला के पास पर्याप्त पैसे नहीं हैं।",
    "tr": "Işıklı şehirde çok güzel bir gün.",
    "ko": "나는 매일 아침 커피를 마신다.",
    "el": "Το ποτάμι είναι πλατύ και αργό.",
}


def installed():
    try:
        metadata.version(builtin.PACKAGE)
    except metadata.PackageNotFoundError:
        return False
    return True


demo = [
    pytest.mark.demo_model,
    pytest.mark.skipif(not installed(), reason="the extra `demo` is not installed"),
]


def test_parts_are_joined_in_order_and_checked(tmp_path):
    parts = [tmp_path / name for name in ("a", "b")]
    for part, text in zip(parts, (b"one ", b"two"), strict=True):
        part.write_bytes(text)
    target = tmp_path / "whole"
    builtin.join_parts(parts, target, sha256=hashlib.sha256(b"one two").hexdigest())
    assert target.read_bytes() == b"one two"


@pytest.fixture
def fake_parts(tmp_path, monkeypatch):
    part = tmp_path / "model.gguf.part1"
    part.write_bytes(b"not the model")
    cache = tmp_path / "cache"
    monkeypatch.setenv("PROBEKIT_CACHE", str(cache))
    monkeypatch.setattr(builtin, "part_files", lambda: [part])
    return cache


def test_altered_parts_are_refused_and_leave_nothing(fake_parts):
    with pytest.raises(ChecksumError, match=builtin.SHA256) as error:
        load("builtin")
    assert "\n" not in str(error.value)
    assert "pip install --force-reinstall" in str(error.value)
    assert list(fake_parts.rglob("*")) == []


def convert_to_tiny(_gguf, target):
    save_tiny("gemma3", target)


def test_conversion_happens_once_and_says_the_terms(fake_parts, monkeypatch, caplog, capfd):
    converted = []

    def convert(gguf, target):
        converted.append(gguf.read_bytes())
        convert_to_tiny(gguf, target)

    monkeypatch.setattr(builtin, "SHA256", hashlib.sha256(b"not the model").hexdigest())
    monkeypatch.setattr(builtin.join_parts, "__kwdefaults__", {"sha256": builtin.SHA256})
    monkeypatch.setattr(builtin, "convert_gguf", convert)
    with caplog.at_level(logging.WARNING, logger="probekit"):
        first = load("builtin")
        second = load("builtin")
    assert converted == [b"not the model"]
    assert first.state_sha256 == second.state_sha256
    assert [record.message for record in caplog.records].count(builtin.TERMS) == 1
    assert [path.name for path in fake_parts.iterdir()] == [builtin.cache_folder().name]
    assert capfd.readouterr() == ("", "")


def test_a_failed_conversion_leaves_nothing(fake_parts, monkeypatch):
    def full(_gguf, target):
        target.mkdir()
        msg = "No space left on device"
        raise OSError(msg)

    monkeypatch.setattr(builtin, "join_parts", lambda *_: None)
    monkeypatch.setattr(builtin, "convert_gguf", full)
    with pytest.raises(StorageError, match=r"No space left .*PROBEKIT_CACHE"):
        builtin.builtin_folder()
    assert list(fake_parts.iterdir()) == []


def test_a_faster_process_wins(fake_parts, monkeypatch):
    def convert(gguf, target):
        convert_to_tiny(gguf, target)
        convert_to_tiny(gguf, builtin.cache_folder())  # the other process, in the meantime

    monkeypatch.setattr(builtin, "join_parts", lambda *_: None)
    monkeypatch.setattr(builtin, "convert_gguf", convert)
    assert builtin.builtin_folder() == builtin.cache_folder()
    assert [path.name for path in fake_parts.iterdir()] == [builtin.cache_folder().name]


def test_without_the_extra_the_way_out_is_named(monkeypatch, tmp_path):
    def absent(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setenv("PROBEKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(metadata, "files", absent)
    with pytest.raises(ModelError, match=r"pip install 'probekit\[demo\]'"):
        load("builtin")


@pytest.mark.parametrize("n_files", [0, 2])
def test_a_package_with_other_contents_is_refused(monkeypatch, n_files):
    files = [metadata.PackagePath(f"x/model.gguf.part{n}") for n in range(n_files)]
    monkeypatch.setattr(metadata, "files", lambda _: files)
    with pytest.raises(ModelError, match=f"holds {n_files}"):
        builtin.part_files()


def test_transformers_gets_its_voice_back():
    from transformers.utils import logging as hf_logging

    before = (hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled())
    with builtin.quiet_transformers():
        assert hf_logging.get_verbosity() == logging.ERROR
        assert not hf_logging.is_progress_bar_enabled()
    assert (hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()) == before


@pytest.fixture(scope="module")
def subject():
    return load("builtin", device="cpu")


def nats(subject, ids):
    """Mean surprise of the tokens after the first."""
    logits = subject.forward(pad_batch(subject, [ids])).logits[0, :-1]
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:])))


class TestRealModel:
    pytestmark = demo

    def test_parts_are_found_without_importing_their_packages(self):
        parts = builtin.part_files()
        assert len(parts) == builtin.N_PARTS
        assert all(Path(part).is_file() for part in parts)
        assert [part.name[-1] for part in parts] == sorted(part.name[-1] for part in parts)
        assert not [name for name in sys.modules if name.startswith("gemma3_270m")]

    def test_the_joined_parts_have_the_pinned_hash(self, tmp_path):
        target = tmp_path / "model.gguf"
        builtin.join_parts(builtin.part_files(), target)
        with target.open("rb") as file:
            assert file.read(4) == b"GGUF"

    def test_it_is_gemma_3_270m(self, subject):
        anatomy = subject.anatomy
        assert (anatomy.n_blocks, anatomy.d_model, anatomy.neurons.width) == (18, 640, 2048)
        assert subject.dtype == torch.float32
        assert 267e6 < subject.n_parameters < 269e6

    @pytest.mark.parametrize("language", SENTENCES)
    def test_text_survives_the_tokenizer(self, subject, language):
        text = SENTENCES[language]
        ids = subject.tokenizer(text)["input_ids"]
        assert ids[0] == subject.tokenizer.bos_token_id
        assert subject.tokenizer.decode(ids, skip_special_tokens=True) == text

    def test_lens_and_layers_are_the_models_own_on_real_text(self, subject):
        ids = [subject.tokenizer(text)["input_ids"] for text in (SENTENCES["en"], SENTENCES["ja"])]
        inputs = pad_batch(subject, ids)
        content = inputs["attention_mask"].bool()
        got = {}
        layers = residual_sites(18)
        run = open_backend("hooks", subject).run
        run(inputs, layers, lambda site, hidden: got.update({site: hidden.clone()}))
        with torch.inference_mode():
            plain = subject.model(**inputs, use_cache=False, output_hidden_states=True)
            lens = subject.logits(got[Site(17, "resid_post")])
        torch.testing.assert_close(lens[content], plain.logits[content], rtol=1e-5, atol=1e-5)
        for site, state in zip(layers[:-1], plain.hidden_states[:-1], strict=True):
            torch.testing.assert_close(got[site][content], state[content], rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("language", ["en", "ru", "hi", "zh"])
    def test_a_sentence_is_likelier_than_its_shuffled_tokens(self, subject, language):
        first, *rest = subject.tokenizer(SENTENCES[language])["input_ids"]
        order = torch.randperm(len(rest), generator=torch.Generator().manual_seed(0))
        shuffled = [first, *(rest[at] for at in order)]
        assert nats(subject, [first, *rest]) + 2 < nats(subject, shuffled)

    def test_it_knows_a_rhyme(self, subject):
        ids = subject.tokenizer("Roses are red, violets are")["input_ids"]
        logits = subject.forward(pad_batch(subject, [ids])).logits[0, -1]
        assert subject.tokenizer.decode(logits.argmax()) == " blue"

    def test_the_doctor_finds_it_well(self, subject):
        diagnosis = diagnose(subject)
        assert [check.name for check in diagnosis.rows if not check.ok] == []
