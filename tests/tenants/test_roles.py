"""The table of roles, cell by cell."""

import pytest

from tenants.models import Role
from tenants.roles import PERMISSIONS, READ_USAGE, ROLE_ALLOWS, allows, may_give

# Each line: a permission, and whether owner, admin, billing, developer and viewer have it.
CELLS = """
audit:read            yes yes -   -   -
budgets:manage        yes yes yes -   -
budgets:read          yes yes yes yes yes
contracts:agree       yes yes -   -   -
contracts:read        yes yes yes -   yes
costs:edit            yes yes yes -   -
fleet:read            yes yes -   yes yes
invoices:correct      yes yes yes -   -
invoices:read         yes yes yes -   yes
keys:manage           yes yes -   yes -
leases:manage         yes yes -   -   -
members:manage        yes yes -   -   -
members:read          yes yes yes yes yes
organization:edit     yes yes -   -   -
organizations:manage  yes yes -   -   -
payments:match        yes yes yes -   -
prices:read           yes yes yes yes yes
prices:write          yes yes -   -   -
profile:edit          yes yes yes -   -
projects:manage       yes yes -   yes -
revenue:write         yes yes yes -   -
sign-in:manage        yes -   -   -   -
tenants:invite        yes yes -   -   -
usage:correct         yes yes -   -   -
usage:read            yes yes yes yes yes
webhooks:manage       yes yes -   yes -
"""
ROWS = [line.split() for line in CELLS.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_each_cell(row: list[str]) -> None:
    assert [allows(role, row[0]) for role in Role] == [cell == "yes" for cell in row[1:]]


def test_no_permission_is_without_a_row() -> None:
    assert tuple(row[0] for row in ROWS) == PERMISSIONS


def test_every_role_has_a_row_and_an_unknown_one_may_nothing() -> None:
    assert set(ROLE_ALLOWS) == set(Role)
    assert not allows("emperor", READ_USAGE)
    assert not allows(Role.OWNER, "everything")


# Who gives (down) what (across): owner, admin, billing, developer, viewer.
GIVES = {
    Role.OWNER: (True, True, True, True, True),
    Role.ADMIN: (False, True, True, True, True),
    Role.BILLING: (False,) * 5,
    Role.DEVELOPER: (False,) * 5,
    Role.VIEWER: (False,) * 5,
}


@pytest.mark.parametrize("role", Role)
def test_who_may_give_which_role(role: Role) -> None:
    assert tuple(may_give(role, given) for given in Role) == GIVES[role]
    assert not may_give(role, "emperor")
    assert not may_give("emperor", Role.VIEWER)
