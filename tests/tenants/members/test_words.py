"""Every role and permission has words, and the page's table is the one that the code goes by."""

from tenants.members.words import permission_names, permission_rows, role_lines, role_names
from tenants.models import Role
from tenants.roles import PERMISSIONS, allows


def test_every_role_and_permission_has_words_of_its_own() -> None:
    assert list(role_names()) == list(role_lines()) == list(Role)
    assert set(permission_names()) == set(PERMISSIONS)
    assert len(set(permission_names().values())) == len(PERMISSIONS)


def test_the_rows_say_what_the_table_says() -> None:
    names = {name: permission for permission, name in permission_names().items()}
    for name, held in permission_rows():
        assert held == [allows(role, names[name]) for role in Role]
