"""How a run shows while it goes."""

from __future__ import annotations

import io
import signal

import pytest

from backdoor_curves.cli import progress as module
from backdoor_curves.cli.progress import Stop, duration, shown
from backdoor_curves.study.run_study import Progress

STEPS = [Progress(1, 0, 10), Progress(4, 1, 10), Progress(6, 2, 10), Progress(8, 2, 10)]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5000, "83 min"), (9000, "2.5 h")]
)
def test_times_are_said_in_the_unit_that_suits_them(seconds, text):
    """A reader plans by them, and no more digits than that."""
    assert duration(seconds) == text


def test_without_a_terminal_lines_say_done_failed_left_and_time_to_go(monkeypatch, capsys):
    """The pace is that of this run: 5 cells a second here, so 2 s for the last but 4."""
    clock = iter([0.0, 1.0, 2.0, 3.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(module, "SAY_EVERY", 0.5)
    assert shown(iter(STEPS)) == (STEPS[0], STEPS[-1])
    assert capsys.readouterr().err.splitlines() == [
        "going on: 1 of 10 cells done, 9 left",
        "4 of 10 cells done, 1 failed, 5 left, about 1 s to go",
        "6 of 10 cells done, 2 failed, 2 left, about 1 s to go",
        "8 of 10 cells done, 2 failed, 0 left",
    ]


def test_on_a_terminal_a_bar_says_the_same(monkeypatch):
    """tqdm's, with the failed beside it."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(module.sys, "stderr", terminal)
    assert shown(iter(STEPS)) == (STEPS[0], STEPS[-1])
    assert "10/10" in terminal.getvalue()
    assert "2 failed" in terminal.getvalue()


def test_the_first_signal_asks_and_the_second_ends(capsys):
    """And afterwards signals are what they were."""
    before = signal.getsignal(signal.SIGINT)
    stop = Stop()
    with stop:
        assert not stop.asked
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before
    assert "Ctrl-C again stops at once" in capsys.readouterr().err
