"""What must hold of purchases by rules, proved from stored rows."""

from billing.models import TopUp
from billing.money import half_a_unit
from billing.proofs.proof import Checks, Proved, rows

_BEYOND = """
    SELECT number, id, so_far, month_max_amount FROM (
        SELECT contract.number, bought.id, rule.month_max_amount,
            sum(bought.amount) OVER (
                PARTITION BY contract.id, date_trunc('month', bought.created_at AT TIME ZONE contract.time_zone)
                ORDER BY bought.created_at, bought.id
            ) AS so_far
        FROM billing_topup bought
        JOIN billing_balancerule rule ON rule.id = bought.rule_id
        JOIN billing_contract contract ON contract.id = rule.contract_id
        WHERE bought.state IN ('open', 'paid', 'differs')
    ) summed WHERE month_max_amount IS NULL OR so_far > month_max_amount ORDER BY 1, 2
"""
_UNTOLD = """
    SELECT bought.id, bought.begun_at, told.charge_at FROM billing_topup bought
    LEFT JOIN billing_balancenotice told ON told.rule_id = bought.rule_id AND told.crossing = bought.crossing
        AND told.kind = 'low' AND told.outcome = 'buys' AND told.at < told.charge_at
    WHERE bought.rule_id IS NOT NULL
        AND (told.id IS NULL OR bought.begun_at < told.charge_at OR bought.state = 'paid' AND bought.begun_at IS NULL)
    ORDER BY 1
"""
_UNBOOKED = """
    WITH granted AS (
        SELECT regexp_replace(posting.key, ':[0-9]+$', '') AS key, account.organization_id, account.currency,
            -sum(entry.amount) AS amount
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'credit_grant' AND account.kind = 'prepaid_credit' GROUP BY 1, 2, 3
    ), taken AS (
        SELECT posting.cause_id, account.organization_id, account.currency, sum(entry.amount) AS amount
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'top_up' AND account.kind = 'stripe_clearing' GROUP BY 1, 2, 3
    )
    SELECT bought.id, bought.state, bought.amount, coalesce(taken.amount, 0), coalesce(granted.amount, 0)
    FROM billing_topup bought JOIN billing_term term ON term.id = bought.term_id
    JOIN billing_contract contract ON contract.id = term.contract_id
    LEFT JOIN taken ON taken.cause_id = bought.id AND taken.organization_id = contract.provider_id
        AND taken.currency = bought.currency
    LEFT JOIN granted ON granted.organization_id = contract.tenant_id AND granted.currency = bought.currency
        AND granted.key = 'credit_grant:' || bought.term_id || ':bank_clearing:topup-'
            || right(replace(bought.id::text, '-', ''), 12)
    WHERE coalesce(taken.amount, 0) <> CASE bought.state WHEN 'paid' THEN bought.amount ELSE 0 END
        OR coalesce(granted.amount, 0) <> CASE bought.state WHEN 'paid' THEN bought.amount ELSE 0 END
    ORDER BY 1
"""
_CREDIT_MOVED = """
    WITH bought AS (
        SELECT regexp_replace(posting.key, ':[0-9]+$', '') AS key
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'credit_grant' AND account.kind = 'bank_clearing' GROUP BY 1 HAVING sum(entry.amount) > 0
    ), booked AS (
        SELECT posting.cause_id, account.organization_id, account.currency, sum(entry.amount) AS amount
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'credit_moved' AND account.kind = 'prepaid_credit' GROUP BY 1, 2, 3
    ), fees AS (
        SELECT posting.cause_id, -sum(entry.amount) AS amount
        FROM billing_ledgerposting posting JOIN billing_ledgerentry entry ON entry.posting_id = posting.id
        JOIN billing_ledgeraccount account ON account.id = entry.account_id
        WHERE posting.cause = 'credit_moved' AND account.kind = 'operator_fee' GROUP BY 1
    )
    SELECT contract.number, contract.currency, moved.grant, moved.kind, moved.amount, coalesce(booked.amount, 0),
        coalesce(fees.amount, 0), CASE WHEN moved.kind = 'drawn' AND bought.key IS NOT NULL
            THEN moved.amount * contract.operator_fee_percent / 100 ELSE 0 END
    FROM billing_creditmovement moved JOIN billing_term term ON term.id = moved.term_id
    JOIN billing_contract contract ON contract.id = term.contract_id
    LEFT JOIN booked ON booked.cause_id = moved.id AND booked.organization_id = contract.tenant_id
        AND booked.currency = contract.currency
    LEFT JOIN fees ON fees.cause_id = moved.id
    LEFT JOIN bought ON bought.key = 'credit_grant:' || moved.term_id || ':bank_clearing:' || moved.grant
    WHERE moved.kind <> 'returned' ORDER BY 1, 3
"""


def purchases_are_within_their_rules() -> Proved:
    """What rules buy of a contract in a month is never more than was set, and was told of before it was charged."""
    wrong = [
        f"{number}, top-up {one}: {so_far} this month, at most {most}" for number, one, so_far, most in rows(_BEYOND)
    ]
    wrong += [f"top-up {one}: charged at {begun}, told for {told}" for one, begun, told in rows(_UNTOLD)]
    return TopUp.objects.filter(rule__isnull=False).count(), wrong


def paid_credit_is_booked() -> Proved:
    """Every top-up that was paid, and no other, is in the books at its amount, and a grant of its tenant's."""
    wrong = [
        f"top-up {one} of {amount} is {state}: {taken} booked as paid, {granted} as granted"
        for one, state, amount, taken, granted in rows(_UNBOOKED)
    ]
    return TopUp.objects.count(), wrong


def credit_that_moved_is_booked() -> Proved:
    """Each movement of prepaid credit is booked at its amount, and of bought credit that was drawn the agreed fee."""
    found = rows(_CREDIT_MOVED)
    return len(found), [
        f"{contract} {grant}: {amount} {kind}, {booked} booked; a fee of {round(due, 6)} is agreed, {fee} booked"
        for contract, currency, grant, kind, amount, booked, fee, due in found
        if amount != booked or abs(fee - due) > half_a_unit(currency)
    ]


CHECKS: Checks = {
    "credit is bought within its rule": purchases_are_within_their_rules,
    "bought credit is booked": paid_credit_is_booked,
    "credit that moved is booked": credit_that_moved_is_booked,
}
