"""What every request reads of the person who makes it: one row of theirs, and their memberships.

Django makes its queries anew each time, which took more processor time than all else of a small answer: these are kept
as text. A row becomes the same object that Django's own query gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from tenants.models import Membership, Organization, User

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import Model


def _columns(model: type[Model], table: str) -> str:
    return ", ".join(f'{table}."{field.column}"' for field in model._meta.concrete_fields)


def _names(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


PERSON: Final = f"SELECT {_columns(User, 'person')} FROM tenants_user person WHERE person.id = %s"  # noqa: S608  our own
PERSON_NAMES: Final = _names(User)
MEMBERSHIPS: Final = f"""
    SELECT {_columns(Membership, "held")}, {_columns(Organization, "organization")}
    FROM tenants_membership held JOIN tenants_organization organization ON organization.id = held.organization_id
    WHERE held.user_id = %s ORDER BY organization.name, organization.id
"""  # noqa: S608  the names are our own
MEMBERSHIP_NAMES: Final = _names(Membership)
ORGANIZATION_NAMES: Final = _names(Organization)


def _rows(statement: str, key: UUID) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [key])
        found: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return found


def find_person(person_id: UUID) -> User | None:
    """Return a person, active or not."""
    rows = _rows(PERSON, person_id)
    return User.from_db(connection.alias, PERSON_NAMES, rows[0]) if rows else None


def memberships_of(person: User) -> list[Membership]:
    """Return a person's memberships with their organizations, by organization name."""
    found = []
    split = len(MEMBERSHIP_NAMES)
    for row in _rows(MEMBERSHIPS, person.pk):
        membership = Membership.from_db(connection.alias, MEMBERSHIP_NAMES, row[:split])
        membership.organization = Organization.from_db(connection.alias, ORGANIZATION_NAMES, row[split:])
        membership.user = person
        found.append(membership)
    return found
