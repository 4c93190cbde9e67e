"""The HTML table of a corpus."""

from __future__ import annotations

from dataclasses import replace

from probekit.corpora import Dropped, ParallelCorpus


def test_html_shows_each_language_with_script_and_mean_length() -> None:
    corpus = ParallelCorpus(
        name="n", units=("a", "b"), texts={"en": ("ab", "abc"), "ar": ("س",) * 2}
    )
    html = corpus._repr_html_()
    assert "<td>en</td><td>English</td><td>Latn</td><td>ltr</td><td>2</td><td>2.5</td>" in html
    assert "<td>ar</td><td>Arabic</td><td>Arab</td><td>rtl</td><td>2</td><td>1.0</td>" in html


def test_html_escapes_names_and_says_what_was_dropped() -> None:
    corpus = ParallelCorpus(
        name="<b>",
        units=("a",),
        texts={"en": ("x",)},
        labels={"<i>": ("y",)},
        dropped=Dropped(units=("z",), missing={"en": 1}, of_units=2, of_languages=1),
    )
    html = corpus._repr_html_()
    assert "&lt;b&gt;" in html
    assert "&lt;i&gt;" in html
    assert "<b>" not in html
    assert "dropped 1 of 2 units" in html
    assert "dropped" not in replace(corpus, dropped=Dropped())._repr_html_()
