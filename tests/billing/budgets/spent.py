"""A tenant in the middle of March that spends 10.00 a day on one model, and budgets for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing.budgets.foretelling import foretell
from billing.budgets.rules import Measure, Per, Rule, Scope
from billing.budgets.setting import make_budget
from billing.budgets.watching import look_at_budgets
from billing.queries.usage import Side
from tests.billing.world import MARCH, make_world

if TYPE_CHECKING:
    from billing.models import Budget, SpendAlert
    from tests.billing.world import Shared, World
    from tests.factories import Cast

BY = "alice@example.com"
BIG, SMALL = "sample-big", "sample-small"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
RULE = Rule(
    scope=Scope.ORGANIZATION,
    subject="",
    measure=Measure.COST,
    currency="USD",
    per=Per.MONTH,
    zone="UTC",
    amount=Decimal(200),
    thresholds=(50, 75, 100),
)


@dataclass(frozen=True)
class Spent:
    """The world of these tests; `use` adds a day."""

    world: World
    big: Shared
    small: Shared

    def use(self, day: datetime, *, big: int = 1, small: int = 0) -> None:
        """Each `big` is 8.00 of 10M input tokens, each `small` 2.00 of 20M; of hour nine of a day."""
        at = day.replace(hour=9, minute=0)
        if big:
            self.big.use({"input": big * 10_000_000, "output": 0}, at=at, model=BIG)
        if small:
            self.small.use({"input": small * 20_000_000, "output": 0}, at=at, model=SMALL)


def make_spent(cast: Cast, *, days: int = 10) -> Spent:
    """So many days of March with one `big` and one `small` each: 10.00 and 30M tokens a day."""
    world = make_world(
        tokens={(BIG, "input"): "0.80", (BIG, "output"): "1", (SMALL, "input"): "0.10", (SMALL, "output"): "1"},
        parties=(cast.provider, cast.tenant),
    )
    spent = Spent(
        world,
        world.share(percent="100", model=BIG, rolled_to_at=NOW),
        world.share(percent="100", model=SMALL, rolled_to_at=NOW),
    )
    for index in range(days):
        spent.use(MARCH + index * DAY, small=1)
    return spent


def set_budget(cast: Cast, name: str = "All of it", *, now: datetime = MARCH, **changes: Any) -> Budget:
    """A budget of the cast's tenant."""
    return make_budget(
        organization=cast.tenant, side=Side.TENANT, name=name, rule=replace(RULE, **changes), by=BY, now=now
    )


def look(cast: Cast, now: datetime = NOW) -> list[SpendAlert]:
    """Look at the tenant's budgets."""
    return look_at_budgets(organization=cast.tenant, side=Side.TENANT, now=now)


def told(alerts: list[SpendAlert]) -> list[tuple[str, int]]:
    """Kinds and thresholds of alerts."""
    return [(str(alert.kind), alert.percent) for alert in alerts]


def make_limited(cast: Cast, now: datetime) -> Budget:
    """Budgets of a tenant that uses something, looked at: one that stops, one within, and one in tokens of a day."""
    foretell(organization=cast.tenant, side=Side.TENANT, now=now)
    stops = set_budget(cast, "All of it", amount=Decimal(8000), stops=True, on_forecast=True, now=now)
    set_budget(cast, "Ceiling", amount=Decimal(30_000), on_forecast=True, now=now)
    set_budget(cast, "Tokens a day", measure=Measure.TOKENS, currency="", per=Per.DAY, amount=Decimal(10**10), now=now)
    look(cast, now)
    return stops
