"""Questions of tenants: one open about a line, answered by both, ended by the side that may."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing.corrections.amounts import MoreThanLeft, Wanted
from billing.corrections.disputes import (
    MESSAGES_MAX,
    AlreadyDisputed,
    DisputeOver,
    NotYours,
    WrongDispute,
    answer_dispute,
    grant_dispute,
    open_dispute,
    pauses_dunning,
    uphold_invoice,
    withdraw_dispute,
)
from billing.corrections.policies import keep_policy
from billing.corrections.weighing import Scope
from billing.dues import dues_of
from billing.models import (
    CreditNote,
    CreditReason,
    Dispute,
    DisputeMessage,
    DisputeState,
    Invoice,
    InvoiceState,
)
from tenants.models import AuditEntry
from tests.billing.corrections.corrected import BY, NOW, wrong_in_the_books
from tests.billing.issued import Line, make_issued, make_parties
from tests.kept import kept

pytestmark = pytest.mark.django_db
ALICE = "alice@tenant.example"


def ask(invoice: Invoice, position: int | None = 1, text: str = "We used half of that.") -> Dispute:
    return open_dispute(invoice=invoice, position=position, text=text, by=ALICE, now=NOW)


def grant(dispute: Dispute, *lines: Wanted) -> Dispute:
    return grant_dispute(
        dispute_id=dispute.pk, organization=dispute.issuer, scope=Scope(lines), text="You are right.", by=BY, now=NOW
    )


def uphold(dispute: Dispute) -> Dispute:
    return uphold_invoice(
        dispute_id=dispute.pk, organization=dispute.issuer, text="The gateway says so.", by=BY, now=NOW
    )


def withdraw(dispute: Dispute) -> Dispute:
    return withdraw_dispute(dispute_id=dispute.pk, organization=dispute.tenant, by=ALICE, now=NOW)


invoice = kept(make_issued)


def test_a_question_is_answered_and_granted_with_a_credit_note() -> None:
    invoice = make_issued([Line("100.00"), Line("20.00")])
    dispute = ask(invoice)
    answer_dispute(dispute_id=dispute.pk, organization=dispute.issuer, text="Which half?", by=BY, now=NOW)
    answer_dispute(dispute_id=dispute.pk, organization=dispute.tenant, text="The second.", by=ALICE, now=NOW)
    granted = grant(dispute, Wanted(1, amount=Decimal(50)))
    assert (granted.state, granted.resolved_by) == (DisputeState.CREDITED, BY)
    assert granted.credit_note is not None
    assert (granted.credit_note.total, granted.credit_note.reason) == (Decimal(50), CreditReason.DISPUTE)
    assert dues_of(invoice).left == Decimal(70)
    assert [(each.side, each.text) for each in dispute.messages.order_by("at", "pk")] == [
        ("tenant", "We used half of that."),
        ("provider", "Which half?"),
        ("tenant", "The second."),
        ("provider", "You are right."),
    ]
    assert not wrong_in_the_books()


def test_both_parties_have_it_in_their_log() -> None:
    dispute = ask(make_issued())
    uphold(dispute)
    found = AuditEntry.objects.filter(action__startswith="dispute.").values_list("organization_id", "action")
    owners = (dispute.issuer_id, dispute.tenant_id)
    assert set(found) == {(owner, action) for owner in owners for action in ("dispute.opened", "dispute.upheld")}


def test_a_grant_beyond_what_is_left_changes_nothing() -> None:
    dispute = ask(make_issued([Line("100.00")]))
    with pytest.raises(MoreThanLeft):
        grant(dispute, Wanted(1, amount=Decimal("100.01")))
    dispute.refresh_from_db()
    assert dispute.state == DisputeState.OPEN
    assert not CreditNote.objects.exists()
    assert dispute.messages.count() == 1


@pytest.mark.parametrize("end", [uphold, withdraw, grant])
def test_a_question_has_one_outcome_and_the_line_can_be_questioned_again(end: object, invoice: Invoice) -> None:
    dispute = ask(invoice)
    with pytest.raises(AlreadyDisputed, match="line 1"):
        ask(invoice)
    assert callable(end)
    end(dispute)
    for again in (uphold, withdraw, grant):
        with pytest.raises(DisputeOver):
            again(dispute)
    with pytest.raises(DisputeOver):
        answer_dispute(dispute_id=dispute.pk, organization=dispute.tenant, text="But", by=ALICE, now=NOW)
    assert ask(invoice).state == DisputeState.OPEN


def test_a_line_and_the_whole_invoice_are_different_questions(invoice: Invoice) -> None:
    ask(invoice, 1)
    ask(invoice, 2)
    ask(invoice, None)
    with pytest.raises(AlreadyDisputed, match="the whole invoice"):
        ask(invoice, None)


def test_each_side_decides_what_is_its_own_and_others_find_nothing() -> None:
    dispute = ask(make_issued())
    charlie, _ = make_parties()
    with pytest.raises(NotYours):
        uphold_invoice(dispute_id=dispute.pk, organization=dispute.tenant, text="x", by=ALICE, now=NOW)
    with pytest.raises(NotYours):
        grant_dispute(dispute_id=dispute.pk, organization=dispute.tenant, scope=Scope(), text="x", by=ALICE, now=NOW)
    with pytest.raises(NotYours):
        withdraw_dispute(dispute_id=dispute.pk, organization=dispute.issuer, by=BY, now=NOW)
    with pytest.raises(Dispute.DoesNotExist):
        answer_dispute(dispute_id=dispute.pk, organization=charlie, text="x", by="charlie", now=NOW)
    with pytest.raises(Dispute.DoesNotExist):
        grant_dispute(dispute_id=dispute.pk, organization=charlie, scope=Scope(), text="x", by="charlie", now=NOW)


@pytest.mark.parametrize("text", ["", "  ", "x" * 4001])
def test_words_are_asked_for(text: str, invoice: Invoice) -> None:
    with pytest.raises(WrongDispute, match="1 to 4000"):
        ask(invoice, text=text)
    dispute = ask(invoice)
    with pytest.raises(WrongDispute):
        answer_dispute(dispute_id=dispute.pk, organization=dispute.issuer, text=text, by=BY, now=NOW)


def test_what_is_not_on_the_invoice_or_not_owed_cannot_be_questioned(invoice: Invoice) -> None:
    with pytest.raises(WrongDispute, match="has no line 3"):
        ask(invoice, 3)
    Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.VOID)
    invoice.refresh_from_db()
    with pytest.raises(WrongDispute, match="void"):
        ask(invoice)


def test_messages_are_bounded() -> None:
    dispute = ask(make_issued())
    DisputeMessage.objects.bulk_create(
        DisputeMessage(dispute=dispute, side="tenant", author=ALICE, text=str(number), at=NOW)
        for number in range(MESSAGES_MAX - 1)
    )
    with pytest.raises(WrongDispute, match="at most"):
        answer_dispute(dispute_id=dispute.pk, organization=dispute.tenant, text="one more", by=ALICE, now=NOW)


def test_an_open_question_pauses_dunning_as_the_policy_was_when_it_was_asked(invoice: Invoice) -> None:
    assert not pauses_dunning(invoice.pk)
    first = ask(invoice)
    assert pauses_dunning(invoice.pk)
    keep_policy(provider=invoice.issuer, disputes_pause_dunning=False, applies_balances=True, by=BY, now=NOW)
    assert pauses_dunning(invoice.pk)
    withdraw(first)
    ask(invoice)
    assert not pauses_dunning(invoice.pk)


def test_the_database_keeps_what_was_asked_and_said_and_the_outcome() -> None:
    dispute = uphold(ask(make_issued()))
    over: list[dict[str, Any]] = [{"state": "open", "resolved_at": None}, {"opened_by": "x"}, {"resolved_by": "x"}]
    for changes in over:
        with pytest.raises(IntegrityError), transaction.atomic():
            Dispute.objects.filter(pk=dispute.pk).update(**changes)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        DisputeMessage.objects.update(text="nothing")
    open_one = ask(make_issued())
    broken: list[dict[str, Any]] = [
        {"state": "upheld"},
        {"state": "credited", "resolved_at": NOW},
        {"tenant": open_one.issuer},
    ]
    for changes in broken:
        with pytest.raises(IntegrityError), transaction.atomic():
            Dispute.objects.filter(pk=open_one.pk).update(**changes)
