"""Fills the frame around every page: who is signed in, as which organization, and where they can go."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from metering.completeness import freshness_in
from portal.shell import (
    THEME_COOKIE,
    Freshness,
    NavGroup,
    NavItem,
    OrganizationChoice,
    Person,
    Shell,
    theme_of,
    without_empty,
)
from portal.shell import Organization as ShownOrganization
from tenants.models import User
from tenants.roles import (
    MANAGE_HOOKS,
    MANAGE_KEYS,
    MANAGE_ORGANIZATIONS,
    MANAGE_SIGN_IN,
    READ_AUDIT,
    READ_BUDGETS,
    READ_CONTRACTS,
    READ_FLEET,
    READ_INVOICES,
    READ_MEMBERS,
    READ_PRICES,
    READ_USAGE,
    allows,
)
from tenants.scoping import acting_membership, memberships_in

if TYPE_CHECKING:
    from django.http import HttpRequest

    from portal.shell import Area
    from tenants.models import Membership, Organization

# The navigation item that a page belongs to, by the page's own name.
ITEM_OF_PAGE = {
    "tenant-usage": "usage",
    "tenant-usage-day": "usage",
    "tenant-budgets": "tenant-budgets",
    "tenant-budget": "tenant-budgets",
    "tenant-budget-new": "tenant-budgets",
    "provider-alerts": "alerts",
    "provider-limit": "alerts",
    "provider-limit-new": "alerts",
    "tenant-usage-key": "usage",
    "tenant-usage-model": "usage",
    "tenant-projects": "tenant-projects",
    "tenant-witnesses": "witnesses",
    "tenant-gaps": "witnesses",
    "tenant-findings": "witnesses",
    "tenant-substitutions": "witnesses",
    "tenant-invoices": "invoices",
    "tenant-invoice": "invoices",
    "tenant-collectives": "invoices",
    "tenant-collective": "invoices",
    "provider-collectives": "provider-invoices",
    "provider-collective": "provider-invoices",
    "tenant-card": "card",
    "tenant-credit": "tenant-credit",
    "tenant-statement": "tenant-statement",
    "tenant-invoice-question": "tenant-disputes",
    **{
        f"{side}-{page}": f"{side}-{item}"
        for side in ("tenant", "provider")
        for page, item in (
            ("disputes", "disputes"),
            ("dispute", "disputes"),
            ("credit-notes", "credit-notes"),
            ("credit-note", "credit-notes"),
        )
    },
    "provider-invoice-correct": "provider-invoices",
    "provider-balances": "provider-balances",
    "provider-credit": "provider-credit",
    "tenant-exports": "tenant-exports",
    "provider-exports": "exports",
    "operator-pipeline": "operator-pipeline",
    "operator-reconciliation": "operator-reconciliation",
    "provider-overview": "overview",
    "provider-fleet": "fleet",
    "provider-cluster": "fleet",
    "provider-node": "fleet",
    "provider-card": "fleet",
    "provider-deployments": "deployments",
    "provider-deployment": "deployments",
    "provider-deployment-new": "deployments",
    "provider-health": "health",
    "provider-witnesses": "witnesses",
    "provider-gaps": "witnesses",
    "provider-findings": "witnesses",
    "provider-substitutions": "witnesses",
    "provider-hour": "witnesses",
    "provider-substitution-new": "witnesses",
    "provider-occupancy": "occupancy",
    "provider-energy": "energy",
    "provider-lease": "leases",
    "provider-leases": "leases",
    "tenant-leases": "tenant-leases",
    "tenant-lease": "tenant-leases",
    "tenant-lease-new": "tenant-leases",
    "tenant-lease-quote": "tenant-leases",
    "provider-prices": "prices",
    "provider-price-version": "prices",
    "provider-price-index": "price-index",
    "provider-price-book-new": "prices",
    "provider-price-draft": "prices",
    "provider-price-announce": "prices",
    "tenant-prices": "tenant-prices",
    "tenant-price-change": "tenant-prices",
    **{
        f"{side}-{page}": item
        for side, item in (("tenant", "tenant-revenue"), ("provider", "revenue"))
        for page in ("revenue", "share-refunds", "share-audits", "share-witnesses")
    },
    "tenant-settings": "tenant-settings",
    "provider-settings": "settings",
    "provider-taxes": "settings",
    "provider-drafts": "drafts",
    "provider-draft": "drafts",
    "tenant-draft": "invoices",
    "provider-statements": "statements",
    "provider-statement": "statements",
    "provider-statement-sources": "statements",
    "provider-payouts": "payouts",
    "operator-payouts": "operator-payouts",
    "provider-compare": "compare",
    "tenant-compare": "tenant-compare",
    **{
        f"{side}-{page}": "contracts"
        for side in ("tenant", "provider")
        for page in ("contracts", "contract", "contract-new", "contract-header", "amendment", "amendment-new")
    },
    **{
        f"{side}-{page}": f"{side}-books"
        for side in ("provider", "operator")
        for page in ("books", "book-account", "book-posting")
    },
    "provider-dunning": "dunning",
    "provider-dunning-case": "dunning",
    "provider-bank": "bank",
    "provider-bank-accounts": "bank",
    "provider-bank-import": "bank",
    "provider-bank-line": "bank",
    **{
        f"{side}-{page}": item
        for side, item in (("tenant", "tenant-webhooks"), ("provider", "webhooks"))
        for page in ("webhooks", "webhook", "webhook-act")
    },
    **{
        f"{side}-{page}": f"{side}-{item}"
        for side in ("tenant", "provider", "operator")
        for page, item in (
            ("members", "members"),
            ("member", "members"),
            ("keys", "keys"),
            ("key", "keys"),
            ("audit", "audit"),
            ("sign-on", "sign-on"),
            ("organization", "organization"),
        )
    },
    "operator-organizations": "operator-organizations",
    "operator-fees": "operator-fees",
    "operator-price-index": "operator-price-index",
    "operator-organization-of": "operator-organizations",
    "provider-tenants": "provider-tenants",
    "provider-tenant": "provider-tenants",
    "provider-invoices": "provider-invoices",
    "provider-invoice": "provider-invoices",
    "provider-margin": "margin",
    "provider-margin-model": "margin",
    "provider-simulate": "margin",
    "provider-simulate-draft": "margin",
    "provider-costs": "margin",
    "provider-cluster-costs": "margin",
}


def shell(request: HttpRequest) -> dict[str, Shell]:
    """Context processor: the frame of this request's page as `shell`."""
    theme = theme_of(request.COOKIES.get(THEME_COOKIE, ""))
    language = translation.get_language() or "en"
    person = getattr(request, "user", None)
    if not isinstance(person, User):
        return {"shell": Shell(theme=theme, language=language)}
    membership = acting_membership(request)
    account = NavItem("account", _("Your account"), reverse("account"), "gear")
    handbook = NavItem("handbook", _("Documentation"), reverse("handbook"), "doc")
    shown = Person(name=person.name, email=person.email, links=(account, handbook))
    if membership is None:
        return {"shell": Shell(person=shown, theme=theme, language=language)}
    page = request.resolver_match.view_name if request.resolver_match else ""
    organization = membership.organization
    kinds = (organization.is_operator, organization.is_provider, organization.is_tenant)
    return {
        "shell": Shell(
            area=_area(page, organization),
            organization=ShownOrganization(organization.name, _kind(organization)),
            organizations=_choices(memberships_in(request), membership),
            navigation=_navigation(kinds, membership.role, language),
            current=ITEM_OF_PAGE.get(page, ""),
            freshness=Freshness(*freshness_in(request, organization)),
            person=shown,
            theme=theme,
            language=language,
        )
    }


