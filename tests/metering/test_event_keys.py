"""Keys and digests: the same name or content gives the same, another gives another."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings

from metering.event_columns import NOBODY, NUMBERS, Owned, OwnedColumns, instant_us
from metering.event_keys import contents_of, first_contents_of, key_of, keys_of
from tests.examples import examples
from tests.metering.test_event_pack import owned_columns

REPORTER = UUID(int=9)
TENANT = UUID(int=1)
OWNER = Owned("gateway-1", "sample-model", TENANT, NOBODY, "chat")


def one(owner: Owned = OWNER, label: str = "team", at_us: int = 7, **numbers: int) -> OwnedColumns:
    said = {"input": 1, "cached_input": 0, "cache_write": 0, "output": 2, "reasoning": 0, "samples": 1, "aborted": 0}
    row = np.array([[(said | numbers).get(name, 0) for name in NUMBERS]])
    zero = np.zeros(1, dtype=np.int64)
    return OwnedColumns(("e-1",), (owner,), zero, (label,), zero, np.array([at_us]), row)


@settings(max_examples=examples(25))
@given(owned_columns())
def test_many_have_the_keys_that_each_has(events: OwnedColumns) -> None:
    sources = [events.owners[owner].source for owner in events.owner]
    assert keys_of(REPORTER, events) == [
        key_of(REPORTER, source, event_id) for source, event_id in zip(sources, events.ids, strict=True)
    ]
    assert {len(digest) for digest in keys_of(REPORTER, events) + contents_of(events)} == {16}
    each = [contents_of(events.chosen(np.arange(len(events)) == place)) for place in range(len(events))]
    assert [digest for (digest,) in each] == contents_of(events)


def test_every_part_of_a_name_makes_another_key() -> None:
    known = key_of(REPORTER, "gateway-1", "e-1")
    others = [
        key_of(TENANT, "gateway-1", "e-1"),
        key_of(REPORTER, "gateway-", "1e-1"),
        key_of(REPORTER, "e-1", "gateway-1"),
    ]
    assert known not in others
    assert known == hashlib.sha256(REPORTER.bytes + b"gateway-1\0e-1").digest()[:16]


@pytest.mark.parametrize(
    "changed",
    [
        {"owner": OWNER._replace(tenant_id=REPORTER)},
        {"owner": OWNER._replace(named="")},
        {"owner": OWNER._replace(model="other")},
        {"label": ""},
        {"at_us": 8},
        {"input": 2},
        {"cached_input": 1},
        {"cache_write": 1},
        {"output": 1},
        {"reasoning": 1},
        {"samples": 2},
        {"aborted": 1},
        {"images": 1},
        {"steps": 1},
        {"marks": 1},
    ],
    ids=str,
)
def test_every_part_of_the_content_makes_another_digest(changed: dict[str, Any]) -> None:
    assert contents_of(one(**changed)) != contents_of(one())
    assert first_contents_of(one(**changed)) != first_contents_of(one())


def test_what_says_nothing_new_keeps_the_digest_that_it_always_had() -> None:
    """Ids that were stored before events had marks and other quantities are known again."""
    events = one(samples=2, aborted=1)
    said = b"".join(number.to_bytes(8, "little") for number in (7, 1, 0, 0, 2, 0, 2, 1))
    head = TENANT.bytes + b"chat\0sample-model\0" + b"team\0"
    assert contents_of(events) == [hashlib.sha256(head + said).digest()[:16]]


def test_where_it_was_attributed_and_who_says_it_is_no_content() -> None:
    attributed = one(OWNER._replace(deployment_id=REPORTER, source="gateway-2"))
    assert contents_of(attributed) == contents_of(one())


def test_the_digests_of_the_first_releases_are_made_as_they_were() -> None:
    said = f"{TENANT}\0chat\0sample-model\0team\0{instant_us(7).isoformat()}\0(1, 0, 0, 2, 0)"
    assert first_contents_of(one()) == [hashlib.sha256(said.encode()).digest()[:16]]
    more = hashlib.sha256(f"{said}\0{2}\0True".encode()).digest()[:16]
    assert first_contents_of(one(samples=2, aborted=1)) == [more]
