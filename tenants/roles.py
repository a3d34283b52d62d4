"""What each role may do in its organization: the one table, printed in the docs and tested cell by cell."""

from django.core.exceptions import PermissionDenied

from tenants.models import Role

READ_USAGE = "usage:read"
READ_INVOICES = "invoices:read"
READ_FLEET = "fleet:read"
CORRECT_USAGE = "usage:correct"
"""Propose a value in the place of what was metered, and decide what another person proposed."""
EDIT_COSTS = "costs:edit"
"""Say what the provider's clusters cost."""

READ_PRICES = "prices:read"
SET_PRICES = "prices:write"
"""Write drafts of price lists, publish and announce them."""

MANAGE_LEASES = "leases:manage"
"""Ask for prices of leases, reserve, extend and end them."""

STATE_REVENUE = "revenue:write"
"""Certify what was earned, where a share is taken of it."""

READ_CONTRACTS = "contracts:read"
AGREE_CONTRACTS = "contracts:agree"
"""Draft and offer contracts and amendments, and accept them in the organization's name."""

MATCH_PAYMENTS = "payments:match"
"""Take in bank statements, and say what movements were."""

EDIT_PROFILE = "profile:edit"
"""Say how the organization stands on bills, and how its supplies are taxed."""

CORRECT_INVOICES = "invoices:correct"
"""Question what was billed, as a tenant; credit, write off, pay out and answer, as a provider."""

MANAGE_HOOKS = "webhooks:manage"
"""Say which programs are told what happens, and read what was sent to them."""

MANAGE_PROJECTS = "projects:manage"
"""Group the tenant's usage keys into projects, and mark keys as deleted."""

READ_MEMBERS = "members:read"
"""See who else is a member, and in which role."""
MANAGE_MEMBERS = "members:manage"
"""Invite people, give them roles and take them out; who gives or takes the role of an owner must be one."""

MANAGE_KEYS = "keys:manage"
"""Make, rotate and revoke API keys, with no more in them than the own role may do."""

READ_AUDIT = "audit:read"
"""Read who did what."""

READ_BUDGETS = "budgets:read"
MANAGE_BUDGETS = "budgets:manage"
"""Set budgets and alerts, and say what they stop."""

MANAGE_SIGN_IN = "sign-in:manage"
"""Say how members sign in: single sign-on, and whether a second factor is required."""

EDIT_ORGANIZATION = "organization:edit"
"""Change the organization's name, country, time zone and address for letters."""

INVITE_TENANTS = "tenants:invite"
"""Make an organization for a new tenant of the provider, and invite its owner."""

MANAGE_ORGANIZATIONS = "organizations:manage"
"""As the operator: make organizations, set their fee, keep them out."""

_EVERYTHING = frozenset(
    {
        MANAGE_PROJECTS,
        READ_MEMBERS,
        MANAGE_MEMBERS,
        MANAGE_KEYS,
        READ_AUDIT,
        READ_BUDGETS,
        MANAGE_BUDGETS,
        MANAGE_SIGN_IN,
        EDIT_ORGANIZATION,
        INVITE_TENANTS,
        MANAGE_ORGANIZATIONS,
        READ_USAGE,
        READ_INVOICES,
        READ_FLEET,
        CORRECT_USAGE,
        READ_PRICES,
        SET_PRICES,
        EDIT_COSTS,
        MANAGE_LEASES,
        STATE_REVENUE,
        READ_CONTRACTS,
        AGREE_CONTRACTS,
        EDIT_PROFILE,
        MATCH_PAYMENTS,
        CORRECT_INVOICES,
        MANAGE_HOOKS,
    }
)

ROLE_ALLOWS: dict[Role, frozenset[str]] = {
    Role.OWNER: _EVERYTHING,
    Role.ADMIN: _EVERYTHING - {MANAGE_SIGN_IN},
    Role.BILLING: frozenset(
        {
            READ_MEMBERS,
            READ_BUDGETS,
            MANAGE_BUDGETS,
            READ_USAGE,
            READ_INVOICES,
            READ_PRICES,
            EDIT_COSTS,
            STATE_REVENUE,
            READ_CONTRACTS,
            EDIT_PROFILE,
            MATCH_PAYMENTS,
            CORRECT_INVOICES,
        }
    ),
    Role.DEVELOPER: frozenset(
        {READ_MEMBERS, READ_BUDGETS, MANAGE_HOOKS, MANAGE_KEYS, MANAGE_PROJECTS, READ_USAGE, READ_FLEET, READ_PRICES}
    ),
    Role.VIEWER: frozenset(
        {READ_MEMBERS, READ_BUDGETS, READ_USAGE, READ_INVOICES, READ_FLEET, READ_PRICES, READ_CONTRACTS}
    ),
}


PERMISSIONS: tuple[str, ...] = tuple(sorted(_EVERYTHING))
"""Every permission there is, in the order of the table in the docs."""


def allows(role: str, permission: str) -> bool:
    """Say whether `role` may do `permission`; an unknown role may do nothing."""
    return role in ROLE_ALLOWS and permission in ROLE_ALLOWS[Role(role)]


def roles_that(permission: str) -> tuple[Role, ...]:
    """The roles that may do `permission`, the mightiest first; none for what is no permission."""
    return tuple(role for role in Role if permission in ROLE_ALLOWS[role])


class NotAllowed(PermissionDenied):
    """A member's role lacks `permission`: a page that says which roles have it, and who can give one."""

    def __init__(self, permission: str) -> None:
        super().__init__(permission)
        self.permission = permission


def may_give(role: str, given: str) -> bool:
    """Say whether who has `role` may give the role `given`, or take it away: that of an owner only an owner may."""
    return allows(role, MANAGE_MEMBERS) and given in ROLE_ALLOWS and (given != Role.OWNER or role == Role.OWNER)