def _area(page: str, organization: Organization) -> Area:
    if page.startswith("tenant-"):
        return "tenant"
    if page.startswith(("provider-", "operator-")) or organization.is_provider:
        return "provider"
    return "tenant"


def _kind(organization: Organization) -> str:
    kinds = [
        word
        for holds, word in (
            (organization.is_operator, _("Operator")),
            (organization.is_provider, _("Provider")),
            (organization.is_tenant, _("Tenant")),
        )
        if holds
    ]
    return " · ".join(kinds)


def _choices(memberships: list[Membership], current: Membership) -> tuple[OrganizationChoice, ...]:
    return tuple(
        OrganizationChoice(
            name=one.organization.name,
            kind=_kind(one.organization),
            url=reverse("act-as", args=[one.organization.slug]),
            area="provider" if one.organization.is_provider else "tenant",
            current=one.pk == current.pk,
        )
        for one in memberships
    )


@lru_cache(maxsize=256)
def _navigation(kinds: tuple[bool, bool, bool], role: str, _language: str) -> tuple[NavGroup, ...]:
    """Return the links of a role in an organization that is operator, provider, tenant; made once in each language."""
    is_operator, is_provider, is_tenant = kinds
    groups: list[NavGroup] = []
    if is_operator:
        groups.append(_operator_group(role, alone=not (is_provider or is_tenant)))
    if is_provider:
        groups += _provider_groups(role)
    if is_tenant:
        groups += _tenant_groups(role, alone=not is_provider)
    return without_empty(groups)


