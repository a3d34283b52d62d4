"""What the checks found and what people put in its place, over usage that is there already: what their pages show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import F

from metering.finding_models import UsageFinding
from metering.models import Quality, UsageHour
from metering.substituting import decide_substitution, propose_substitution
from metering.validation import RULES, Check
from tenants.models import Role
from tests.factories import make_user

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from metering.adjustment_models import Substitution
    from tenants.models import Organization, User

REASON = "The gateway's log of the hour shows every request; the engine restarted in it."
FIGURES = {
    Check.TIME: (12, 0),
    Check.IDENTITY: (3, 0),
    Check.GAP: (184_200, 0),
    Check.SUM: (18_402_118_330, 18_402_118_930),
    Check.HELD: (7, 0),
    Check.RESTART: (42_118, 0),
    Check.SUBSTITUTED: (12_400, 0),
    Check.SPIKE: (9_204_118, 4_118_420),
    Check.HIGH: (12_400_000, 8_204_400),
    Check.LOW: (0, 212_400),
}


@dataclass(frozen=True)
class Checked:
    """The hours that have findings, and a substitution in each state; `paul` is the provider's second person."""

    rows: Sequence[UsageHour]
    paul: User
    waiting: Substitution
    own: Substitution
    approved: Substitution
    refused: Substitution


def make_checked(provider: Organization, petra: User, now: datetime) -> Checked:
    """Store a finding of every rule, one settled, and four substitutions, each about hours of the provider's nodes."""
    usage = UsageHour.objects.filter(meter__node__cluster__provider=provider, quality=Quality.ACTUAL, value__gt=0)
    rows = list(
        usage.order_by(F("tenant_id").desc(nulls_last=True), "-hour_at", "quantity", "meter_id")[: len(Check) + 4]
    )
    for row, check in zip(rows, Check, strict=False):
        observed, expected = FIGURES[check]
        assert row.meter.node is not None
        UsageFinding.objects.create(
            node=row.meter.node,
            meter_id=row.meter_id,
            hour_at=row.hour_at,
            rule=check,
            severity=RULES[check].severity,
            observed=observed,
            expected=expected,
            state="settled" if check is Check.HELD else "open",
            found_at=now,
            updated_at=now,
        )
    paul = make_user("paul@example.com", provider, Role.ADMIN)

    def propose(row: UsageHour, by: User, more: int) -> Substitution:
        return propose_substitution(
            provider=provider,
            by=by,
            meter_id=row.meter_id,
            from_at=row.from_at,
            value=row.value + more,
            reason=REASON,
            now=now - timedelta(hours=2),
        )

    def decide(made: Substitution, *, approve: bool) -> Substitution:
        return decide_substitution(
            provider=provider, by=petra, substitution_id=made.id, approve=approve, now=now - timedelta(hours=1)
        )

    return Checked(
        rows=rows,
        paul=paul,
        waiting=propose(rows[-1], paul, 41_000),
        own=propose(rows[-2], petra, 1_000),
        approved=decide(propose(rows[-3], paul, 250_000), approve=True),
        refused=decide(propose(rows[-4], paul, 5), approve=False),
    )
