"""What is logged is caught, whichever logger it goes to and whenever that was made."""

from __future__ import annotations

import logging
import uuid

import pytest
from _pytest.logging import LogCaptureHandler, catching_logs

from tests.plugins.quick_logs import Apart

LEVEL = logging.WARNING


def made(*, propagate: bool) -> logging.Logger:
    logger = logging.getLogger(f"tests.quick_logs.{uuid.uuid4().hex}")
    logger.propagate = propagate
    return logger


@pytest.mark.parametrize("propagate", [True, False], ids=["hands on", "hands nothing on"])
def test_what_any_logger_says_is_caught_once_and_nothing_after_the_end(propagate: bool) -> None:
    logger = made(propagate=propagate)
    with catching_logs(LogCaptureHandler()) as caught:
        logger.warning("seen")
        assert [one.getMessage() for one in caught.records] == ["seen"]
    logger.warning("not seen")
    assert len(caught.records) == 1
    assert caught not in logger.handlers
    assert caught not in logging.getLogger().handlers


def test_a_level_holds_for_as_long_as_it_is_caught() -> None:
    logger, before = made(propagate=True), logging.getLogger().level
    with catching_logs(LogCaptureHandler(), level=logging.DEBUG) as caught:
        logger.debug("seen")
    assert [one.getMessage() for one in caught.records] == ["seen"]
    assert logging.getLogger().level == before


def test_a_logger_that_is_made_later_is_found() -> None:
    apart = Apart()
    before = list(apart.loggers())
    assert apart.loggers() is apart.found
    later = made(propagate=False)
    assert set(apart.loggers()) - set(before) == {later}


def test_the_fixture_hears_what_a_silent_logger_says(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("django.server").warning("heard")
    assert "heard" in caplog.messages
