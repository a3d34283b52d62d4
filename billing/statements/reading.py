"""Statements as their provider reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.models import ProviderStatement

if TYPE_CHECKING:
    from uuid import UUID

    from tenants.models import Organization

STATEMENTS_MAX = 500


def statements_of(organization: Organization, *, currency: str = "") -> list[ProviderStatement]:
    """Return the latest statements to a provider, the latest first, without their documents."""
    found = ProviderStatement.objects.for_org(organization).defer("document")
    if currency:
        found = found.filter(currency=currency)
    return list(found.order_by("-sequence")[:STATEMENTS_MAX])


def find_statement(organization: Organization, statement_id: UUID) -> ProviderStatement | None:
    """Return a statement to a provider by its id, or None."""
    return ProviderStatement.objects.for_org(organization).filter(pk=statement_id).first()


def statement_numbered(organization: Organization, number: str) -> ProviderStatement | None:
    """Return a statement to a provider by its number, or None."""
    return ProviderStatement.objects.for_org(organization).filter(number=number).first()
