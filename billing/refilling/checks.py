"""What must hold of purchases by rules, proved from stored rows."""

from billing.models import TopUp
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
    SELECT bought.id FROM billing_topup bought
    WHERE bought.state = 'paid' AND NOT EXISTS (
        SELECT FROM billing_ledgerposting posting WHERE posting.cause = 'top_up' AND posting.cause_id = bought.id
    ) ORDER BY 1
"""


def purchases_are_within_their_rules() -> Proved:
    """What rules buy of a contract in a month is never more than was set, and was told of before it was charged."""
    wrong = [
        f"{number}, top-up {one}: {so_far} this month, at most {most}" for number, one, so_far, most in rows(_BEYOND)
    ]
    wrong += [f"top-up {one}: charged at {begun}, told for {told}" for one, begun, told in rows(_UNTOLD)]
    return TopUp.objects.filter(rule__isnull=False).count(), wrong


def paid_credit_is_booked() -> Proved:
    """Every top-up that was paid is in the books."""
    wrong = [f"top-up {one} is paid and not booked" for (one,) in rows(_UNBOOKED)]
    return TopUp.objects.filter(state="paid").count(), wrong


CHECKS: Checks = {
    "credit is bought within its rule": purchases_are_within_their_rules,
    "bought credit is booked": paid_credit_is_booked,
}
