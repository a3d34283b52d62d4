"""What each role may do in its organization: the one table, printed in the docs and tested cell by cell."""

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

_EVERYTHING = frozenset(
    {
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
    Role.ADMIN: _EVERYTHING,
    Role.BILLING: frozenset(
        {
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
    Role.DEVELOPER: frozenset({MANAGE_HOOKS, READ_USAGE, READ_FLEET, READ_PRICES}),
    Role.VIEWER: frozenset({READ_USAGE, READ_INVOICES, READ_FLEET, READ_PRICES, READ_CONTRACTS}),
}


def allows(role: str, permission: str) -> bool:
    """Say whether `role` may do `permission`; an unknown role may do nothing."""
    return role in ROLE_ALLOWS and permission in ROLE_ALLOWS[Role(role)]
