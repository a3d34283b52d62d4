"""`manage.py record_payment`: record a bank transfer by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.models import Invoice
from billing.money import round_to_minor
from billing.payments import PaymentMethod, record_payment
from tenants.problems import Problem

if TYPE_CHECKING:
    from uuid import UUID


class Command(BaseCommand):
    help = "Records a bank transfer for an invoice; the same reference told again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", help="the invoice's number")
        parser.add_argument("--issuer", help="slug of the issuing organization, where a number is not unique")
        parser.add_argument("--amount", required=True, help="for example 123.45")
        parser.add_argument("--currency", required=True, help="ISO 4217, for example USD")
        parser.add_argument("--reference", required=True, help="what makes the transfer unique: the bank's own id")
        parser.add_argument("--received-at", help="ISO 8601 with time zone; default: now")

    def handle(self, *_args: object, **options: str) -> None:
        now = datetime.now(UTC)
        invoice_id = _find_invoice(options["number"], options["issuer"])
        try:
            payment = record_payment(
                invoice_id=invoice_id,
                method=PaymentMethod.BANK_TRANSFER,
                reference=options["reference"],
                amount=_amount(options["amount"]),
                currency=options["currency"].upper(),
                received_at=_instant(options["received_at"]) if options["received_at"] else now,
                now=now,
            )
        except Problem as problem:
            raise CommandError(f"{problem.title}: {problem.detail}") from problem
        invoice = Invoice.objects.get(pk=invoice_id)
        received = f"{round_to_minor(payment.amount, payment.currency)} {payment.currency}"
        self.stdout.write(f"{received} recorded as {payment.reference}; invoice {invoice} is {invoice.state}.")


def _find_invoice(number: str, issuer: str | None) -> UUID:
    found = Invoice.objects.filter(number=number)
    if issuer:
        found = found.filter(issuer__slug=issuer)
    ids = list(found.values_list("pk", flat=True)[:2])
    if not ids:
        raise CommandError(f"No issued invoice has the number {number}.")
    if len(ids) > 1:
        raise CommandError(f"Several organizations issued a {number}: name one with --issuer.")
    return ids[0]


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CommandError(f"--amount: found {text!r}; expected a number such as 123.45.") from None


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise CommandError(f"--received-at: found {text!r}; expected for example 2026-04-10T08:30:00+00:00.")
    return instant.astimezone(UTC)
