"""Credit that the last bill of a contract leaves: it goes to the tenant's balance, since no next bill takes it."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.ledger import Entry, operator_for
from billing.models import AccountKind, BalanceKind, BillingPeriod, PeriodCarry
from billing.money import less, round_to_minor
from billing.rating.below_zero import CREDIT_AMOUNT
from billing.rating.rated import Rated
from billing.tenant_balances import locked_balance, move_balance


def keep_last_credit(*, period: BillingPeriod, rated: Rated, now: datetime) -> Decimal:
    """Move what the rating of a contract's last period hands on as credit to the tenant's balance; return it.

    Must run in the closing transaction, after what is handed on was stored: from then on nothing is. The fee that the
    operator had of it goes back by the same percentage.
    """
    contract = period.contract
    handed = [carry for carry in rated.carries if (carry.term_ref, carry.name) == (contract.number, CREDIT_AMOUNT)]
    if not handed:
        return Decimal(0)
    [carry] = handed
    currency = contract.currency
    amount = round_to_minor(carry.value, currency)
    fee = round_to_minor(Fraction(amount) * Fraction(contract.operator_fee_percent) / 100, currency)
    against = [Entry(contract.provider_id, AccountKind.PROVIDER_PAYABLE, currency, less(amount, fee))]
    if fee:
        against.append(Entry(operator_for(contract).id, AccountKind.OPERATOR_FEE, currency, fee))
    account = locked_balance(tenant_id=contract.tenant_id, issuer_id=contract.provider_id, currency=currency)
    move_balance(
        account=account,
        kind=BalanceKind.CREDIT_LEFT,
        amount=amount,
        key=f"period:{period.pk}:credit_left",
        cause_id=period.pk,
        memo=f"Credit that {contract.number} left at its end",
        at=now,
        against=against,
    )
    PeriodCarry.objects.create(period=period, term_ref=carry.term_ref, name=carry.name, value=Decimal(0), seq=2)
    return amount
