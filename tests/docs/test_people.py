"""The page about people says what the code does."""

from __future__ import annotations

from tenants.keys.managing import KEYS_MAX, OVERLAP_MAX
from tenants.members.inviting import OPEN_MAX, VALID
from tenants.members.words import permission_names
from tenants.models import Role
from tenants.organizations.making import WAITING_MAX
from tenants.roles import PERMISSIONS, allows
from tests.docs.pages import code, rows_of, text_of

PAGE = "docs/people.md"


def test_the_table_of_roles_is_that_of_the_code() -> None:
    rows = rows_of(PAGE, "permission", *["lets a member"], *[f"`{role}`" for role in Role])
    assert [code(row[0]) for row in rows] == list(PERMISSIONS)
    for row in rows:
        permission = code(row[0])
        words = permission_names()[permission]
        assert row[1] == words[0].lower() + words[1:]
        assert row[2:] == ["yes" if allows(role, permission) else "–" for role in Role]


def test_the_limits_of_invitations_are_those_of_the_code() -> None:
    text = text_of(PAGE)
    assert f"for {VALID.days} days" in text
    assert f"at most {OPEN_MAX} are open" in text


def test_the_limits_of_keys_and_organizations_are_those_of_the_code() -> None:
    text = " ".join(text_of(PAGE).split())
    assert f"At most {KEYS_MAX} keys are in use" in text
    assert f"an overlap of up to {OVERLAP_MAX.days} days" in text
    assert f"At most {WAITING_MAX} that one maker made wait" in text
