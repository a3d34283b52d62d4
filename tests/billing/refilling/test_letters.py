"""Letters about low credit say what is left, what is charged and when, and why it could not be; each goes out once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core import mail

from billing.models import BalanceNotice, CardOnFile
from billing.refilling.letters import (
    claim_letters,
    send_letter,
    sentences,
    why,
)
from billing.refilling.rules import Figures
from billing.refilling.setting import end_rule
from billing.refilling.watching import look
from billing.unsent import ATTEMPTS_MAX, LEASE, RETRY, note_failed, note_sent
from portal.figures import EN
from tenants.models import Role
from tests.billing.chinese import english_in, read_chinese
from tests.billing.refilling.low import BUYS, BY, NOW, TELLS, low_credit
from tests.factories import make_user
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
URL = "https://bill.example"


def told(cast: Cast, figures: Figures = BUYS) -> BalanceNotice:
    low = low_credit(cast)
    look(rule_id=low.rule(figures).pk, now=NOW)
    return BalanceNotice.objects.select_related("rule__contract__tenant").get()


notice = kept(told)


def test_whoever_pays_reads_what_will_be_charged_and_when(cast: Cast, notice: BalanceNotice) -> None:
    make_user("bookkeeper", cast.tenant, Role.BILLING)
    make_user("onlooker", cast.tenant, Role.VIEWER)
    addresses = send_letter(notice=notice, public_url=URL)
    [letter] = mail.outbox
    assert letter.to == addresses
    assert any(address.startswith("bookkeeper") for address in addresses)
    assert not any(address.startswith("onlooker") for address in addresses)
    number = notice.rule.contract.number
    assert letter.subject == f"Prepaid credit of {number} is low"
    assert letter.body.splitlines() == [
        f"Prepaid credit of contract {number} is €10.00, below €20.00.",
        "Your card will be charged €50.00 on 4 Mar 2026 00:15 UTC, unless you end the rule before.",
        "",
        f"More: {URL}/t/credit/",
    ]
    assert letter.extra_headers["Message-ID"] == f"<balance-{notice.pk}@bill.example>"


@pytest.mark.parametrize(
    ("since", "says"),
    [
        ("ended", "Nothing is bought by itself."),
        ("card off", "Nothing is bought: no card is on file. Once you leave one, €50.00 is bought."),
    ],
)
def test_a_letter_that_goes_out_late_announces_no_charge_that_will_not_be(
    cast: Cast, since: str, says: str, notice: BalanceNotice
) -> None:
    if since == "ended":
        end_rule(contract=notice.rule.contract, by=BY, now=NOW)
    else:
        CardOnFile.objects.all().delete()
    late = BalanceNotice.objects.select_related("rule__contract__tenant").get(pk=notice.pk)
    send_letter(notice=late, public_url=URL)
    [letter] = mail.outbox
    assert letter.body.splitlines()[1] == says
    note_sent(late, now=NOW)
    assert BalanceNotice.objects.get(pk=notice.pk).outcome == "buys", "what was told in the portal stays"


def test_without_a_card_the_letter_asks_for_one(cast: Cast) -> None:
    low = low_credit(cast)
    CardOnFile.objects.all().delete()
    look(rule_id=low.rule().pk, now=NOW)
    made = BalanceNotice.objects.select_related("rule__contract__tenant").get()
    assert sentences(made, EN)[1] == "Nothing is bought: no card is on file. Once you leave one, €50.00 is bought."


def test_a_rule_that_only_tells_says_that_nothing_is_bought(cast: Cast) -> None:
    assert sentences(told(cast, TELLS), EN)[1] == "Nothing is bought by itself."


def test_what_the_months_most_held_back_is_said(notice: BalanceNotice) -> None:
    notice.outcome = "month_max"
    assert sentences(notice, EN)[1] == "Nothing is bought: your most of €120.00 a month would be passed."


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("no_card", "no card on file"),
        ("consent_needed", "confirm"),
        ("expired_card", "it has expired"),
        ("card_declined", "declined"),
        ("new", "declined"),
    ],
)
def test_a_card_that_was_not_charged_is_said_with_its_reason(reason: str, words: str, notice: BalanceNotice) -> None:
    notice.kind, notice.reason = "failed", reason
    says = sentences(notice, EN)
    assert "could not be bought" in says[0]
    assert words in says[1] == why(reason)
    assert "until you set it again" in says[2]
    send_letter(notice=notice, public_url=URL)
    assert "could not be bought" in mail.outbox[0].subject


def test_a_letter_is_claimed_by_one_and_sent_once(notice: BalanceNotice) -> None:
    assert claim_letters(now=NOW - timedelta(seconds=1), limit=9) == []
    assert claim_letters(now=NOW, limit=9) == [notice]
    assert claim_letters(now=NOW, limit=9) == []
    note_sent(notice, sent_to=["a@b.example"], now=NOW)
    assert claim_letters(now=NOW + LEASE, limit=9) == []
    note_sent(notice, sent_to=["c@d.example"], now=NOW + LEASE)
    assert BalanceNotice.objects.get().sent_to == ["a@b.example"]


def test_a_letter_that_fails_is_tried_ever_later_and_then_left_with_its_error(cast: Cast) -> None:
    told(cast)
    now, waits = NOW, []
    while claimed := claim_letters(now=now, limit=9):
        note_failed(claimed[0], error="refused " * 99, now=now)
        following = BalanceNotice.objects.get().due_at
        waits.append(following - now)
        now = following
    assert waits == [RETRY * 2**attempt for attempt in range(ATTEMPTS_MAX)]
    assert len(BalanceNotice.objects.get().last_error) == 300


def test_who_reads_chinese_is_written_to_in_chinese(cast: Cast, notice: BalanceNotice) -> None:
    read_chinese(cast.tenant)
    send_letter(notice=notice, public_url=URL)
    [letter] = mail.outbox
    assert english_in(letter) == []
    assert "€10.00" in letter.body
    assert "2026年3月4日" in letter.body
