"""The table of roles is the one that the code keeps to, cell by cell."""

from __future__ import annotations

import re

from tenants.models import Role
from tenants.roles import CORRECT_USAGE, EDIT_COSTS, READ_FLEET, READ_INVOICES, READ_USAGE, allows
from tests.docs.pages import ROOT, code, rows_of

PERMISSIONS = (READ_USAGE, READ_INVOICES, READ_FLEET, CORRECT_USAGE, EDIT_COSTS)


def test_the_roles_may_do_what_the_page_says() -> None:
    said = {code(row[0]): row[1:] for row in rows_of("docs/threat-model.md", "role")}
    assert said == {
        role.value: ["yes" if allows(role.value, permission) else "no" for permission in PERMISSIONS] for role in Role
    }


def test_what_holds_each_rule_is_there() -> None:
    named = [one for row in rows_of("docs/threat-model.md", "rule") for one in re.findall(r"`([^`]+)`", row[1])]
    assert len(named) > 30
    for one in named:
        file, _, name = one.partition("::")
        path = ROOT / "tests" / file
        assert path.is_file(), one
        assert not name or f"def {name}(" in path.read_text(encoding="utf-8"), one
