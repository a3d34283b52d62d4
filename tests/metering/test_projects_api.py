"""Keys and projects over HTTP: a program can do what the page does, and finds its own alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from metering.key_models import Project, ProjectKey, UsageKey
from tenants.api_keys import issue_key
from tenants.models import AuditEntry
from tests.kept import kept
from tests.metering.fleet import NOON

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


class Program:
    """A program of an organization, with the scopes that keys and projects take."""

    def __init__(self, organization: Organization, *scopes: str) -> None:
        issued = issue_key(
            organization=organization,
            name="sample",
            scopes=scopes or ("usage:read", "projects:write"),
            actor="test",
            now=timezone.now(),
        )
        self.headers = {"Authorization": f"Bearer {issued.secret}"}
        self.name = f"key {issued.key.prefix}"

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        given = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(Client(), method)(f"/api/v1/{path}", **given, headers={**self.headers, **headers})


@kept
def web(cast: Cast) -> UsageKey:
    return UsageKey.objects.create(tenant=cast.tenant, label="web", first_counted_at=NOON)


@pytest.fixture
def program(cast: Cast) -> Program:
    return Program(cast.tenant)


def test_a_project_is_made_once_listed_and_renamed(cast: Cast, program: Program) -> None:
    made = program.call("post", "projects", {"name": "Search"}, **{"Idempotency-Key": "one"})
    again = program.call("post", "projects", {"name": "Search"}, **{"Idempotency-Key": "one"})
    assert (made.status_code, again.status_code) == (201, 201)
    assert made.json() == again.json()
    assert (made.json()["slug"], Project.objects.count()) == ("search", 1)
    other = program.call("post", "projects", {"name": "Agents"}).json()
    assert [one["slug"] for one in program.call("get", "projects").json()["projects"]] == ["search", other["slug"]]
    first = program.call("get", "projects?limit=1").json()
    assert first["next_cursor"]
    rest = program.call("get", f"projects?limit=1&cursor={first['next_cursor']}").json()
    assert ([one["slug"] for one in rest["projects"]], rest["next_cursor"]) == (["agents"], None)
    renamed = program.call("put", "projects/search", {"name": "Finding"}).json()
    assert (renamed["slug"], renamed["name"]) == ("search", "Finding")
    assert set(AuditEntry.objects.filter(action__startswith="project.").values_list("actor", flat=True)) == {
        program.name
    }


def test_a_key_is_put_into_a_project_and_marked(cast: Cast, program: Program, web: UsageKey) -> None:
    program.call("post", "projects", {"name": "Search"})
    from_at = NOON - timedelta(days=3)
    answer = program.call("patch", f"usage/keys/{web.id}", {"project": "search", "from_at": from_at.isoformat()})
    assert (answer.status_code, answer.json()["project"], answer.json()["key"]) == (200, "search", "web")
    assert ProjectKey.objects.get().from_at == from_at
    assert program.call("patch", f"usage/keys/{web.id}", {"deleted": True}).json()["deleted_at"]
    gone = program.call("patch", f"usage/keys/{web.id}", {"project": "", "deleted": False}).json()
    assert (gone["project"], gone["deleted_at"]) == (None, None)
    assert program.call("patch", f"usage/keys/{web.id}", {}).json() == gone


def test_keys_are_listed_looked_for_and_given_as_a_file(cast: Cast, program: Program, web: UsageKey) -> None:
    UsageKey.objects.create(tenant=cast.tenant, label="night", first_counted_at=NOON)
    found = program.call("get", "usage/keys").json()["keys"]
    assert [(one["key"], one["project"], one["last_used_at"]) for one in found] == [
        ("night", None, None),
        ("web", None, None),
    ]
    assert [one["id"] for one in program.call("get", "usage/keys?q=WE").json()["keys"]] == [str(web.id)]
    file = program.call("get", "usage/keys?q=we", Accept="text/csv")
    text = b"".join(file.streaming_content).decode()
    assert text.splitlines()[0].startswith("id,key,project")
    assert "night" not in text


@pytest.mark.parametrize(
    ("call", "body", "refused"),
    [
        (("post", "projects"), {}, (422, "wrong_project")),
        (("post", "projects"), {"name": "x" * 101}, (422, "wrong_project")),
        (("put", "projects/none"), {"name": "Finding"}, (404, "unknown_key")),
        (("patch", "usage/keys/{web}"), {"project": "none"}, (404, "unknown_key")),
        (("patch", "usage/keys/{web}"), {"from_at": "yesterday"}, (422, "wrong_project")),
        (("patch", "usage/keys/00000000-0000-0000-0000-000000000009"), {}, (404, "unknown_key")),
    ],
)
def test_what_cannot_be_is_refused(
    program: Program, web: UsageKey, call: tuple[str, str], body: dict[str, Any], refused: tuple[int, str]
) -> None:
    answer = program.call(call[0], call[1].format(web=web.id), body)
    assert (answer.status_code, answer.json()["code"]) == refused


def test_scopes_are_needed_and_others_find_nothing(cast: Cast, web: UsageKey) -> None:
    reader, outsider = Program(cast.tenant, "usage:read"), Program(cast.outsider)
    assert reader.call("post", "projects", {"name": "Search"}).status_code == 403
    assert reader.call("patch", f"usage/keys/{web.id}", {"deleted": True}).status_code == 403
    assert Program(cast.tenant, "projects:write").call("get", "usage/keys").status_code == 403
    assert outsider.call("get", "usage/keys").json()["keys"] == []
    assert outsider.call("patch", f"usage/keys/{web.id}", {"deleted": True}).status_code == 404
    assert not UsageKey.objects.filter(deleted_at__isnull=False).exists()
