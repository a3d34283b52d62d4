"""What must hold of statements, proved from stored rows."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing.canonical import canonical, digest
from billing.models import Payout, PayoutFile, PayoutTerms, ProviderStatement, StatementSequence
from billing.proofs.proof import Checks, Proved, gaps_of, rows
from billing.statements import gathering
from billing.statements.document import MOVEMENTS, Statement, differences, make_document

FIGURES = {"earned": "net", **{name: name for name in ("tax", "deposit", "received", "moved", "paid_out", "closing")}}
"""Columns of a statement, and what its document calls them."""

ROWS = ("earned", *MOVEMENTS, "terms", "reconciliation")
"""The parts of a document that are made of entries and what they are of."""

_AGAINST_LEDGER = """
    WITH taken AS (
        SELECT statement_entry.statement_id, -sum(entry.amount) AS amount,
            coalesce(-sum(entry.amount) FILTER (WHERE posting.cause = 'payout'), 0) AS paid_out,
            count(*) FILTER (WHERE account.currency <> statement.currency
                OR posting.provider_id IS DISTINCT FROM statement.provider_id
                OR account.kind IN
                    ('tenant_receivable', 'tenant_balance', 'refund_in_transit', 'operator_fee', 'stripe_clearing',
                    'payout_in_transit')
                OR (account.organization_id <> statement.provider_id
                    AND account.kind <> 'prepaid_credit')) AS foreign_entries
        FROM billing_statemententry statement_entry
        JOIN billing_providerstatement statement ON statement.id = statement_entry.statement_id
        JOIN billing_ledgerentry entry ON entry.id = statement_entry.entry_id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        JOIN billing_ledgerposting posting ON posting.id = entry.posting_id
        GROUP BY 1
    )
    SELECT provider.slug, statement.number, statement.closing - statement.opening, coalesce(taken.amount, 0),
        statement.paid_out, coalesce(taken.paid_out, 0), coalesce(taken.foreign_entries, 0)
    FROM billing_providerstatement statement
    JOIN tenants_organization provider ON provider.id = statement.provider_id
    LEFT JOIN taken ON taken.statement_id = statement.id
    WHERE statement.closing - statement.opening <> coalesce(taken.amount, 0)
        OR statement.paid_out <> coalesce(taken.paid_out, 0) OR coalesce(taken.foreign_entries, 0) > 0
    ORDER BY 1, 2
"""
_CHAIN = """
    SELECT provider.slug, chained.number, chained.opening, chained.closed FROM (
        SELECT provider_id, number, opening, coalesce(
            lag(closing) OVER (PARTITION BY provider_id, currency ORDER BY month), 0
        ) AS closed FROM billing_providerstatement
    ) chained JOIN tenants_organization provider ON provider.id = chained.provider_id
    WHERE chained.opening <> chained.closed ORDER BY 1, 2
"""


def statements_are_the_ledger() -> Proved:
    """A statement says what its entries of the ledger sum to, and begins with what the one before it ended with."""
    wrong = [
        f"{provider} {number}: moves {stated}, its entries {booked}; {paid} paid out, {paid_booked} booked; "
        f"{strangers} entries of others"
        for provider, number, stated, booked, paid, paid_booked, strangers in rows(_AGAINST_LEDGER)
    ]
    unchained = rows(_CHAIN)
    wrong += [
        f"{provider} {number}: opens with {opening} after {closed}" for provider, number, opening, closed in unchained
    ]
    for sequence in StatementSequence.objects.select_related("provider").order_by("pk"):
        made = ProviderStatement.objects.filter(provider=sequence.provider).values_list("sequence", "number")
        numbers = [number for _, number in made]
        wrong += gaps_of(
            sequence.provider.slug, numbers, prefix=ProviderStatement.PREFIX, next_number=sequence.next_number
        )
        wrong += [
            f"{sequence.provider.slug} {number}: it is the statement {place} of its provider"
            for place, number in made
            if number.removeprefix(ProviderStatement.PREFIX).lstrip("0") != str(place)
        ]
    return ProviderStatement.objects.count(), wrong


def statements_are_unchanged() -> Proved:
    """A statement's document has its hash, is the sum of its own rows, and says what the statement and its entries
    say."""
    looked_at, wrong = 0, []
    for statement in ProviderStatement.objects.select_related("provider").order_by("pk").iterator(chunk_size=50):
        looked_at += 1
        name = f"{statement.provider.slug} {statement.number}"
        if digest(statement.document) != statement.sha256:
            wrong.append(f"{name}: the document does not have the hash {statement.sha256}")
            continue
        document = json.loads(statement.document)
        wrong += [f"{name}: {difference}" for difference in differences(document)]
        said = {column: Decimal(document["totals"][figure]) for column, figure in FIGURES.items()}
        said["opening"] = Decimal(document["opening"])
        wrong += [
            f"{name}: {column} {getattr(statement, column)}, in its document {amount}"
            for column, amount in said.items()
            if amount != getattr(statement, column)
        ]
        wrong += [f"{name}: {part} are not those of its entries" for part in _parts_that_differ(statement, document)]
    return looked_at, wrong


def _parts_that_differ(statement: ProviderStatement, document: Mapping[str, Any]) -> list[str]:
    """Return the parts of a statement's document that its entries of the ledger and their invoices do not give.

    Names of tenants are as they were then.
    """
    taken = gathering.stated_by(statement.pk)
    services = gathering.services_of(taken)
    invoice_ids = gathering.invoices_of(taken)
    again = make_document(
        Statement(
            number=statement.number,
            provider=statement.provider.name,
            currency=statement.currency,
            month=statement.month,
            made_at=statement.made_at,
            opening=statement.opening,
            earned=gathering.earned_of(taken, services),
            **gathering.moved_of(taken, services),
            terms=gathering.terms_of(invoice_ids),
            reconciliation=gathering.reconciled_of(invoice_ids),
            missing=(),
        )
    )
    found = [name for name in ROWS if _unnamed(document[name]) != _unnamed(again[name])]
    head = document["statement"]
    return found + [
        name for name in ("number", "currency", "month", "made_at") if head[name] != again["statement"][name]
    ]


def _unnamed(parts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Tenants are told apart by their contracts; the order of what has the same name is that of the name."""
    return sorted(({key: value for key, value in part.items() if key != "tenant"} for part in parts), key=canonical)


