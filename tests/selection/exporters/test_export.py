"""What ``export`` refuses, and what it says beside the snippet."""

from __future__ import annotations

import numpy as np
import pytest

from probekit.errors import RuleError
from probekit.selection import select
from probekit.selection.exporters import EXPORTERS, export


def test_an_unknown_trainer_lists_the_known(selection_of):
    with pytest.raises(RuleError, match=f"{', '.join(EXPORTERS)}. Got 'peff'"):
        export(selection_of(), "peff")


def test_an_empty_region_is_refused_by_every_trainer(planted, card_of):
    refused = select(planted(align_p=np.full(12, 0.9)), card=card_of())
    assert refused.status == "no_signal"
    for to in EXPORTERS:
        with pytest.raises(RuleError, match=r"empty region \(no_signal\)"):
            export(refused, to)


def test_a_selection_without_tensors_is_refused(planted):
    with pytest.raises(RuleError, match="names no tensor"):
        export(select(planted()), "peft")


def test_names_of_another_model_are_refused(selection_of, subject_of):
    with pytest.raises(RuleError, match="made for another model: 3 of its 3 tensors"):
        export(selection_of("llama"), "peft", names=subject_of("gpt2").names)


def test_an_unstable_region_is_said(document_of):
    written = export(document_of(status="unstable"), "trainer")
    assert any("unstable" in note for note in written.notes)
    assert not any("unstable" in note for note in export(document_of(), "trainer").notes)


def test_the_heading_says_where_and_what(document_of):
    written = export(document_of(), "axolotl")
    heading = [line for line in written.text.splitlines() if line.startswith("#")]
    assert "blocks 5–7 of 12 (depth 0.500 to 0.667), read block 7" in heading[0]
    assert written.names_sha256 in heading[1]
    assert heading[2].startswith("# median activation norm by block: 5: ")


def test_a_model_id_cannot_leave_its_comment(document_of):
    document = document_of()
    document["model"]["id"] = "x\nimport os\n"
    for to in ("trainer", "peft", "repeng"):
        assert "\nimport os" not in export(document, to).text


def test_json_is_plain(document_of):
    said = export(document_of(), "peft").to_json()
    assert said["expressible"] is True
    assert said["names"] == document_of()["parameters"]["names"]
    assert set(said) == set(export(document_of(), "peft").__dataclass_fields__)
