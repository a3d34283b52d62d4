"""The sample tenants' own order: budgets of theirs, and a project to put keys into, as they would set them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from billing.budgets.rules import Measure, Per, Rule, Scope
from billing.budgets.setting import make_budget
from billing.queries.usage import Side
from metering.projects import make_project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tenants.models import Organization

BY: Final = "demo"
THRESHOLDS: Final = (50, 75, 100)
MONTHLY_USD: Final = {"sample-chat": Decimal(25_000), "sample-code": Decimal(8_000), "sample-research": Decimal(15_000)}
"""What each means to spend a month: sample figures."""
PROJECTS: Final = {"sample-chat": ("Assistant", "Evaluation"), "sample-code": ("Editor plug-in",)}


def set_sample_limits(tenants: Mapping[str, Organization], *, now: datetime) -> None:
    """Set a budget for each tenant's month, one for a day of the chat service's tokens, and make their projects."""
    for slug, amount in MONTHLY_USD.items():
        month = Rule(Scope.ORGANIZATION, "", Measure.COST, "USD", Per.MONTH, "UTC", amount, THRESHOLDS)
        _set(tenants[slug], "Month", month, now)
    tokens = Rule(Scope.ORGANIZATION, "", Measure.TOKENS, "", Per.DAY, "UTC", Decimal(1_000_000), (100,))
    _set(tenants["sample-chat"], "Tokens of a day", tokens, now)
    for slug, names in PROJECTS.items():
        for name in names:
            make_project(tenant=tenants[slug], name=name, actor=BY, now=now)


def _set(tenant: Organization, name: str, rule: Rule, now: datetime) -> None:
    make_budget(organization=tenant, side=Side.TENANT, name=name, rule=rule, by=BY, now=now)
