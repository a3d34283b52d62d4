"""Says in the OpenAPI document which words a field of an answer can hold, where its serializer says only: text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from billing.models import (
    AmendmentState,
    Collection,
    ContractState,
    DebitCause,
    DisputeSide,
    InvoiceState,
    PeriodKind,
    RefundMethod,
)
from billing.payments import PaymentMethod
from clusters.models import SliceKind
from metering.models import Witness

if TYPE_CHECKING:
    from django.db.models import TextChoices

FIELD_VALUES: Final[dict[str, type[TextChoices]]] = {
    "Amendment.state": AmendmentState,
    "Capacity.kind": SliceKind,
    "Contract.collection": Collection,
    "Contract.period_kind": PeriodKind,
    "Contract.state": ContractState,
    "Debit.cause": DebitCause,
    "DisputeMessage.side": DisputeSide,
    "Invoice.collection": Collection,
    "Invoice.state": InvoiceState,
    "InvoiceWithActions.collection": Collection,
    "InvoiceWithActions.state": InvoiceState,
    "MoneyRefund.method": RefundMethod,
    "Payment.method": PaymentMethod,
    "Quote.kind": SliceKind,
    "UsageTotal.witness": Witness,
}
"""By shape and field: the words that the field's column can hold."""


def list_values(shapes: dict[str, dict[str, Any]]) -> None:
    """Name in every shape the words of the fields that are told here."""
    for name, choices in FIELD_VALUES.items():
        shape, _dot, field = name.partition(".")
        if shape in shapes:
            shapes[shape]["properties"][field]["enum"] = [str(one) for one in choices.values]
