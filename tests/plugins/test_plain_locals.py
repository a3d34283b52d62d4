"""What Django keeps for a thread is found there, beside a loop elsewhere, and settings are those that are in force."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from asgiref.local import Local
from django.conf import settings
from django.db import connections
from django.urls import get_script_prefix, set_script_prefix
from django.utils import translation

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings


def elsewhere(ask: Callable[[], object]) -> object:
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(ask).result()


def test_each_thread_has_a_connection_and_a_language_of_its_own() -> None:
    mine = connections["default"]
    assert connections["default"] is mine
    assert elsewhere(lambda: connections["default"] is mine) is False
    with translation.override("zh-hans"):
        assert translation.get_language() == "zh-hans"
        assert elsewhere(translation.get_language) == settings.LANGUAGE_CODE
    set_script_prefix("/below/")
    try:
        assert elsewhere(get_script_prefix) == "/"
    finally:
        set_script_prefix("/")


def test_beside_a_loop_there_is_another_connection() -> None:
    async def ask() -> object:
        return connections["default"]

    def compare() -> tuple[bool, bool]:
        mine = connections["default"]
        return asyncio.run(ask()) is mine, connections["default"] is mine

    # In a thread of its own, as a browser's loop may run in this one.
    assert elsewhere(compare) == (False, True)


def test_what_is_not_kept_is_not_found() -> None:
    kept = Local(thread_critical=True)
    with pytest.raises(AttributeError):
        _ = kept.nothing
    kept.something = 7
    assert kept.something == 7
    del kept.something
    assert not hasattr(kept, "something")


def test_settings_are_those_in_force(settings: Settings) -> None:
    from django.conf import settings as read

    before = read.LANGUAGE_CODE
    settings.LANGUAGE_CODE = "zh-hans"
    assert read.LANGUAGE_CODE == "zh-hans"
    del settings.LANGUAGE_CODE
    assert not hasattr(read, "LANGUAGE_CODE")
    settings.LANGUAGE_CODE = before
    assert before == read.LANGUAGE_CODE
    unknown = "NO_SUCH_SETTING"
    with pytest.raises(AttributeError, match=unknown):
        getattr(read, unknown)
