"""A contract whose prepaid credit is used up, and a rule about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.credits import grant_credit
from billing.models import BalanceNotice, BalanceRule, CardOnFile, Contract, Term, TopUp
from billing.rating.credit import CreditWording, Grant
from billing.refilling.rules import NOTICE, Figures
from billing.refilling.setting import set_rule
from billing.refilling.watching import look
from billing.stripe_customers import ensure_customer
from tests.billing.stripe_gateway.paid import card_on_file
from tests.billing.world import MARCH, World, make_world

if TYPE_CHECKING:
    from datetime import datetime

    from billing.stripe_gateway import StripeGateway
    from tests.factories import Cast

NOW = MARCH + timedelta(days=3)
CHARGED_AT = NOW + NOTICE
BY = "alice@example.com"
BUYS = Figures(Decimal(20), Decimal(50), Decimal(120))
TELLS = Figures(Decimal(20), None, None)


@dataclass(frozen=True)
class Low:
    """A contract with 10.00 of credit, and what is done with it in tests."""

    world: World
    term: Term

    @property
    def contract(self) -> Contract:
        return self.world.contract

    def rule(self, figures: Figures = BUYS, now: datetime = NOW) -> BalanceRule:
        return set_rule(contract=self.contract, figures=figures, by=BY, now=now)

    def given(self, name: str, amount: str, now: datetime = NOW) -> None:
        """Credit that comes by other ways than a rule."""
        grant = Grant(name=name, amount=Decimal(amount), from_at=now)
        grant_credit(term=self.term, grant=grant, recorded_by="provider", now=now)

    def planned(self, figures: Figures = BUYS, now: datetime = NOW) -> TopUp:
        """What a rule is about to buy."""
        notice = look(rule_id=self.rule(figures, now).pk, now=now)
        assert notice is not None
        return TopUp.objects.get(rule=notice.rule, crossing=notice.crossing)

    def notices(self) -> list[tuple[str, str]]:
        found = BalanceNotice.objects.filter(rule__contract=self.contract).order_by("at", "pk")
        return list(found.values_list("kind", "outcome"))


def low_credit(cast: Cast | None = None, amount: str = "10") -> Low:
    """A contract with that much credit given, and nothing used; its tenant has a card on file."""
    parties = (cast.provider, cast.tenant) if cast else None
    world = make_world(parties=parties, currency="EUR") if parties else make_world(currency="EUR")
    term = add_adjustment(
        contract=world.contract, wording=CreditWording(), from_at=MARCH, to_at=None, now=MARCH, title="Prepaid"
    )
    ensure_periods(contract=world.contract, now=NOW)
    made = Low(world, term)
    made.given("first", amount, MARCH)
    CardOnFile.objects.create(
        organization=world.contract.tenant, payment_method_id="pm_1", kind="card", kept_by=BY, kept_at=MARCH
    )
    return made


def leave_card(low: Low, gateway: StripeGateway, card: str = "pm_card_visa") -> None:
    """Put a card of the double on file for the tenant."""
    tenant = low.contract.tenant
    customer_id = ensure_customer(organization=tenant, gateway=gateway, now=NOW)
    kept = card_on_file(gateway, customer_id, card)
    CardOnFile.objects.update_or_create(
        organization=tenant, defaults={"payment_method_id": kept, "kind": "card", "kept_by": BY, "kept_at": NOW}
    )
