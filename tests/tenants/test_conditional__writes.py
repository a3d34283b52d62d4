"""What somebody changed meanwhile is not written over by who says what it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.published import published
from tests.api.test_schema import ids_of
from tests.filled import fill
from tests.kept import kept
from tests.tenants.calling import call, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from tests.factories import Cast
    from tests.filled import Filled

filled = kept(fill)
STALE = '"of-another-time"'
BODY = {"name": "March", "amount": "200.00", "thresholds": [50]}
CHANGED = BODY | {"name": "Spring"}
READ_MIN = 8
"""Addresses that are read and changed, and that something of the filled world stands at."""


def taking() -> Iterator[tuple[str, str]]:
    """Addresses and methods whose document says that they take `If-Match`."""
    for path, methods in published()["paths"].items():
        for method, operation in methods.items():
            if any(one["name"] == "If-Match" for one in operation.get("parameters", [])):
                assert "412" in operation["responses"]
                yield path.removeprefix("/api/v1/"), method


def test_what_is_read_and_changed_at_one_address_takes_it() -> None:
    told = set(taking())
    assert {("budgets/{budget_id}", "put"), ("budgets/{budget_id}", "delete")} <= told
    assert {method for _, method in told} <= {"put", "patch", "delete"}
    both = {path for path, methods in published()["paths"].items() if "get" in methods and "put" in methods}
    assert both == {f"/api/v1/{path}" for path, method in told if method == "put"}


def test_no_change_is_made_of_what_is_another_by_now(cast: Cast, client: Client, filled: Filled) -> None:
    found, secrets = 0, [secret_of(one) for one in (cast.tenant, cast.provider, cast.operator)]
    for template, method in taking():
        address = re.sub(r"{(\w+)}", lambda name: ids_of(filled).get(name[1], cast.tenant.slug), template)
        for secret in secrets:
            read = call(client, secret, "get", address)
            answer = call(client, secret, method, address, **{"If-Match": STALE})
            if read.status_code == 200:
                found += 1
                assert (answer.status_code, answer.json()["code"]) == (412, "changed_meanwhile"), (address, method)
                assert read.headers["ETag"] in answer.json()["detail"]
                assert call(client, secret, "get", address).headers["ETag"] == read.headers["ETag"]
            else:
                assert answer.status_code == read.status_code, (address, method)
    assert found >= READ_MIN


@pytest.mark.django_db
@pytest.mark.parametrize("known", ["{tag}", "W/{tag}", '"x", {tag}', "*"])
def test_who_read_it_last_changes_it(cast: Cast, client: Client, known: str) -> None:
    secret = secret_of(cast.tenant)
    made = call(client, secret, "post", "budgets", BODY, **{"Idempotency-Key": "one"}).json()
    address = f"budgets/{made['id']}"
    tag = call(client, secret, "get", address).headers["ETag"].removeprefix("W/")
    first = call(client, secret, "put", address, CHANGED, **{"If-Match": known.format(tag=tag)})
    assert first.status_code == 200, first.content
    again = call(client, secret, "put", address, CHANGED | {"name": "April"}, **{"If-Match": f"W/{tag}"})
    assert again.status_code == 412
    assert call(client, secret, "get", address).json()["name"] == "Spring"
    assert call(client, secret, "delete", address, **{"If-Match": f"W/{tag}"}).status_code == 412
    assert call(client, secret, "put", address, CHANGED | {"name": "May"}).json()["name"] == "May", (
        "without, the last counts"
    )


def test_what_is_compared_must_be_read_by_the_key(cast: Cast, client: Client, filled: Filled) -> None:
    writing = secret_of(cast.tenant, ["budgets:write"])
    answer = call(client, writing, "delete", f"budgets/{filled.budgets['budget']}", **{"If-Match": "*"})
    assert (answer.status_code, "usage:read" in answer.json()["detail"]) == (403, True)
    stranger = call(
        client, secret_of(cast.outsider), "delete", f"budgets/{filled.budgets['budget']}", **{"If-Match": "*"}
    )
    assert stranger.status_code == 404


@pytest.mark.django_db
def test_what_is_not_read_has_no_tag_to_name(cast: Cast, client: Client) -> None:
    answer: Any = call(client, secret_of(cast.tenant), "put", "projects/shop", {"name": "Shop"}, **{"If-Match": "*"})
    assert (answer.status_code, answer.json()["code"]) == (412, "changed_meanwhile")
    assert "not read" in answer.json()["detail"]
