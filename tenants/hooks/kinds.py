"""Every kind of event that outsiders are told of."""

from collections.abc import Mapping, Sequence
from typing import Final

from tenants.problems import Problem

KINDS: Final[Mapping[str, str]] = {
    "invoice.issued": "an invoice was issued",
    "invoice.paid": "nothing is left to pay of an invoice",
    "invoice.overdue": "an invoice is due and not paid",
    "invoice.voided": "an invoice is void",
    "invoice.uncollectible": "what is left of an invoice was written off",
    "payment.received": "money came in for an invoice",
    "payment.failed": "a payment was tried and failed",
    "payment.reversed": "a payment was taken back",
    "credit_note.issued": "a credit note was issued",
    "refund.paid": "money went back to a tenant",
    "credit.bought": "prepaid credit was bought",
    "credit.expired": "prepaid credit was left as it expired",
    "statement.ready": "a statement to the provider is frozen",
    "payout.created": "a payout was decided",
    "payout.paid": "a payout arrived",
    "payout.failed": "a payout did not arrive",
    "dispute.opened": "a line of an invoice was questioned",
    "dispute.answered": "a question was answered",
    "dispute.closed": "a question has its outcome",
    "dunning.reminded": "a reminder of an overdue invoice went out",
    "dunning.suspended": "use was suspended for unpaid invoices",
    "dunning.lifted": "a suspension was lifted; `reason` says why",
    "price.announced": "a change of prices was announced",
    "contract.offered": "terms of a contract were offered",
    "contract.accepted": "terms of a contract are in force or will be",
    "contract.declined": "an offer was declined",
    "audit.stated": "an audit of a share found another amount",
    "audit.disputed": "what an audit found was disputed",
    "audit.settled": "what an audit found is settled, and bills",
    "lease.ending": "a lease ends soon",
    "lease.ended": "a lease has ended; `reason` says why",
    "balance.low": "prepaid credit is nearly used up",
    "budget.threshold": "a budget has reached a threshold",
    "usage.anomaly": "use of a model is unlike its own past",
    "meter.gap": "something could not be metered",
    "meter.residual": "two witnesses differ by more than the contract allows",
    "node.lost": "a node has fallen silent",
    "endpoint.test": "somebody asked for a test",
}
"""Kinds by what has happened. A consumer must accept kinds that it does not know."""

_INVOICE: Final = "id number currency total issuer_id tenant_id issued_at due_at"
_PAYOUT: Final = "id number currency amount method state reference reason"
_DISPUTE: Final = "id invoice_id invoice line state credit_note"
_DUNNING: Final = "id invoice_id invoice contract_id contract currency left due_at step after_days suspends_at"
_TERMS: Final = "id amendment contract_id contract state effective_at answer_by"
_AUDIT: Final = (
    "id audit contract_id contract term currency period_from period_to reported_share_amount found_share_amount "
    "cost_amount answer_by settled_by"
)
FIELDS: Final[Mapping[str, str]] = {
    "invoice.issued": _INVOICE,
    "invoice.paid": _INVOICE,
    "invoice.overdue": _INVOICE,
    "invoice.voided": _INVOICE,
    "invoice.uncollectible": _INVOICE,
    "payment.received": "id invoice_id invoice currency amount method received_at",
    "payment.failed": "id invoice_id invoice top_up_id contract_id contract currency amount why",
    "payment.reversed": "id payment_id invoice_id invoice top_up_id contract_id contract currency amount reason",
    "credit_note.issued": "id number invoice_id invoice currency total reason",
    "refund.paid": "id issuer_id tenant_id currency amount method reference",
    "credit.bought": "id contract_id contract grant currency amount received_at",
    "credit.expired": "id contract_id contract grant currency amount expired_at",
    "statement.ready": "id number month currency closing",
    "payout.created": _PAYOUT,
    "payout.paid": _PAYOUT,
    "payout.failed": _PAYOUT,
    "dispute.opened": _DISPUTE,
    "dispute.answered": _DISPUTE,
    "dispute.closed": _DISPUTE,
    "dunning.reminded": _DUNNING,
    "dunning.suspended": _DUNNING,
    "dunning.lifted": f"{_DUNNING} reason",
    "price.announced": "id contract_id contract price_version_id takes_effect_at",
    "contract.offered": _TERMS,
    "contract.accepted": _TERMS,
    "contract.declined": _TERMS,
    "audit.stated": _AUDIT,
    "audit.disputed": _AUDIT,
    "audit.settled": _AUDIT,
    "lease.ending": "id ref contract_id contract ends_at",
    "lease.ended": "id ref contract_id contract ended_at reason",
    "balance.low": "id contract_id contract currency left below outcome buys charge_at",
    "budget.threshold": ("id budget_id budget side reason percent amount used currency measure period_from period_to"),
    "usage.anomaly": "id side model used usual period_from period_to",
    "meter.gap": "id node_id node subject subject_id reason from to",
    "meter.residual": "id deployment_id model quantity unexplained allowed from to",
    "node.lost": "id node_id node cluster silent_since",
    "endpoint.test": "message by",
}
"""What the body of each kind holds, always all of it; what does not apply is null or empty."""

TEST: Final = "endpoint.test"
ALL: Final = "*"


class UnknownKind(Problem):
    """An endpoint was asked for with a kind that does not exist."""

    status = 422
    code = "unknown_event_kind"
    title = "There is no such kind of event"


def checked_kinds(kinds: Sequence[str]) -> list[str]:
    """Return kinds and families (`invoice.*`) in order, each once; nothing stands for all. Raises `UnknownKind`."""
    families = {f"{kind.partition('.')[0]}.*" for kind in KINDS}
    for kind in kinds:
        if kind not in KINDS and kind not in families:
            raise UnknownKind(f"kinds: {kind!r} is not one of {', '.join(KINDS)}, or of a family like invoice.*")
    return sorted(set(kinds))


def wants(kinds: Sequence[str], kind: str) -> bool:
    """Say whether an endpoint with these kinds is told of one; tests reach every endpoint."""
    return not kinds or kind == TEST or kind in kinds or f"{kind.partition('.')[0]}.*" in kinds
