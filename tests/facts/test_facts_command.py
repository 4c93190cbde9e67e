from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from probekit.cli import app
from probekit.errors import InputError
from probekit.facts import planted_facts


@pytest.fixture(scope="module")
def facts_file(tmp_path_factory):
    facts = planted_facts(["en", "es"]).where(form="statement", relation="science")
    return facts.to_jsonl(tmp_path_factory.mktemp("facts") / "science.jsonl")


def run(*arguments):
    return CliRunner().invoke(app, ["facts", *map(str, arguments)], catch_exceptions=False)


def test_json_has_the_rows_and_the_known_facts(facts_file, model_folder):
    done = run(facts_file, "--model", model_folder, "--part", "forget,retain", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert [(row["language"], row["part"]) for row in found["rows"]] == [
        ("en", "forget"),
        ("en", "retain"),
        ("es", "forget"),
        ("es", "retain"),
    ]
    assert set(found["known"]) == {"en", "es"}
    assert found["facts"]["n_questions"] == 32
    assert all(row["chance"] == 0.25 for row in found["rows"])


def test_the_table_says_known_accuracy_and_floors(facts_file, model_folder):
    done = run(facts_file, "--model", model_folder, "--languages", "en", "--part", "forget")
    assert done.exit_code == 0
    assert "of 8" in done.stdout
    assert "0.25" in done.stdout
    assert "Known:" in done.stdout


def test_what_is_not_there_is_refused(facts_file, model_folder):
    with pytest.raises(InputError, match="part must be in"):
        run(facts_file, "--model", model_folder, "--part", "all")
    with pytest.raises(InputError, match="no prompts in 'fr'"):
        run("planted", "--model", model_folder, "--languages", "fr")
