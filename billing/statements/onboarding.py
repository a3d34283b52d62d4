"""A provider's own account at Stripe: made once, filled in by its owner on Stripe's pages, looked at until ready."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from billing.models import StripePayee
from billing.stripe_intents import Result, carry_out
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from billing.stripe_seen import StripeAccount, StripeLink
    from tenants.models import Organization

LOOK_EVERY = timedelta(minutes=10)
LOOK_EVERY_READY = timedelta(hours=12)


class Connecting(Protocol):
    """What is asked of Stripe; `billing.stripe_gateway.StripeGateway` has it."""

    def create_account(self, *, organization_id: str, country: str, email: str, idempotency_key: str) -> StripeAccount:
        """Make an account for a provider."""

    def account_link(self, *, account_id: str, refresh_url: str, return_url: str) -> StripeLink:
        """Make the address at which its owner fills it in."""

    def get_account(self, account_id: str) -> StripeAccount:
        """Read the account."""

    def find_account(self, organization_id: str) -> StripeAccount | None:
        """Find the account made for an organization."""


def connect(*, provider: Organization, by: str, gateway: Connecting, now: datetime) -> StripePayee:
    """Make the provider's account at Stripe unless it has one, and store it; raises what the gateway raises."""
    known = StripePayee.objects.filter(pk=provider.pk).first()
    if known is not None:
        return known

    def look_up() -> Result | None:
        found = gateway.find_account(str(provider.pk))
        return {"id": found.id} if found else None

    def call(key: str) -> Result:
        made = gateway.create_account(
            organization_id=str(provider.pk),
            country=provider.country,
            email=provider.billing_email,
            idempotency_key=key,
        )
        return {"id": made.id}

    def key_of(generation: int) -> str:
        return f"org:{provider.pk}:acct:{generation}"

    made = carry_out(key_of=key_of, step="account", subject_id=provider.pk, look_up=look_up, call=call, now=now)
    payee, is_new = StripePayee.objects.get_or_create(
        provider=provider, defaults={"account_id": made["id"], "created_at": now, "seen_at": now}
    )
    if is_new:
        _note(payee, by=by, action="payee.made", now=now)
    return payee


def onboarding_url(*, payee: StripePayee, gateway: Connecting, page_url: str, again_url: str) -> str:
    """Return the address at which the owner goes on: used once, within minutes."""
    return gateway.account_link(account_id=payee.account_id, refresh_url=again_url, return_url=page_url).url


def payees_to_look_at(*, now: datetime, limit: int) -> list[UUID]:
    """Return the providers whose account was not looked at for a while: often until it is ready, then seldom."""
    waiting = StripePayee.objects.filter(can_receive=False, seen_at__lte=now - LOOK_EVERY)
    ready = StripePayee.objects.filter(can_receive=True, seen_at__lte=now - LOOK_EVERY_READY)
    return list((waiting | ready).order_by("seen_at").values_list("pk", flat=True)[:limit])


def look_at_payee(*, provider_id: UUID, gateway: Connecting, now: datetime) -> StripePayee:
    """Store how the account stands at Stripe; raises StripePayee.DoesNotExist and what the gateway raises."""
    payee = StripePayee.objects.get(pk=provider_id)
    return apply_account(gateway.get_account(payee.account_id), now=now) or payee


def apply_account(seen: StripeAccount, *, now: datetime) -> StripePayee | None:
    """Store an account as it was seen; None for one that is nobody's here."""
    payee = StripePayee.objects.filter(account_id=seen.id).first()
    if payee is None:
        return None
    could = payee.can_receive
    payee.is_submitted, payee.can_receive = seen.is_submitted, seen.can_receive
    payee.missing, payee.disabled_reason = _names(seen.missing), (seen.disabled_reason or "")[:200]
    payee.seen_at = now
    payee.save(update_fields=["is_submitted", "can_receive", "missing", "disabled_reason", "seen_at"])
    if could != payee.can_receive:
        _note(payee, by="stripe", action="payee.ready" if payee.can_receive else "payee.stopped", now=now)
    return payee


def _names(missing: Iterable[str]) -> list[str]:
    return sorted(set(missing))


def _note(payee: StripePayee, *, by: str, action: str, now: datetime) -> None:
    AuditEntry.objects.create(
        organization_id=payee.provider_id,
        actor=by,
        action=action,
        subject=f"account {payee.account_id}",
        after={"can_receive": payee.can_receive, "missing": payee.missing, "reason": payee.disabled_reason},
        at=now,
    )
