"""The table of roles is the one that the code keeps to, cell by cell."""

from __future__ import annotations

from tenants.models import Role
from tenants.roles import CORRECT_USAGE, EDIT_COSTS, READ_FLEET, READ_INVOICES, READ_USAGE, allows
from tests.docs.pages import code, rows_of

PERMISSIONS = (READ_USAGE, READ_INVOICES, READ_FLEET, CORRECT_USAGE, EDIT_COSTS)


def test_the_roles_may_do_what_the_page_says() -> None:
    said = {code(row[0]): row[1:] for row in rows_of("docs/threat-model.md", "role")}
    assert said == {
        role.value: ["yes" if allows(role.value, permission) else "no" for permission in PERMISSIONS] for role in Role
    }
