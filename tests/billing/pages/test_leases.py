"""The pages of leases: calendar and list for both sides, and one lease of a tenant with what can be done to it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.lease_ends.letters import reason_words
from billing.leasing import end_lease_early
from billing.models import LeaseEndReason, LeaseEvent, LeaseStep, Quote
from billing.pages.lease_chart import read_days
from billing.pages.leases import quoted_words, step_words
from billing.queries.lease_list import lease_rows
from clusters.models import SliceKind
from tests.billing.pages.let_floor import LetFloor, let_now
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


let = kept(let_now)


def now() -> datetime:
    return datetime.now(UTC)


def words(client: Client, url: str, status: int = 200) -> str:
    """The words of a page, those of its drawings too, without its markup."""
    answer = client.get(url)
    assert answer.status_code == status
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def test_both_sides_see_their_leases_as_calendar_and_as_list(cast: Cast, client: Client, let: LetFloor) -> None:
    for person, area in ((cast.alice, "t"), (cast.petra, "p")):
        client.force_login(person)
        for view in ("", "?view=list"):
            page = client.get(f"/{area}/leases/{view}").content.decode()
            assert f'href="/{area}/leases/{let.long.ref}/"' in page


def test_why_a_lease_ended_stands_on_its_page_for_both_sides(cast: Cast, client: Client, let: LetFloor) -> None:
    assert let.long.to_at is not None
    step = LeaseEvent(
        term=let.long,
        step=LeaseStep.ENDED,
        at=let.long.to_at,
        to_at=let.long.to_at,
        by="sweep",
        recorded_at=now(),
        reason=LeaseEndReason.SLICE_TAKEN,
    )
    step.save()
    for person, area in ((cast.alice, "t"), (cast.petra, "p")):
        client.force_login(person)
        assert "not renewed: a card is booked by somebody else" in words(client, f"/{area}/leases/{let.long.ref}/")


def test_every_reason_of_an_end_has_words() -> None:
    said = [reason_words(reason) for reason in LeaseEndReason]
    assert len({*said, ""}) == len(said) + 1
    assert reason_words("") == ""


@pytest.mark.parametrize(
    ("kind", "profile", "share", "said"),
    [
        (SliceKind.WHOLE, "", None, "2 × H100"),
        (SliceKind.MIG, "1g.10gb", None, "2 × H100 MIG 1g.10gb"),
        (SliceKind.FRACTION, "", 125, "2 × ⅛ × H100"),
        (SliceKind.FRACTION, "", None, "2 × H100 · in parts"),
    ],
)
def test_a_quote_names_the_part_of_a_card(kind: SliceKind, profile: str, share: int | None, said: str) -> None:
    quote = Quote(accelerator_model="NVIDIA H100", kind=kind, profile=profile, share_permille=share, count=2)
    assert quoted_words(quote) == said


def test_the_calendar_moves_and_what_cannot_be_read_is_today(cast: Cast, client: Client, let: LetFloor) -> None:
    client.force_login(cast.alice)
    assert let.long.ref not in words(client, "/t/leases/?from=2001-01-01")
    assert "No lease in these days" in words(client, "/t/leases/?from=2001-01-01")
    for query in ("from=Monday", "days=5", "days=x", "from=0001-01-01", "from=9999-01-01"):
        assert let.long.ref in words(client, f"/t/leases/?{query}")
    assert 'href="/t/leases/?days=28"' in client.get("/t/leases/").content.decode()


def test_without_leases_the_next_step_is_offered_to_those_who_may(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert "Request a lease" in words(client, "/t/leases/")
    client.force_login(cast.bob)
    assert "Request a lease" not in words(client, "/t/leases/")
    client.force_login(cast.petra)
    assert "Nothing is let yet" in words(client, "/p/leases/")


def test_a_tenants_lease_tells_its_terms_and_steps(cast: Cast, client: Client, let: LetFloor) -> None:
    lease = let.long
    client.force_login(cast.alice)
    page = words(client, f"/t/leases/{lease.ref}/")
    assert "Extend to then" in page
    end_lease_early(lease=lease, at=now() + DAY, by="alice", now=now())
    assert "ended early" in words(client, f"/t/leases/{lease.ref}/")
    client.force_login(cast.bob)
    assert "Extend to then" not in words(client, f"/t/leases/{lease.ref}/")
    client.force_login(cast.charlie)
    assert client.get(f"/t/leases/{lease.ref}/").status_code == 404


def test_the_number_of_queries_does_not_grow_with_leases(cast: Cast, let: LetFloor) -> None:
    with CaptureQueriesContext(
        connection,
    ) as many:
        rows = lease_rows(cast.provider, now(), party="provider")
    with CaptureQueriesContext(connection) as one:
        lease_rows(cast.provider, now(), party="provider", ref=rows[0].ref)
    assert len(rows) > 1
    assert len(many) == len(one) <= 6


def test_every_step_has_words() -> None:
    assert len({step_words(step) for step in LeaseStep}) == len(LeaseStep)


def test_many_leases_are_shown_in_pages_with_what_was_charged_for_those(
    cast: Cast, client: Client, let: LetFloor
) -> None:
    rows = lease_rows(cast.provider, now(), party="provider")
    assert any(row.charged for row in rows)
    assert lease_rows(cast.provider, now(), party="provider", among=[]) == []
    client.force_login(cast.petra)
    shown = words(client, "/p/leases/?view=list")
    assert all(row.ref in shown for row in rows)
    assert words(client, "/p/leases/?view=list&page=1") == shown
    assert client.get("/p/leases/?page=x").status_code == 404
    beyond = words(client, "/p/leases/?view=list&page=9")
    assert not any(row.ref in beyond for row in rows)


def test_days_hold_what_shares_an_instant_with_them() -> None:
    days = read_days("2026-03-02", "14", datetime(2026, 3, 5, tzinfo=UTC))
    assert days.hold(days.from_at - DAY, None)
    assert days.hold(days.to_at - DAY, days.to_at + DAY)
    assert not days.hold(days.from_at - DAY, days.from_at)
    assert not days.hold(days.to_at, None)
    assert days.query("list", move=1) == {"view": "list", "from": "2026-03-03"}
