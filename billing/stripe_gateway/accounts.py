"""Accounts of providers (Connect): made by us, filled in by their owners on Stripe's pages, paid by transfers."""

from typing import Any

import stripe

from billing.stripe_gateway.connection import PAGE, Connection
from billing.stripe_gateway.customers import METADATA_ORGANIZATION
from billing.stripe_gateway.failures import our_errors
from billing.stripe_gateway.references import instant, written
from billing.stripe_seen import StripeAccount, StripeLink


class Accounts(Connection):
    """Accounts that belong to providers and are connected to ours."""

    def create_account(self, *, organization_id: str, country: str, email: str, idempotency_key: str) -> StripeAccount:
        """Make an account that can only receive transfers; its owner gets Stripe's own pages (Express).

        We answer for its losses and pay its fees, as separate charges and transfers ask for.
        """
        with our_errors():
            made = self._v1.accounts.create(
                {
                    "country": country,
                    "email": email,
                    "controller": {
                        "fees": {"payer": "application"},
                        "losses": {"payments": "application"},
                        "requirement_collection": "stripe",
                        "stripe_dashboard": {"type": "express"},
                    },
                    "capabilities": {"transfers": {"requested": True}},
                    "metadata": {METADATA_ORGANIZATION: organization_id},
                },
                {"idempotency_key": idempotency_key},
            )
        return _account_seen(made)

    def account_link(self, *, account_id: str, refresh_url: str, return_url: str) -> StripeLink:
        """A page on which the owner fills in what Stripe asks for; it works once, for minutes.

        `refresh_url` is where Stripe sends a visitor whose link is used up, `return_url` one who left the pages,
        done or not.
        """
        with our_errors():
            made = self._v1.account_links.create(
                {
                    "account": account_id,
                    "type": "account_onboarding",
                    "refresh_url": refresh_url,
                    "return_url": return_url,
                }
            )
        return StripeLink(url=made.url, expires_at=instant(made.expires_at))

    def get_account(self, account_id: str) -> StripeAccount:
        """The account as it is now."""
        with our_errors():
            return _account_seen(self._v1.accounts.retrieve(account_id))

    def find_account(self, organization_id: str) -> StripeAccount | None:
        """The account made for an organization, the oldest; None if there is none."""
        with our_errors():
            listed = self._v1.accounts.list({"limit": PAGE})
            mine = [
                _account_seen(one)
                for one in listed.auto_paging_iter()
                if written(one.metadata, METADATA_ORGANIZATION) == organization_id
            ]
        return mine[-1] if mine else None


def _account_seen(account: stripe.Account) -> StripeAccount:
    requirements: Any = getattr(account, "requirements", None)
    capabilities: Any = getattr(account, "capabilities", None)
    return StripeAccount(
        id=account.id,
        country=account.country or "",
        currency=(account.default_currency or "").upper(),
        email=account.email or "",
        is_submitted=bool(account.details_submitted),
        can_receive=getattr(capabilities, "transfers", None) == "active",
        can_pay_out=bool(account.payouts_enabled),
        missing=tuple(getattr(requirements, "currently_due", None) or ()),
        disabled_reason=getattr(requirements, "disabled_reason", None),
        organization_id=written(account.metadata, METADATA_ORGANIZATION),
    )
