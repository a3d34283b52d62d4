"""The table of roles, cell by cell."""

import pytest

from tenants.models import Role
from tenants.roles import (
    AGREE_CONTRACTS,
    CORRECT_INVOICES,
    CORRECT_USAGE,
    EDIT_COSTS,
    EDIT_PROFILE,
    MANAGE_HOOKS,
    MANAGE_LEASES,
    READ_CONTRACTS,
    READ_FLEET,
    READ_INVOICES,
    READ_PRICES,
    READ_USAGE,
    ROLE_ALLOWS,
    SET_PRICES,
    STATE_REVENUE,
    allows,
)

PERMISSIONS = (
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
    CORRECT_INVOICES,
    MANAGE_HOOKS,
)
CELLS = {
    Role.OWNER: (True,) * 14,
    Role.ADMIN: (True,) * 14,
    Role.BILLING: (True, True, False, False, True, False, True, False, True, True, False, True, True, False),
    Role.DEVELOPER: (True, False, True, False, True, False, False, False, False, False, False, False, False, True),
    Role.VIEWER: (True, True, True, False, True, False, False, False, False, True, False, False, False, False),
}


@pytest.mark.parametrize("role", Role)
def test_each_cell(role: Role) -> None:
    assert tuple(allows(role, one) for one in PERMISSIONS) == CELLS[role]


def test_every_role_has_a_row_and_an_unknown_one_may_nothing() -> None:
    assert set(ROLE_ALLOWS) == set(Role)
    assert not allows("emperor", READ_USAGE)
    assert not allows(Role.OWNER, "everything")
