"""Reading back what was reported: stored and waiting reports together, the newest first, each reporter its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from metering.compat.listing import WAITING, known_ids, list_reported
from metering.compat.models import HeldReport
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON
from tests.metering.stored import store_event

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

MINUTE = timedelta(minutes=1)


def hold(reporter: Organization, minutes: int, event_id: str = "held", subject: str = "somebody") -> HeldReport:
    return HeldReport.objects.create(
        reporter=reporter,
        input="cloudevents",
        source="sample",
        event_id=event_id,
        subject=subject,
        model=MODEL,
        occurred_at=NOON + minutes * MINUTE,
        counts=[7, 1, 0, 3, 2],
        received_at=NOON,
    )


@kept
def reporter(cast: Cast) -> Organization:
    """A tenant with events a, b and c two minutes apart, and a report that waits between a and b."""
    for minutes, name in enumerate("abc"):
        store_event(cast.tenant, NOON + 2 * minutes * MINUTE, model=MODEL, event_id=name)
    hold(cast.tenant, 1)
    return cast.tenant


def ids(reporter: Organization, limit: int = 10, **asked: object) -> list[str]:
    return [one.event_id for one in list_reported(reporter=reporter, limit=limit, **asked)]  # type: ignore[arg-type]  # by name


def test_stored_and_waiting_reports_come_together_the_newest_first(reporter: Organization) -> None:
    assert ids(reporter) == ["c", "b", "held", "a"]
    assert ids(reporter, 3) == ["c", "b", "held"]


def test_the_span_holds_its_beginning_and_not_its_end(reporter: Organization) -> None:
    assert ids(reporter, from_at=NOON + MINUTE, to_at=NOON + 4 * MINUTE) == ["b", "held"]
    assert ids(reporter, to_at=NOON) == []


def test_what_waits_says_why_and_what_counts_does_not(reporter: Organization) -> None:
    found = {one.event_id: one for one in list_reported(reporter=reporter, limit=10)}
    assert (found["held"].fault, found["held"].subject) == (WAITING, "somebody")
    assert list(found["held"].tokens.values()) == [7, 1, 0, 3, 2]
    assert (found["a"].fault, found["a"].subject, found["a"].model) == ("", reporter.slug, MODEL)
    assert (found["a"].tokens["input_tokens"], found["a"].tokens["output_tokens"]) == (10, 1)
    assert found["a"].tokens.keys() == found["held"].tokens.keys()


def test_a_report_that_was_released_waits_no_more(reporter: Organization) -> None:
    HeldReport.objects.update(released_at=NOON)
    assert ids(reporter) == ["c", "b", "a"]


def test_reports_are_found_by_subject_id_and_source(reporter: Organization) -> None:
    assert ids(reporter, subject="somebody") == ["held"]
    assert ids(reporter, subject=reporter.slug) == ["c", "b", "a"]
    assert ids(reporter, event_id="b") == ["b"]
    assert ids(reporter, source="other") == []
    assert ids(reporter, event_id="b", source="sample") == ["b"]
    assert ids(reporter, event_id="held", source="sample") == ["held"]


def test_an_event_found_by_its_key_is_held_to_what_else_is_asked(reporter: Organization) -> None:
    key: dict[str, Any] = {"event_id": "b", "source": "sample"}
    at = NOON + 2 * MINUTE
    assert ids(reporter, **key, from_at=at, to_at=at + MINUTE) == ["b"]
    assert ids(reporter, **key, to_at=at) == []
    assert ids(reporter, **key, from_at=at + MINUTE) == []
    assert ids(reporter, **key, subject="somebody") == []


def test_nobody_reads_what_another_reported(reporter: Organization, cast: Cast) -> None:
    assert ids(cast.outsider) == []
    assert ids(cast.outsider, event_id="b", source="sample") == []
    assert known_ids(reporter=cast.outsider, source="sample", event_ids=["a", "held"]) == set()


def test_ids_are_known_within_their_source_waiting_or_not(reporter: Organization) -> None:
    asked = ["a", "held", "never"]
    assert known_ids(reporter=reporter, source="sample", event_ids=asked) == {"a", "held"}
    assert known_ids(reporter=reporter, source="other", event_ids=asked) == set()
