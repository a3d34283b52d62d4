"""A test that leaves a signal's handler behind is told, and what comes after it is spared."""

from __future__ import annotations

import signal

import pytest

from tests.plugins.kept_signals import signals_kept


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_handler_that_is_left_is_told_and_taken_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(AssertionError, match=number.name), signals_kept():
        signal.signal(number, lambda *_: None)
    assert signal.getsignal(number) is before


def test_one_that_was_put_back_is_not() -> None:
    with signals_kept():
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGTERM, before)
