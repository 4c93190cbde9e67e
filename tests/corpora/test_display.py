"""A corpus as HTML: what a notebook shows, and that no text gets out of its cell."""

from __future__ import annotations

import re
from dataclasses import replace

from probekit.corpora import Dropped, ParallelCorpus
from probekit.corpora.display import MOST_LANGUAGES

HOSTILE = "</td><script>alert(1)</script>"


def two_languages() -> ParallelCorpus:
    return ParallelCorpus(
        name="n", units=("a", "b"), texts={"en": ("ab", "abc"), "ar": ("س", "صباح الخير")}
    )


def rows_of(html: str) -> list[list[str]]:
    """Text of every cell, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in cells]


def test_html_shows_each_language_with_script_direction_and_its_texts() -> None:
    rows = rows_of(two_languages()._repr_html_())
    assert rows[0][-2:] == ["unit a", "unit b"]
    assert rows[1:] == [
        ["en", "English", "Latn", "ltr", "2.5", "ab", "abc"],
        ["ar", "Arabic · العربية", "Arab", "rtl", "5.5", "س", "صباح الخير"],
    ]


def test_texts_find_their_own_direction_in_their_language() -> None:
    html = two_languages()._repr_html_()
    assert html.count('dir="auto"') == 4
    assert html.count('<td dir="auto" lang="ar"') == 2


def test_html_escapes_everything_that_was_read_from_a_file() -> None:
    corpus = ParallelCorpus(
        name=HOSTILE,
        units=(HOSTILE,),
        texts={"en": (HOSTILE,)},
        labels={HOSTILE: (HOSTILE,)},
        provenance=HOSTILE,
    )
    html = corpus._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 6


def test_html_says_labels_and_what_was_dropped() -> None:
    dropped = Dropped(units=("z",), missing={"en": 1}, of_units=3, of_languages=1)
    html = replace(two_languages(), labels={"tone": ("dry", "dry")}, dropped=dropped)._repr_html_()
    assert "<bdi>label tone</bdi></strong>: <bdi>dry 2</bdi>" in html
    assert "dropped 1 of 3 units" in html
    assert "dropped" not in two_languages()._repr_html_()


def test_long_texts_are_cut_at_a_space_and_many_languages_are_named_after_the_table() -> None:
    codes = "af ar bg bn ca cs cy da de el en es et eu fa fi fr gl gu he hi hr hu hy id is it ja ka"
    codes += " kk km kn ko lt lv mk ml mn mr ms my nb ne nl"
    texts = dict.fromkeys(codes.split(), ("word " * 40,))
    html = ParallelCorpus(name="n", units=("a",), texts=texts)._repr_html_()
    assert html.count("<tr>") == 1 + MOST_LANGUAGES
    assert "word word…</td>" in html
    assert "4 more languages</bdi></strong>: <bdi>my, nb, ne, nl</bdi>" in html


def test_html_asks_for_nothing_from_outside_and_sets_no_ink() -> None:
    html = two_languages()._repr_html_()
    assert not re.search(r"src=|href=|url\(|@import", html)
    assert not re.search(r"[;\"]color:", html)