_PAYOUTS = """
    WITH booked AS (
        SELECT posting.cause_id AS payout_id,
            coalesce(sum(entry.amount) FILTER (WHERE account.kind = 'provider_payable'), 0) AS payable,
            coalesce(sum(entry.amount) FILTER (WHERE account.kind = 'payout_in_transit'), 0) AS in_transit
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'payout' GROUP BY 1
    ), strange AS (
        SELECT posting.cause_id AS payout_id, count(*) AS entries FROM billing_ledgerposting posting
        JOIN billing_payout payout ON payout.id = posting.cause_id
        JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'payout' AND (account.organization_id, account.currency, posting.provider_id)
            IS DISTINCT FROM (payout.provider_id, payout.currency, payout.provider_id) GROUP BY 1
    ), by_bank AS (
        SELECT posting.cause_id AS payout_id, sum(entry.amount) AS amount FROM billing_ledgerposting posting
        JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'payout_bank' AND account.kind = 'stripe_clearing' GROUP BY 1
    ), back AS (
        SELECT payout_id, sum(amount) AS amount FROM billing_payoutreversal GROUP BY 1
    )
    SELECT coalesce(payout.number, booked.payout_id::text), payout.state, payout.amount, coalesce(back.amount, 0),
        coalesce(booked.payable, 0), coalesce(booked.in_transit, 0), coalesce(strange.entries, 0)
    FROM billing_payout payout FULL JOIN booked ON booked.payout_id = payout.id
    LEFT JOIN back ON back.payout_id = payout.id LEFT JOIN strange ON strange.payout_id = payout.id
    LEFT JOIN by_bank ON by_bank.payout_id = payout.id
    WHERE payout.id IS NULL
        OR coalesce(booked.payable, 0) <>
            CASE WHEN payout.state = 'failed' THEN 0 ELSE payout.amount - coalesce(back.amount, 0) END
        OR coalesce(booked.in_transit, 0) <> CASE WHEN payout.state = 'in_transit' THEN -payout.amount ELSE 0 END
        OR (payout.state = 'reversed') <> (coalesce(back.amount, 0) = payout.amount) OR strange.entries > 0
        OR coalesce(by_bank.amount, 0) <> CASE WHEN payout.method = 'bank' AND payout.state IN ('paid', 'reversed')
            THEN payout.amount - coalesce(back.amount, 0) ELSE 0 END
    ORDER BY 1
"""
_PAYOUT_STATEMENTS = """
    SELECT payout.number, statement.number FROM billing_payout payout
    JOIN billing_providerstatement statement ON statement.id = payout.statement_id
    WHERE (statement.provider_id, statement.currency) <> (payout.provider_id, payout.currency) ORDER BY 1
"""
_FILES = """
    SELECT file.number, file.transfers, file.control_sum, count(payout.id), coalesce(sum(payout.amount), 0),
        count(*) FILTER (WHERE payout.currency <> file.currency OR payout.method <> 'bank'),
        encode(sha256(file.body), 'hex') <> file.sha256
    FROM billing_payoutfile file LEFT JOIN billing_payoutfilepart part ON part.file_id = file.id
    LEFT JOIN billing_payout payout ON payout.id = part.payout_id GROUP BY file.id
    HAVING file.transfers <> count(payout.id) OR file.control_sum <> coalesce(sum(payout.amount), 0)
        OR count(*) FILTER (WHERE payout.currency <> file.currency OR payout.method <> 'bank') > 0
        OR encode(sha256(file.body), 'hex') <> file.sha256
    ORDER BY 1
"""


def payouts_are_booked() -> Proved:
    """What was paid out is off what providers are owed, once, and what is in transit is what is on its way."""
    wrong = [
        f"{number}: {state} {amount}, {back} came back; booked {payable} as paid out and {in_transit} in transit, "
        f"{strangers} entries of others"
        for number, state, amount, back, payable, in_transit, strangers in rows(_PAYOUTS)
    ]
    for terms in PayoutTerms.objects.select_related("provider").order_by("pk"):
        made = Payout.objects.filter(provider=terms.provider).values_list("number", flat=True)
        wrong += gaps_of(terms.provider.slug, made, prefix=Payout.PREFIX, next_number=terms.next_number)
    wrong += [f"{number}: it is not of the parties of {statement}" for number, statement in rows(_PAYOUT_STATEMENTS)]
    return Payout.objects.count(), wrong


def payout_files_are_payouts() -> Proved:
    """A file for the bank is unchanged, and orders its payouts: as many, for as much, by bank in its currency."""
    wrong = [
        f"{number}: {transfers} transfers of {total}, its {count} payouts come to {amount}, {strange} do not belong"
        f"{'; the file does not have its hash' if changed else ''}"
        for number, transfers, total, count, amount, strange, changed in rows(_FILES)
    ]
    return PayoutFile.objects.count(), wrong


CHECKS: Checks = {
    "statements are the ledger of their providers": statements_are_the_ledger,
    "statements are unchanged and add up": statements_are_unchanged,
    "payouts are booked, once": payouts_are_booked,
    "files of payouts are what they order": payout_files_are_payouts,
}
