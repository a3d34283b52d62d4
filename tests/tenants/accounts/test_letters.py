"""Letters about signing in, in both languages, and one that a server of letters really takes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from tenants.accounts.letters import NOTICES, REMOVED, confirm_letter, forgotten_letter, notice_letter, ways_letter
from tests.factories import EPOCH

if TYPE_CHECKING:
    from tenants.accounts.letters import Letter

URL = "https://forecourt.example/sign-in/"


def notice(kind: str, language: str = "en", **facts: str) -> Letter:
    zone = ZoneInfo("Asia/Shanghai")
    return notice_letter(kind, at=EPOCH, zone=zone, address="192.0.2.1", facts=facts, url=URL, language=language)


@pytest.mark.parametrize("make", [confirm_letter, forgotten_letter])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_link_stands_on_a_line_of_its_own(make: object, language: str) -> None:
    letter = make(url=URL, language=language)  # type: ignore[operator]  # both take these
    assert URL in letter.body.split("\n")
    assert "\n" not in letter.subject


@pytest.mark.parametrize(("language", "words"), [("en", "Sign in through"), ("zh-hans", "登录")])
def test_ways_to_sign_in_are_named_each_with_its_link(language: str, words: str) -> None:
    ways = [("Tenant", URL), ("Sample bakery", f"{URL}2/")]
    letter = ways_letter(ways=ways, language=language)
    lines = letter.body.split("\n")
    assert words in lines[0]
    assert [(lines[place - 1], line) for place, line in enumerate(lines) if line.startswith(URL)] == ways


@pytest.mark.parametrize("kind", NOTICES)
def test_every_notice_says_what_when_from_where_and_what_to_do(kind: str) -> None:
    letter = notice(kind)
    assert letter.subject == letter.body.split("\n")[0]
    step = "tell an owner of your organization" if kind == REMOVED else f"choose a new password at once: {URL}"
    for words in ("1 Mar 2026 08:00", "192.0.2.1", step):
        assert words in letter.body


def test_a_change_of_address_names_both() -> None:
    letter = notice("account/email/email_changed", from_email="a@example.com", to_email="b@example.com")
    assert "From a@example.com to b@example.com." in letter.body
    assert "%(" not in letter.body


def test_an_unknown_notice_is_a_fault() -> None:
    with pytest.raises(KeyError):
        notice("account/email/unknown")
