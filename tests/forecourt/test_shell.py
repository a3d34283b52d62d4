"""The frame shows where this person can go in this organization's name, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import Client, RequestFactory
from django.urls import resolve
from django.utils import timezone, translation

from forecourt.shell import ITEM_OF_PAGE, shell
from metering.models import RollupCursor
from tenants.models import Membership, Organization, Role, User
from tenants.scoping import choose_organization
from tests.factories import EPOCH, PASSWORD, make_cluster, make_node, make_user
from tests.kept import kept

if TYPE_CHECKING:
    from portal.shell import Shell
    from tests.factories import Cast


def frame(person: User | AnonymousUser, path: str = "/", *, acting: str = "", theme: str = "") -> Shell:
    request = RequestFactory().get(path)
    request.user = person
    request.session = SessionStore()
    request.resolver_match = resolve(path)
    request.COOKIES["theme"] = theme
    if acting:
        choose_organization(request, acting)
    return shell(request)["shell"]


FIRST = ("/p/",)
ENERGY = "/p/energy/"
FLEET = ("/p/fleet/", "/p/occupancy/", "/p/deployments/", "/p/health/", ENERGY, "/p/leases/")
PROVIDER = (
    "/p/witnesses/",
    "/p/tenants/",
    "/p/contracts/",
    "/p/prices/",
    "/p/price-index/",
    "/p/alerts/",
    "/p/margin/",
    "/p/compare/",
    "/p/revenue/",
    "/p/invoices/",
    "/p/drafts/",
    "/p/credit-notes/",
    "/p/disputes/",
    "/p/bank/",
    "/p/balances/",
    "/p/credits/",
    "/p/dunning/",
    "/p/statements/",
    "/p/payouts/",
    "/p/books/",
    "/p/exports/",
    "/p/settings/",
)
READ_BY_DEVELOPERS = ("/p/witnesses/", "/p/prices/", "/p/price-index/", "/p/alerts/")
PRICED = ("/t/prices/", "/t/compare/", "/t/revenue/", "/t/settings/")
TENANT = ("/t/usage/", "/t/projects/", "/t/budgets/")
ALERTED = ("/p/alerts/", *TENANT)
HELD = ("/t/leases/",)
BILLS = (
    "/t/invoices/",
    "/t/card/",
    "/t/credit/",
    "/t/statement/",
    "/t/credit-notes/",
    "/t/disputes/",
    "/t/exports/",
)


WEBHOOKS = {"/p/webhooks/", "/t/webhooks/"}
MEMBERS = {"/p/members/", "/t/members/", "/o/members/"}
SIGN_ON = {f"/{side}/sign-on/" for side in "pto"}
MANAGED = {f"/{side}/{page}/" for side in "pto" for page in ("keys", "audit")}
ABOUT = {f"/{side}/organization/" for side in "pto"} | {"/o/organizations/"}


def links(found: Shell) -> list[str]:
    """The links of a menu, but those to webhooks and members, which other roles have."""
    others = WEBHOOKS | MEMBERS | MANAGED | SIGN_ON | ABOUT
    return [item.url for group in found.navigation for item in group.items if item.url not in others]


@kept
def olga(cast: Cast) -> User:
    return make_user("olga@example.com", cast.operator)


@pytest.mark.parametrize("role", Role)
def test_who_manages_webhooks_sees_them(cast: Cast, role: Role) -> None:
    Membership.objects.filter(user=cast.charlie).update(role=role)
    shown = {item.url for group in frame(cast.charlie).navigation for item in group.items}
    assert shown & WEBHOOKS == (WEBHOOKS if role in (Role.OWNER, Role.ADMIN, Role.DEVELOPER) else set())


@pytest.mark.parametrize("role", Role)
def test_everybody_sees_who_else_is_there_once(cast: Cast, role: Role, olga: User) -> None:
    Membership.objects.update(role=role)
    for person, members in ((cast.alice, "/t/members/"), (cast.charlie, "/p/members/"), (olga, "/o/members/")):
        shown = [item.url for group in frame(person).navigation for item in group.items]
        assert [url for url in shown if url in MEMBERS] == [members]
        managed = {"owner": ["keys", "audit"], "admin": ["keys", "audit"], "developer": ["keys"]}.get(role, [])
        assert [url for url in shown if url in MANAGED] == [members.replace("members", page) for page in managed]


@pytest.mark.parametrize("role", Role)
def test_owners_alone_see_how_people_sign_in(cast: Cast, role: Role) -> None:
    Membership.objects.update(role=role)
    shown = [item.url for group in frame(cast.alice).navigation for item in group.items if item.url in SIGN_ON]
    assert shown == (["/t/sign-on/"] if role == Role.OWNER else [])
    assert frame(cast.alice, "/t/sign-on/").current == "tenant-sign-on"


def test_who_is_not_signed_in_sees_an_empty_frame() -> None:
    found = frame(AnonymousUser(), theme="dark")
    assert (found.person, found.organization, found.navigation, found.freshness) == (None, None, (), None)
    assert (found.theme, found.language) == ("dark", "en")


def test_a_request_without_a_session_has_a_frame_too() -> None:
    assert shell(RequestFactory().get("/"))["shell"].person is None


@pytest.mark.django_db
def test_who_belongs_nowhere_sees_themselves_only() -> None:
    found = frame(User.objects.create_user("new@example.com", PASSWORD, name="New Person"))
    assert found.person is not None
    assert (found.person.name, found.person.email) == ("New Person", "new@example.com")
    assert (found.organization, links(found)) == (None, [])


def test_a_tenant_sees_usage_and_invoices(cast: Cast) -> None:
    found = frame(cast.alice, "/t/usage/")
    assert links(found) == [*TENANT, "/t/witnesses/", "/t/leases/", "/t/contracts/", *BILLS, *PRICED]
    assert (found.area, found.current) == ("tenant", "usage")
    assert found.organization is not None
    assert (found.organization.name, found.organization.kind) == ("Tenant", "Tenant")


def test_a_provider_sees_its_fleet(cast: Cast) -> None:
    found = frame(cast.petra, "/p/occupancy/")
    assert links(found) == [*FIRST, *FLEET, *PROVIDER]
    assert (found.area, found.current) == ("provider", "occupancy")


def test_who_is_both_sees_both_and_the_colour_of_the_page(cast: Cast) -> None:
    assert links(frame(cast.charlie)) == [*FIRST, *FLEET, *PROVIDER, *TENANT, *HELD, *BILLS, *PRICED]
    assert frame(cast.charlie, "/t/usage/").area == "tenant"
    assert frame(cast.charlie, "/p/fleet/").area == "provider"
    assert frame(cast.charlie, "/help/shortcuts/").area == "provider"
    organization = frame(cast.charlie).organization
    assert organization is not None
    assert organization.kind == "Provider · Tenant"


def test_the_operator_sees_the_books_of_all(olga: User) -> None:
    found = frame(olga, "/o/books/")
    assert links(found) == ["/o/", "/o/books/", "/o/reconciliation/", "/o/payouts/", "/o/fees/", "/o/price-index/"]
    assert (found.area, found.current) == ("provider", "operator-books")


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (Role.OWNER, [*FIRST, *FLEET, *PROVIDER, *TENANT, *HELD, *BILLS, *PRICED]),
        (Role.ADMIN, [*FIRST, *FLEET, *PROVIDER, *TENANT, *HELD, *BILLS, *PRICED]),
        (Role.VIEWER, [*FIRST, *FLEET, *PROVIDER, *TENANT, *HELD, *BILLS, *PRICED]),
        (Role.BILLING, [*FIRST, ENERGY, *PROVIDER, *TENANT, *BILLS, *PRICED]),
        (
            Role.DEVELOPER,
            [*FIRST, *FLEET, "/p/witnesses/", "/p/prices/", "/p/price-index/", *ALERTED, *HELD, "/t/prices/"],
        ),
    ],
)
def test_a_role_sees_only_links_that_open(cast: Cast, role: Role, shown: list[str]) -> None:
    Membership.objects.filter(user=cast.charlie).update(role=role)
    assert links(frame(cast.charlie)) == shown
    client = Client()
    client.force_login(cast.charlie)
    assert [client.get(url).status_code for url in shown] == [200] * len(shown)


def test_the_switcher_lists_ones_own_organizations(cast: Cast) -> None:
    Membership.objects.create(organization=cast.provider, user=cast.alice, role=Role.VIEWER, created_at=EPOCH)
    found = frame(cast.alice, acting="tenant")
    assert [(one.name, one.url, one.area, one.current) for one in found.organizations] == [
        ("Provider", "/as/provider/", "provider", False),
        ("Tenant", "/as/tenant/", "tenant", True),
    ]
    assert [one.current for one in frame(cast.alice, acting="provider").organizations] == [True, False]


def test_the_operator_is_called_so(cast: Cast) -> None:
    Membership.objects.create(organization=cast.operator, user=cast.alice, role=Role.OWNER, created_at=EPOCH)
    organization = frame(cast.alice, acting="operator").organization
    assert organization is not None
    assert organization.kind == "Operator"


def metered(provider: Organization, *, minutes_ago: int | None) -> None:
    node = make_node(make_cluster(provider), public_key=b"k" * 32)
    at = None if minutes_ago is None else timezone.now() - timedelta(minutes=minutes_ago)
    RollupCursor.objects.filter(node=node).update(rolled_to_at=at)


@pytest.mark.parametrize(("minutes_ago", "state"), [(1, "fresh"), (600, "late"), (None, "never")])
def test_freshness_is_that_of_the_acting_organization(cast: Cast, minutes_ago: int | None, state: str) -> None:
    metered(cast.provider, minutes_ago=minutes_ago)
    freshness = frame(cast.petra).freshness
    assert freshness is not None
    assert freshness.state == state
    assert (freshness.metered_to is None) == (minutes_ago is None)
    others = frame(cast.charlie).freshness
    assert others is not None
    assert others.state == "never"


def test_the_words_follow_the_language(cast: Cast) -> None:
    with translation.override("zh-hans"):
        assert frame(cast.alice).language == "zh-hans"


def test_every_page_marks_an_item_that_it_offers(cast: Cast) -> None:
    people = (cast.alice, cast.charlie, make_user("olga@example.com", cast.operator))
    keys = {item.key for person in people for group in frame(person).navigation for item in group.items}
    assert set(ITEM_OF_PAGE.values()) == keys
