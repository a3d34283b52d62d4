"""A call with an idempotency key makes something once; with another body the key is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.tasks import forget_calls as sweep
from tenants.idempotency import KEPT, Answered, KeyReused, WrongKey, answer_once, forget_calls
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


def test_keys_are_forgotten_when_their_time_is_over_the_oldest_first(cast: Cast) -> None:
    now = datetime.now(UTC)
    for days in range(10):
        IdempotentCall.objects.create(organization=cast.tenant, key=f"k-{days}", sha256="0", at=now - timedelta(days))
    assert forget_calls(now=now, limit=1) == 1
    assert not IdempotentCall.objects.filter(key="k-9").exists()
    assert forget_calls(now=now) == 1
    assert forget_calls(now=now) == 0
    assert IdempotentCall.objects.filter(key="k-7").get().at == now - KEPT
    assert forget_calls(now=now + timedelta(microseconds=1)) == 1
    assert IdempotentCall.objects.count() == 7


def test_the_sweep_forgets_and_the_key_makes_anew(cast: Cast) -> None:
    counter = Counter()
    counter.call(cast.tenant)
    sweep()
    assert counter.call(cast.tenant) == (201, {"made": 1})
    IdempotentCall.objects.update(at=datetime.now(UTC) - KEPT - timedelta(minutes=1))
    sweep()
    assert counter.call(cast.tenant) == (201, {"made": 2})
