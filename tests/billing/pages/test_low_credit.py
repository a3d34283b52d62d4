"""The card about low credit on the page of prepaid credit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import billing
from billing.models import BalanceRule, CardOnFile, TopUp
from billing.refilling.setting import running_rule
from billing.refilling.watching import look
from portal.catalogue import catalogue_messages, python_messages
from tenants.models import Role
from tests.billing.pages.reading import text_of
from tests.billing.refilling.low import NOW, Low, low_credit
from tests.factories import make_user

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

PAGE = "/t/credit/"


@pytest.fixture
def low(cast: Cast, client: Client) -> Low:
    client.force_login(cast.alice)
    return low_credit(cast)


def form(low: Low, **more: str) -> dict[str, str]:
    return {"action": "rule", "contract": low.contract.number, "below": "20", "buy": "50", "month_max": "120", **more}


@pytest.mark.django_db
def test_a_rule_is_set_shown_and_ended(client: Client, low: Low) -> None:
    answer = client.post(PAGE, form(low), follow=True)
    assert "The rule stands from now on." in text_of(answer)
    assert "Below €20.00, €50.00 is bought, at most €120.00 a month." in text_of(answer)
    CardOnFile.objects.all().delete()
    assert "None: leave a card first" in text_of(client.get(PAGE))
    ended = client.post(PAGE, {"action": "end", "contract": low.contract.number}, follow=True)
    assert "Nothing is bought by itself." in text_of(ended)
    assert running_rule(low.contract) is None
    again = client.post(PAGE, {"action": "end", "contract": low.contract.number}, follow=True)
    assert "ended already" in text_of(again)


@pytest.mark.django_db
def test_a_rule_that_only_tells_says_so(client: Client, low: Low) -> None:
    answer = client.post(PAGE, form(low, buy="", month_max=""), follow=True)
    assert "Below €20.00 you are told; nothing is bought." in text_of(answer)


@pytest.mark.django_db
def test_what_was_told_and_what_is_being_bought_is_shown(client: Client, low: Low) -> None:
    look(rule_id=low.rule().pk, now=NOW)
    words = text_of(client.get(PAGE))
    assert "is €10.00, below €20.00." in words
    assert "Charged soon" in words
    assert "by your rule" in words
    TopUp.objects.update(begun_at=NOW)
    assert "Being charged" in text_of(client.get(PAGE))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"below": "x"}, "Give amounts as numbers."),
        ({"below": ""}, "Give the amount to fall below"),
        ({"buy": "0.01"}, "That amount cannot be bought."),
        ({"month_max": "49"}, "Give the most a month"),
        ({"contract": "C-none"}, "Choose the contract"),
    ],
)
def test_what_makes_no_rule_is_said(client: Client, low: Low, given: dict[str, str], words: str) -> None:
    assert words in text_of(client.post(PAGE, form(low, **given), follow=True))
    assert not BalanceRule.objects.exists()


@pytest.mark.django_db
def test_a_reader_sees_the_rule_and_sets_none(client: Client, cast: Cast, low: Low) -> None:
    low.rule()
    client.force_login(make_user("viewer", cast.tenant, Role.VIEWER))
    page = client.get(PAGE)
    assert "at most €120.00 a month" in text_of(page)
    assert 'name="below"' not in page.content.decode()
    assert client.post(PAGE, form(low, below="1")).status_code == 403


@pytest.mark.django_db
def test_another_tenants_contract_has_no_rule_set(client: Client, cast: Cast, low: Low) -> None:
    client.force_login(cast.charlie)
    client.post(PAGE, form(low))
    assert not BalanceRule.objects.exists()


@pytest.mark.parametrize("name", ["pages/low_credit.py", "refilling/letters.py"])
def test_every_word_is_said_in_chinese_too(name: str) -> None:
    app = Path(billing.__file__).parent
    said = python_messages((app / name).read_text(encoding="utf-8"))
    assert len(said) > 5
    known = catalogue_messages(app / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po")
    assert {one for one in said if not known.get(one)} == set()
