"""Whose a report is: nothing is lost, nobody reports for who is not theirs, what waits is taken once it is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from metering import event_calls
from metering.compat import taking
from metering.compat.models import HeldReport, RejectedSample, SubjectAlias
from metering.compat.reports import Report, Unusable
from metering.compat.taking import (
    HELD_MAX,
    AlreadyTaken,
    HeldFull,
    Taken,
    TenantNotYours,
    count_refused,
    name_subject,
    take_reports,
)
from metering.event_models import EventConflict
from tests.factories import make_deployment
from tests.kept import kept
from tests.metering.compat.callers import counted
from tests.metering.stored import how_many, stored_events

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def report(event_id: str = "r-1", subject: str = "tenant", tokens: int = 10) -> Report:
    return Report("gateway", event_id, NOW - timedelta(minutes=1), subject, "m", (tokens, 0, 0, 5, 0))


def take(reporter: Organization, *items: Report | Unusable, all_or_nothing: bool = False) -> Taken:
    return take_reports(reporter=reporter, input_name="sample", items=items, now=NOW, all_or_nothing=all_or_nothing)


@kept
def provider(cast: Cast) -> Organization:
    make_deployment(cast.provider, cast.tenant)
    return cast.provider


def test_a_tenants_subjects_are_its_own_callers(cast: Cast) -> None:
    assert take(cast.tenant, report(subject="end-user-7"), report("r-2", "")) == Taken(accepted=2)
    assert {(one.tenant_id, one.key) for one in stored_events().values()} == {
        (cast.tenant.id, "end-user-7"),
        (cast.tenant.id, ""),
    }


def test_a_providers_subject_is_a_tenants_slug(cast: Cast, provider: Organization) -> None:
    assert take(provider, report()) == Taken(accepted=1)
    assert [one.tenant_id for one in stored_events().values()] == [cast.tenant.id]


def test_a_subject_that_is_nobodys_waits_whole_and_is_taken_in_once_it_is_named(
    cast: Cast, provider: Organization
) -> None:
    assert take(provider, report(subject="acct-9"), report("r-2")) == Taken(accepted=1, held=1)
    assert take(provider, report(subject="acct-9")) == Taken(duplicates=1)
    assert how_many()[0] == 1
    named = {"reporter": provider, "subject": "acct-9", "tenant": "tenant", "actor": "test", "now": NOW}
    assert name_subject(**named) == (1, 0)  # type: ignore[arg-type]  # the arguments of one call
    assert name_subject(**named) == (0, 0)  # type: ignore[arg-type]
    assert [one.tenant_id for one in stored_events().values()] == [cast.tenant.id] * 2
    assert HeldReport.objects.get().released_at == NOW
    assert take(provider, report("r-3", "acct-9")) == Taken(accepted=1)
    assert take(provider, report(subject="acct-9")) == Taken(duplicates=1)


def test_all_other_subjects_may_have_one_tenant(provider: Organization) -> None:
    take(provider, report(subject="a"), report("r-2", "b"))
    assert name_subject(reporter=provider, subject="*", tenant="tenant", actor="test", now=NOW) == (2, 0)
    assert take(provider, report("r-3", "c")) == Taken(accepted=1)


def test_nobody_reports_for_who_is_not_theirs(provider: Organization, cast: Cast) -> None:
    assert take(provider, report(subject="outsider")) == Taken(held=1)
    with pytest.raises(TenantNotYours):
        name_subject(reporter=provider, subject="x", tenant="outsider", actor="test", now=NOW)
    with pytest.raises(TenantNotYours):
        name_subject(reporter=cast.outsider, subject="x", tenant="tenant", actor="test", now=NOW)
    assert SubjectAlias.objects.count() == 0
    assert name_subject(reporter=cast.outsider, subject="x", tenant="outsider", actor="test", now=NOW) == (0, 0)


def test_an_alias_of_one_reporter_is_nothing_to_another(provider: Organization, cast: Cast) -> None:
    name_subject(reporter=provider, subject="acct-9", tenant="tenant", actor="test", now=NOW)
    assert take(cast.outsider, report(subject="acct-9")) == Taken(held=1)


def test_the_same_id_with_other_content_is_kept_apart(provider: Organization) -> None:
    assert take(provider, report(tokens=1), report(tokens=2)) == Taken(accepted=1, conflicts=1)
    assert [one.numbers["input"] for one in stored_events().values()] == [1]


def test_other_content_under_the_name_of_one_that_waits_is_kept_too(provider: Organization) -> None:
    held = [report(subject="acct-9", tokens=tokens) for tokens in (1, 2, 1)]
    assert take(provider, *held) == Taken(held=1, duplicates=1, conflicts=1)
    assert take(provider, held[0], held[1]) == Taken(duplicates=1, conflicts=1)
    conflict = EventConflict.objects.get()
    assert (conflict.event_id, conflict.content["input"], conflict.content["key"]) == ("r-1", "2", "acct-9")
    name_subject(reporter=provider, subject="acct-9", tenant="tenant", actor="test", now=NOW)
    assert [one.numbers["input"] for one in stored_events().values()] == [1]


def test_all_or_nothing_leaves_nothing(provider: Organization) -> None:
    take(provider, report(), report("h-1", "acct-9"))
    for repeated in (report(), report("h-1", "acct-9")):
        with pytest.raises(AlreadyTaken):
            take(provider, report("r-2"), repeated, all_or_nothing=True)
    assert how_many()[0] == 1
    assert take(provider, report("r-2"), all_or_nothing=True) == Taken(accepted=1)


def test_what_is_no_usage_is_counted_and_a_few_samples_kept(provider: Organization) -> None:
    items = [Unusable("no_tokens", "x" * 900, f"id-{number}\0", "s") for number in range(40)]
    late = Report("gateway", "future", NOW + timedelta(days=1), "tenant", "m", (1, 0, 0, 1, 0))
    assert take(provider, *items, late) == Taken(rejected=41)
    assert counted(provider) == {"sample:rejected:no_tokens": 40, "sample:rejected:time_in_future": 1}
    kept = RejectedSample.objects.filter(code="no_tokens")
    assert 1 <= kept.count() <= 16
    assert all(len(one.sample["detail"]) == 200 for one in kept)
    assert take(provider, *items) == Taken(rejected=40)
    assert RejectedSample.objects.filter(code="no_tokens").count() == kept.count()


def test_more_than_may_wait_is_refused_so_that_the_sender_keeps_it(
    provider: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert HELD_MAX >= 10_000
    monkeypatch.setattr(taking, "HELD_MAX", 1)
    take(provider, report(subject="a"))
    with pytest.raises(HeldFull):
        take(provider, report("r-2", "b"), report("r-3"))
    assert how_many()[0] == 0


def test_a_refused_call_is_counted(provider: Organization) -> None:
    count_refused(reporter=provider, input_name="sample", code="bad", now=NOW)
    assert counted(provider) == {"sample:bad": 1}


def test_outcomes_add_up(provider: Organization) -> None:
    items: list[Report | Unusable] = [
        report(),
        report(),
        report("r-2", "a"),
        Unusable("no_tokens", ""),
        report(tokens=99),
    ]
    outcome = take(provider, *items)
    assert outcome == Taken(accepted=1, duplicates=1, conflicts=1, held=1, rejected=1)
    assert sum(counted(provider).values()) == len(items)


def timeless(event_id: str = "r-1", *, later: int = 0, **told: object) -> Report:
    return replace(report(event_id, **told), occurred_at=NOW + timedelta(seconds=later), timed=False)  # type: ignore[arg-type]  # by name


def test_a_report_without_a_time_is_the_same_when_it_is_sent_again(cast: Cast, provider: Organization) -> None:
    assert take(provider, timeless(), timeless("r-2")) == Taken(accepted=2)
    again = [timeless(later=5), timeless("r-2", later=5, tokens=11), timeless("r-3", later=5)]
    assert take(provider, *again) == Taken(accepted=1, duplicates=1, conflicts=1)
    assert take(provider, report("r-1")) == Taken(conflicts=1)
    assert {one.occurred_at for one in stored_events().values()} == {NOW, NOW + timedelta(seconds=5)}
    assert take(cast.outsider, timeless(later=9, subject="")) == Taken(accepted=1)


def test_a_report_without_a_time_waits_once_and_is_known_after_it_was_taken_in(provider: Organization) -> None:
    assert take(provider, timeless(subject="acct-9")) == Taken(held=1)
    assert take(provider, timeless(subject="acct-9", later=5)) == Taken(duplicates=1)
    assert name_subject(reporter=provider, subject="acct-9", tenant="tenant", actor="test", now=NOW) == (1, 0)
    assert take(provider, timeless(subject="acct-9", later=9)) == Taken(duplicates=1)
    assert EventConflict.objects.count() == 0


def test_so_many_calls_are_looked_at_and_nothing_counts_twice_beyond(
    provider: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_calls, "LOOKED_AT_MAX", 1)
    for name in ("r-1", "r-2"):
        take(provider, timeless(name))
    assert take(provider, timeless("r-1", later=1), timeless("r-2", later=1)) == Taken(duplicates=1, conflicts=1)
    assert len(stored_events()) == 2
