"""What happens to money beside invoices: the provider's bank, its statements and payouts, and dunning."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from billing.banking.deciding import keep_for_tenant, left_of_line, match_by_hand, match_new, set_aside, unmatch
from billing.banking.importing import import_statement
from billing.banking.matching import Part
from billing.dues import dues_of
from billing.dunning.stepping import begin_cases, due_cases, hold, lift_paid, take_step
from billing.dunning.stepping import take_back as take_step_back
from billing.models import (
    BankLine,
    BankMatch,
    DunningMail,
    DunningStep,
    InvoiceState,
    Payout,
    PayoutMethod,
    PayoutState,
    StripePayee,
)
from billing.payment_references import payment_reference
from billing.statements.paying_out import make_payout, record_failed, record_paid, record_reversal
from billing.statements.payout_terms import set_terms
from billing.statements.stating import due_statements, make_statement
from tests.billing.banking.statements import Movement, camt
from tests.flows.money.acts import OWED, twice
from tests.flows.money.state import BY, DAY

if TYPE_CHECKING:
    from tests.flows.money.state import Money


def state_months(money: Money) -> bool:
    """Statements of the provider for every month that is ready."""
    due = due_statements(now=money.now)
    for one in due:
        make_statement(provider_id=one.provider_id, currency=one.currency, month=one.month, now=money.now)
    return bool(due)


def pay_out(money: Money) -> bool:
    """By bank or by transfer, all that is available."""
    provider = money.worlds[0].provider
    StripePayee.objects.get_or_create(
        provider=provider,
        defaults={
            "account_id": f"acct_{provider.slug}",
            "can_receive": True,
            "created_at": money.now,
            "seen_at": money.now,
        },
    )
    method = money.chance.random.choice(list(PayoutMethod))
    set_terms(provider=provider, changes={"method": method.value}, actor=provider, by=BY, now=money.now)
    make_payout(provider_id=provider.pk, currency=money.currency, by=BY, now=money.now)
    return True


def end_payout(money: Money) -> bool:
    """It arrives, it fails, or some of what arrived comes back."""
    payout = money.one_of(list(Payout.objects.order_by("pk")))
    if payout is None:
        return False
    reference = money.reference()
    if payout.state == PayoutState.PAID:
        amount = money.part(payout.amount)
        return twice(
            money,
            lambda: record_reversal(
                payout_id=payout.pk, amount=amount, reference=reference, reason="closed", by=BY, at=money.now
            ),
        )
    if money.chance.yes(6):
        return twice(
            money,
            lambda: record_paid(payout_id=payout.pk, reference=reference, by=BY, at=money.now, now=money.now),
        )
    return twice(money, lambda: record_failed(payout_id=payout.pk, reason="no such account", by=BY, now=money.now))


def import_bank(money: Money) -> bool:
    """A file with money for an invoice, for two, for nobody, or too much for one; told twice it is one file."""
    provider, movements = money.worlds[0].provider, []
    for _ in range(money.chance.random.randint(1, 3)):
        invoice = money.invoice(*OWED, owed=True)
        left = max(dues_of(invoice).left, Decimal(1)) if invoice else Decimal(7)
        amount = money.part(left) + (Decimal(3) if money.chance.yes(2) else 0)
        named = invoice is not None and invoice.number and money.chance.yes(6)
        movements.append(
            Movement(
                str(amount),
                structured=payment_reference(str(invoice.number)) if named and invoice else "",
                reference=money.reference(),
                day=money.now.date(),
                currency=money.currency,
            )
        )
    content = camt(movements)
    return twice(
        money,
        lambda: import_statement(provider=provider, content=content, name="seeded.xml", by=BY, now=money.now),
    )


def match_waiting(money: Money) -> bool:
    return bool(match_new(now=money.now, limit=10))


def place_by_hand(money: Money) -> bool:
    """What is left of a movement: to an invoice, to the tenant's balance, or aside."""
    lines = [line for line in BankLine.objects.filter(amount__gt=0).order_by("pk") if left_of_line(line) > 0]
    line = money.one_of(lines)
    if line is None:
        return False
    world, left = money.worlds[0], left_of_line(line)
    match money.chance.random.randrange(4):
        case 0:
            set_aside(provider=world.provider, line_id=line.pk, note="interest", by=BY, now=money.now)
        case 1:
            keep_for_tenant(
                provider=world.provider,
                line_id=line.pk,
                tenant_id=world.tenant.pk,
                by=BY,
                now=money.now,
                amount=money.part(left),
            )
        case _:
            invoice = money.invoice(*OWED, owed=True)
            if invoice is None:
                return False
            part = Part(invoice.pk, money.part(min(left, dues_of(invoice).payable)))
            match_by_hand(provider=world.provider, line_id=line.pk, parts=[part], by=BY, now=money.now)
    return True


def unmatch_one(money: Money) -> bool:
    match = money.one_of(list(BankMatch.objects.filter(unmatch__isnull=True).order_by("pk")))
    if match is None:
        return False
    unmatch(provider=money.worlds[0].provider, match_id=match.pk, reason="wrong one", by=BY, now=money.now)
    return True


def dun(money: Money) -> bool:
    """Every step that is due, as the sweep takes them; letters go out at once."""
    begin_cases(now=money.now, limit=50)
    taken = [take_step(invoice_id=one, now=money.now) for one in due_cases(now=money.now, limit=50)]
    DunningMail.objects.filter(sent_at__isnull=True).update(sent_at=money.now)
    lift_paid(now=money.now)
    return any(taken)


def stop_dunning(money: Money) -> bool:
    """A step is taken back, or an invoice is held for some days."""
    provider = money.worlds[0].provider
    step = money.one_of(list(DunningStep.objects.filter(taken_back__isnull=True).order_by("pk")))
    if step is not None and money.chance.yes(5):
        take_step_back(provider=provider, step_id=step.pk, reason="they called", by=BY, now=money.now)
        return True
    invoice = money.invoice(InvoiceState.ISSUED)
    if invoice is None:
        return False
    hold(
        provider=provider,
        invoice_id=invoice.pk,
        until=money.now + 5 * DAY,
        reason="they called",
        by=BY,
        now=money.now,
    )
    return True
