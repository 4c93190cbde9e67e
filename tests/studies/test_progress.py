"""Progress goes to stderr only, and off a terminal only what must be said is said."""

from __future__ import annotations

from probekit.studies.progress import TerminalProgress


def test_off_a_terminal_there_are_no_bars(capfd):
    progress = TerminalProgress()
    progress.start(n_tokens=100, done=0)
    progress.advance(60)
    assert list(progress.layers(range(3), total=3)) == [0, 1, 2]
    progress.close()
    assert capfd.readouterr() == ("", "")


def test_a_resumed_pass_says_how_much_was_read(capfd):
    progress = TerminalProgress()
    progress.start(n_tokens=2000, done=1500)
    progress.close()
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "resuming: 1,500 of 2,000 tokens were read before\n"


def test_what_is_said_stays_one_line(capfd):
    TerminalProgress().say("word " * 100)
    assert capfd.readouterr().err.count("\n") == 1
