"""A call with an idempotency key makes something once; with another body the key is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tenants.idempotency import Answered, KeyReused, WrongKey, answer_once
from tenants.models import IdempotentCall

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


class Counter:
    """Makes something and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Answered:
        self.made += 1
        return 201, {"made": self.made}

    def call(
        self, organization: Organization, key: str = "k-1", body: bytes = b"{}", address: str = "POST /x"
    ) -> Answered:
        now = datetime.now(UTC)
        return answer_once(organization=organization, key=key, address=address, body=body, now=now, make=self)


def test_the_same_call_is_answered_as_the_first_time(cast: Cast) -> None:
    counter = Counter()
    assert [counter.call(cast.tenant) for _ in range(3)] == [(201, {"made": 1})] * 3
    assert counter.call(cast.outsider) == (201, {"made": 2})
    assert counter.call(cast.tenant, key="") == (201, {"made": 3})
    assert IdempotentCall.objects.count() == 2


@pytest.mark.parametrize("other", [{"body": b"[]"}, {"address": "POST /y"}])
def test_a_key_that_came_with_another_call_is_refused(cast: Cast, other: dict[str, bytes]) -> None:
    counter = Counter()
    counter.call(cast.tenant)
    with pytest.raises(KeyReused, match="another address or body"):
        counter.call(cast.tenant, **other)  # type: ignore[arg-type]  # a body or an address
    assert counter.made == 1


def test_what_failed_may_be_tried_again_with_the_same_key(cast: Cast) -> None:
    def fail() -> Answered:
        raise WrongKey("something else went wrong")

    with pytest.raises(WrongKey):
        answer_once(
            organization=cast.tenant, key="k-1", address="POST /x", body=b"{}", now=datetime.now(UTC), make=fail
        )
    assert Counter().call(cast.tenant) == (201, {"made": 1})


@pytest.mark.parametrize("key", ["x" * 201, "a\nb"])
def test_a_key_that_cannot_be_kept_is_refused(cast: Cast, key: str) -> None:
    with pytest.raises(WrongKey, match="at most 200 printable characters"):
        Counter().call(cast.tenant, key=key)
