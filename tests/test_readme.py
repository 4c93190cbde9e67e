"""The README keeps its word: its Python runs, its links exist, it stays short."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from probekit import Run

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_is_short() -> None:
    assert len(TEXT.splitlines()) < 150


def test_relative_links_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_table_of_measures_names_what_a_run_holds(full_run: Run) -> None:
    lines = re.findall(r"^\| (`\w+/\w+`.*?) \|", TEXT, flags=re.MULTILINE)
    assert len(lines) > 16
    missing = []
    for line in lines:
        group = ""
        for name in re.findall(r"`([\w/]+)`", line):
            before, _, variable = name.rpartition("/")
            group = before or group
            if variable not in full_run.group(group):
                missing.append((group, variable))
    assert missing == []


def test_every_analysis_has_a_page_with_its_name() -> None:
    from probekit.instruments import instruments

    pages = {page.stem.replace("-", "_") for page in (ROOT / "docs" / "instruments").glob("*.md")}
    assert set(instruments()) <= pages


@pytest.mark.demo_model
def test_the_python_of_the_readme_asserts_its_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) == 1
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(blocks[0], "README.md", "exec"), names)
    assert (tmp_path / "runs" / "four-languages.html").stat().st_size > 10_000
    assert blocks[0].count("assert") >= 4