def _operator_group(role: str, *, alone: bool) -> NavGroup:
    pipeline = NavItem("operator-pipeline", _("Operation"), reverse("operator-pipeline"), "pulse")
    books = NavItem("operator-books", _("Books of the installation"), reverse("operator-books"), "ledger")
    reconciliation = NavItem(
        "operator-reconciliation", _("Reconciliation"), reverse("operator-reconciliation"), "scale"
    )
    payouts = NavItem("operator-payouts", _("Payouts to providers"), reverse("operator-payouts"), "ledger")
    items = tuple((READ_INVOICES, item) for item in (pipeline, books, reconciliation, payouts))
    return NavGroup(_("Operator"), _open_to(role, (*items, *_installation(), *(_people("operator") if alone else ()))))


def _provider_groups(role: str) -> tuple[NavGroup, ...]:
    first = ((READ_USAGE, NavItem("overview", _("Overview"), reverse("provider-overview"), "home", go="h")),)
    fleet = (
        (READ_FLEET, NavItem("fleet", _("Fleet"), reverse("provider-fleet"), "chip", go="f")),
        (READ_FLEET, NavItem("occupancy", _("Occupancy"), reverse("provider-occupancy"), "cal", go="o")),
        (READ_FLEET, NavItem("deployments", _("Deployments"), reverse("provider-deployments"), "chip")),
        (READ_FLEET, NavItem("health", _("Health"), reverse("provider-health"), "pulse")),
        (READ_USAGE, NavItem("energy", _("Energy"), reverse("provider-energy"), "bolt")),
        (READ_FLEET, NavItem("leases", _("Leases"), reverse("provider-leases"), "key", go="l")),
    )
    metering = ((READ_USAGE, NavItem("witnesses", _("Witnesses"), reverse("provider-witnesses"), "scale", go="w")),)
    selling = (
        (READ_INVOICES, NavItem("provider-tenants", _("Tenants"), reverse("provider-tenants"), "people")),
        (READ_CONTRACTS, NavItem("contracts", _("Contracts"), reverse("provider-contracts"), "sign", go="c")),
        (READ_PRICES, NavItem("prices", _("Prices"), reverse("provider-prices"), "tag", go="p")),
        (READ_PRICES, NavItem("price-index", _("Price index"), reverse("provider-price-index"), "scale")),
        (READ_BUDGETS, NavItem("alerts", _("Alerts"), reverse("provider-alerts"), "bell")),
        (READ_INVOICES, NavItem("margin", _("Margin"), reverse("provider-margin"), "ledger", go="m")),
        (READ_INVOICES, NavItem("compare", _("Bay or pump?"), reverse("provider-compare"), "chart")),
        (READ_INVOICES, NavItem("revenue", _("Token shares"), reverse("provider-revenue"), "doc")),
    )
    money = (
        (READ_INVOICES, NavItem("provider-invoices", _("Invoices"), reverse("provider-invoices"), "doc")),
        (READ_INVOICES, NavItem("drafts", _("Drafts"), reverse("provider-drafts"), "clock", go="d")),
        (READ_INVOICES, NavItem("provider-credit-notes", _("Credit notes"), reverse("provider-credit-notes"), "doc")),
        (READ_INVOICES, NavItem("provider-disputes", _("Questions"), reverse("provider-disputes"), "info")),
        (READ_INVOICES, NavItem("bank", _("Bank"), reverse("provider-bank"), "bank", go="b")),
        (READ_INVOICES, NavItem("provider-balances", _("Balances"), reverse("provider-balances"), "bank")),
        (READ_INVOICES, NavItem("provider-credit", _("Credit and coupons"), reverse("provider-credit"), "tag")),
        (READ_INVOICES, NavItem("dunning", _("Dunning"), reverse("provider-dunning"), "bell")),
        (READ_INVOICES, NavItem("statements", _("Statements"), reverse("provider-statements"), "doc", go="s")),
        (READ_INVOICES, NavItem("payouts", _("Payouts"), reverse("provider-payouts"), "ledger")),
        (READ_INVOICES, NavItem("provider-books", _("Books"), reverse("provider-books"), "ledger")),
        (READ_INVOICES, NavItem("exports", _("Exports"), reverse("provider-exports"), "down")),
    )
    settings = (
        (MANAGE_HOOKS, NavItem("webhooks", _("Webhooks"), reverse("provider-webhooks"), "link")),
        (READ_INVOICES, NavItem("settings", _("Settings"), reverse("provider-settings"), "gear")),
    )
    return (
        NavGroup("", _open_to(role, first)),
        NavGroup(_("Fleet"), _open_to(role, fleet)),
        NavGroup(_("Metering"), _open_to(role, metering)),
        NavGroup(_("Selling"), _open_to(role, selling)),
        NavGroup(_("Money"), _open_to(role, money)),
        NavGroup(_("Organization"), _open_to(role, (*_people("provider"), *settings))),
    )


