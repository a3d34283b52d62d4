"""A provider that bills more of a period however long ago it was: what is asked of the platform's own clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from billing.adjusting.rules import set_issuing_rule

if TYPE_CHECKING:
    from tenants.models import Organization


def always_back_billed(provider: Organization) -> None:
    """Let a provider bill more of any period, so that a test of March 2026 holds in any year."""
    set_issuing_rule(provider=provider, back_billing_months=None, approves=False, actor="test", now=datetime.now(UTC))
