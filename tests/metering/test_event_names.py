"""A reporter brings so many new pairs of source and model a day; known pairs go on, and nothing else is lost."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from metering import event_names
from metering.event_names import KnownNames, names_too_many
from metering.models import Meter, Witness
from metering.rollup_events import roll_up_events
from tests.metering.test_events import event, outcome, send

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

DAY = timedelta(days=1)
A, B, C, D = (("gateway", name) for name in "abcd")


@pytest.fixture(autouse=True)
def _three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_names, "NAMES_A_DAY", 3)
    # The process remembers the names of reporters, who are the same in every test.
    monkeypatch.setattr(event_names.known_names, "_known", OrderedDict())


def make_meter(reporter: Organization, name: tuple[str, str]) -> None:
    for quantity in ("input", "output"):
        Meter.objects.create(
            witness=Witness.GATEWAY, reporter=reporter, source=name[0], model=name[1], quantity=quantity
        )


def test_what_is_new_is_counted_whether_it_has_meters_yet_or_not(cast: Cast) -> None:
    known, now = KnownNames(), datetime.now(UTC)

    def over(*names: tuple[str, str], reporter: Organization = cast.tenant, at: datetime = now) -> set[tuple[str, str]]:
        return names_too_many(reporter_id=reporter.id, names=set(names), now=at, known=known)

    make_meter(cast.tenant, A)
    assert over(A, B) == set()
    assert over(D, C) == {D}
    assert over(A, B, C) == set()
    assert over(D) == {D}
    assert over(D, reporter=cast.outsider) == set()
    assert over(D, at=now + DAY + timedelta(minutes=1)) == set()


def test_another_process_goes_by_the_meters(cast: Cast) -> None:
    now = datetime.now(UTC)
    for name in (A, B, C):
        make_meter(cast.tenant, name)
    known = KnownNames()
    assert names_too_many(reporter_id=cast.tenant.id, names={A, D}, now=now, known=known) == {D}
    assert names_too_many(reporter_id=cast.tenant.id, names={D}, now=now + 2 * DAY, known=known) == set()


def test_a_process_remembers_so_many_and_forgets_the_oldest() -> None:
    known, who, now = KnownNames(names_max=2), UUID(int=1), datetime.now(UTC)
    known.add(who, [A], None)
    known.add(who, [B], now)
    known.add(who, [C], now - DAY)
    assert known.unknown(who, {A, B, C}) == {A}
    assert known.unknown(UUID(int=2), {B}) == {B}
    assert known.waiting(who, now) == {B}


def test_events_of_further_names_are_rejected_each_by_itself(cast: Cast) -> None:
    now = datetime.now(UTC)
    occurred_at = (now - timedelta(hours=1)).isoformat()

    def sent(*names: str) -> list[tuple[int, str, str]]:
        events = [event(f"e-{name}", source=name, occurred_at=occurred_at) for name in names]
        return outcome(send(cast.tenant, *events, now=now))[3]

    assert sent("a", "b") == []
    assert sent("d", "a", "c", "e") == [(0, "too_many_names", "source"), (3, "too_many_names", "source")]
    roll_up_events(now=now)
    assert sent("a", "d") == [(1, "too_many_names", "source")]
    assert set(Meter.objects.filter(reporter=cast.tenant).values_list("source", flat=True)) == {"a", "b", "c"}


def test_names_of_an_unknown_tenant_are_not_counted(cast: Cast) -> None:
    now = datetime.now(UTC)
    at = (now - timedelta(hours=1)).isoformat()
    strange = [event(f"s-{number}", source=f"s-{number}", tenant="nobody", occurred_at=at) for number in range(5)]
    taken = outcome(send(cast.tenant, *strange, event("mine", occurred_at=at), now=now))
    assert (taken[0], {code for _, code, _ in taken[3]}) == (1, {"unknown_tenant"})
