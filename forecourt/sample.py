"""The parties of a sample world: named as samples, with people who can sign in. Used by `seed` and by the demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from clusters.models import Cluster
from tenants.models import Membership, Organization, Role, User
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class NotEmpty(Problem):
    """The database holds organizations already: a sample would mix with what is real."""

    status = 409
    code = "not_empty"
    title = "The database is not empty"


@dataclass(frozen=True)
class Parties:
    """The organizations of a sample world, by slug."""

    operator: Organization
    provider: Organization
    tenants: dict[str, Organization]


def make_parties(*, tenants: dict[str, str], now: datetime) -> Parties:
    """Store operator, provider and tenants (slug → name). Raises NotEmpty where organizations exist."""
    with transaction.atomic():
        if Organization.objects.exists():
            raise NotEmpty("expected a database without organizations; use an empty one for a sample world")
        return Parties(
            operator=_organization(settings.OPERATOR_SLUG, "Sample Operator", now, is_operator=True),
            provider=_organization("sample-provider", "Sample Provider", now, is_provider=True),
            tenants={slug: _organization(slug, name, now, is_tenant=True) for slug, name in tenants.items()},
        )


def make_person(*, email: str, name: str, password: str, organizations: Sequence[Organization], now: datetime) -> User:
    """Store a person who owns every one of `organizations`."""
    with transaction.atomic():
        person = User.objects.create_user(email, password, name=name)
        Membership.objects.bulk_create(
            Membership(organization=organization, user=person, role=Role.OWNER, created_at=now)
            for organization in organizations
        )
    return person


def make_cluster(*, provider: Organization, slug: str, name: str, now: datetime) -> Cluster:
    """Store a cluster of the sample provider."""
    return Cluster.objects.create(provider=provider, slug=slug, name=name, country="DE", created_at=now)


def _organization(
    slug: str,
    name: str,
    now: datetime,
    *,
    is_operator: bool = False,
    is_provider: bool = False,
    is_tenant: bool = False,
) -> Organization:
    return Organization.objects.create(
        slug=slug,
        name=name,
        is_operator=is_operator,
        is_provider=is_provider,
        is_tenant=is_tenant,
        country="DE",
        billing_email=f"billing@{slug}.example",
        created_at=now,
    )