def _tenant_groups(role: str, *, alone: bool) -> tuple[NavGroup, ...]:
    """The tenant's links; where it is not `alone` the provider's have the keys and the witnesses already."""
    witnesses = NavItem("witnesses", _("Witnesses"), reverse("tenant-witnesses"), "scale", go="w")
    usage = (
        (READ_USAGE, NavItem("usage", _("Usage"), reverse("tenant-usage"), "chart", go="u")),
        (READ_USAGE, NavItem("tenant-projects", _("Keys and projects"), reverse("tenant-projects"), "tag")),
        (READ_BUDGETS, NavItem("tenant-budgets", _("Budgets"), reverse("tenant-budgets"), "flag")),
        *(((READ_USAGE, witnesses),) if alone else ()),
        (READ_FLEET, NavItem("tenant-leases", _("Leases"), reverse("tenant-leases"), "key", go="l" if alone else "")),
    )
    contracts = NavItem("contracts", _("Contracts"), reverse("tenant-contracts"), "sign", go="c")
    bills = (
        *(((READ_CONTRACTS, contracts),) if alone else ()),
        (READ_INVOICES, NavItem("invoices", _("Invoices"), reverse("tenant-invoices"), "doc", go="i")),
        (READ_INVOICES, NavItem("card", pgettext("payment", "Card"), reverse("tenant-card"), "key")),
        (READ_INVOICES, NavItem("tenant-credit", _("Prepaid credit"), reverse("tenant-credit"), "bank")),
        (READ_INVOICES, NavItem("tenant-statement", _("Account"), reverse("tenant-statement"), "ledger")),
        (READ_INVOICES, NavItem("tenant-credit-notes", _("Credit notes"), reverse("tenant-credit-notes"), "doc")),
        (READ_INVOICES, NavItem("tenant-disputes", _("Questions"), reverse("tenant-disputes"), "info")),
        (READ_INVOICES, NavItem("tenant-exports", _("Exports"), reverse("tenant-exports"), "down")),
        (READ_PRICES, NavItem("tenant-prices", _("Prices"), reverse("tenant-prices"), "tag", go="p" if alone else "")),
        (READ_INVOICES, NavItem("tenant-compare", _("Bay or pump?"), reverse("tenant-compare"), "chart")),
        (READ_INVOICES, NavItem("tenant-revenue", _("Token shares"), reverse("tenant-revenue"), "doc")),
    )
    settings = (
        *(_people("tenant") if alone else ()),
        (MANAGE_HOOKS, NavItem("tenant-webhooks", _("Webhooks"), reverse("tenant-webhooks"), "link")),
        (READ_INVOICES, NavItem("tenant-settings", _("Settings"), reverse("tenant-settings"), "gear")),
    )
    return (
        NavGroup(_("Consumption"), _open_to(role, usage)),
        NavGroup(_("Billing"), _open_to(role, bills if alone else (*bills, *settings))),
        NavGroup(_("Organization"), _open_to(role, settings if alone else ())),
    )


def _installation() -> tuple[tuple[str, NavItem], ...]:
    made = NavItem("operator-organizations", _("Organizations"), reverse("operator-organizations"), "people")
    fees = NavItem("operator-fees", _("Fees"), reverse("operator-fees"), "tag")
    public = NavItem("operator-price-index", _("Public prices"), reverse("operator-price-index"), "scale")
    return tuple((MANAGE_ORGANIZATIONS, item) for item in (made, fees, public))


def _people(side: str) -> tuple[tuple[str, NavItem], ...]:
    """The links to who and what acts for the organization."""
    return (
        (READ_MEMBERS, NavItem(f"{side}-members", _("Members"), reverse(f"{side}-members"), "people")),
        (MANAGE_KEYS, NavItem(f"{side}-keys", _("API keys"), reverse(f"{side}-keys"), "key")),
        (READ_MEMBERS, NavItem(f"{side}-organization", _("About it"), reverse(f"{side}-organization"), "home")),
        (READ_AUDIT, NavItem(f"{side}-audit", _("Audit log"), reverse(f"{side}-audit"), "search")),
        (MANAGE_SIGN_IN, NavItem(f"{side}-sign-on", _("Sign-in"), reverse(f"{side}-sign-on"), "shield")),
    )


def _open_to(role: str, items: tuple[tuple[str, NavItem], ...]) -> tuple[NavItem, ...]:
    """The links that a role may follow."""
    return tuple(item for permission, item in items if allows(role, permission))
