"""Steps of dunning in words: what each does, what keeps it back, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils.translation import override

from billing.dunning.schedule import Action
from billing.dunning.stepping import DISPUTED, HELD, NOTICE_NOT_OUT, lift_paid, take_back
from billing.models import DunningMail, DunningStep, Invoice
from billing.pages.dunning_words import action_words, step_words, wait_words
from billing.payments import PaymentMethod, record_payment
from tests.billing.dunning.overdue import BY, after, make_overdue, send_all, sweep
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast


def words_of(action: str) -> dict[str, object]:
    return step_words(DunningStep.objects.get(action=action), "en_GB")


invoice = kept(make_overdue)


def test_every_action_has_words_and_another_has_none() -> None:
    assert len({action_words(action) for action in Action}) == len(Action)
    with pytest.raises(ValueError, match="escalate"):
        action_words("escalate")


def test_what_keeps_a_step_back_is_said_and_nothing_where_nothing_does() -> None:
    assert wait_words("") == ""
    assert len({wait_words(why) for why in (DISPUTED, HELD, NOTICE_NOT_OUT)}) == 3
    assert "questioned" in wait_words(DISPUTED)
    with pytest.raises(KeyError):
        wait_words("raining")


@pytest.mark.django_db
def test_letters_are_counted_as_they_go_out(invoice: Invoice) -> None:
    sweep(after(invoice, 3))
    first, second = DunningMail.objects.order_by("pk")
    assert "0 of 2 letters are out" in str(words_of("remind")["detail"])
    first.sent_at = after(invoice, 3)
    first.save(update_fields=["sent_at"])
    second.last_error = "Refused"
    second.save(update_fields=["last_error"])
    said = words_of("remind")
    assert "1 of 2 letters are out" in str(said["detail"])
    assert said["errors"] == ["Refused"]
    second.delete()
    assert "1 of 1 letter is out" in str(words_of("remind")["detail"])


@pytest.mark.django_db
def test_a_notice_names_the_day_and_a_suspension_stands_until_it_is_lifted(invoice: Invoice) -> None:
    for days in (3, 5, 10):
        sweep(after(invoice, days))
    notice = words_of("notice")
    assert "suspended no earlier than 4 May 2026" in str(notice["detail"])
    assert (notice["taken_back"], notice["is_standing_suspension"]) == ("", False)
    send_all(after(invoice, 10))
    sweep(after(invoice, 17))
    assert words_of("suspend")["is_standing_suspension"] is True
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference="transfer",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=after(invoice, 18),
        now=after(invoice, 18),
    )
    assert lift_paid(now=after(invoice, 19)) == 1
    lifted = words_of("suspend")
    assert lifted["is_standing_suspension"] is False
    assert str(lifted["detail"]).endswith("lifted 6 May 2026 09:00 UTC: invoice S-0001 is settled")
    with override("zh-hans"):
        assert str(words_of("suspend")["detail"]).endswith("账单 S-0001 已结清")
        assert words_of("retry_card")["detail"] == "此合同不扣卡"


@pytest.mark.django_db
def test_what_was_taken_back_is_said_with_who_and_why(cast: Cast, invoice: Invoice) -> None:
    sweep(after(invoice, 3))
    step = DunningStep.objects.get(action="remind")
    take_back(provider=cast.provider, step_id=step.pk, reason="paid in time", by=BY, now=after(invoice, 4))
    said = str(words_of("remind")["taken_back"])
    assert said.startswith("Taken back 21 Apr 2026")
    assert said.endswith(f"by {BY}: paid in time")
