"""The sample tenants' budgets and projects: set as people set them, and shown on their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.models import Budget
from forecourt.demo.limits import MONTHLY_USD, PROJECTS, set_sample_limits
from forecourt.demo.seeding import TENANTS
from metering.key_models import Project
from tenants.models import AuditEntry
from tests.factories import EPOCH, make_organization, make_user
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization

pytestmark = pytest.mark.django_db


@kept
def tenants() -> dict[str, Organization]:
    made = {slug: make_organization(slug) for slug in TENANTS}
    set_sample_limits(made, now=EPOCH)
    return made


def test_every_sample_tenant_has_a_budget_for_its_month(tenants: dict[str, Organization]) -> None:
    found = dict(Budget.objects.filter(per="month").values_list("organization__slug", "amount"))
    assert found == MONTHLY_USD
    assert set(found) == set(TENANTS)
    assert not Budget.objects.filter(stops=True).exists(), "nothing of the sample is stopped"


def test_each_is_in_the_audit_log_of_its_tenant(tenants: dict[str, Organization]) -> None:
    for tenant in tenants.values():
        made = AuditEntry.objects.filter(organization=tenant, action="budget.made")
        assert made.count() == Budget.objects.filter(organization=tenant).count()


def test_projects_are_there_to_put_keys_into(tenants: dict[str, Organization]) -> None:
    for slug, names in PROJECTS.items():
        assert sorted(Project.objects.filter(tenant=tenants[slug]).values_list("name", flat=True)) == sorted(names)


def test_their_pages_are_not_empty(tenants: dict[str, Organization], client: Client) -> None:
    client.force_login(make_user("chat@sample.example", tenants["sample-chat"]))
    page = client.get("/t/budgets/").content.decode()
    assert "Tokens of a day" in page
    assert "$25,000.00" in page
    assert "Assistant" in client.get("/t/projects/").content.decode()
