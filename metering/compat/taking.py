"""Taking other people's reports in: whose they are is found, then they are usage events like all others.

1. A subject is a tenant by the reporter's alias for it, or a tenant's slug. A tenant that reports for itself alone
   needs neither: every subject is its own caller, kept as the event's label.
2. `metering.events.accept_events` decides what is new, a duplicate or a conflict.
3. A report whose subject is nobody the reporter may report for is held, whole, until the subject is named. What is
   no usage is counted by its reason, with samples. Nothing is lost silently.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from django.db import transaction

from metering.compat.models import HeldReport, RejectedSample, SubjectAlias
from metering.compat.reports import Report, Unusable
from metering.event_calls import instants_of
from metering.event_items import COUNT_FIELDS, Event, EventItem, Rejected, check_item
from metering.event_models import EventConflict
from metering.events import accept_events
from metering.ingest_counts import Kind, count_outcomes
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

HELD_MAX: Final = 100_000
"""Reports of one reporter that may wait for a name; more are refused, so that the sender keeps them."""
RELEASE_MAX: Final = 10_000
SAMPLE_SLOTS: Final = 16
ALL_OTHERS: Final = "*"
LABEL_CHARS_MAX: Final = 200


class HeldFull(Problem):
    """Too many reports wait for their subjects to be named."""

    status = 503
    code = "held_full"
    title = "Too many reports wait for a tenant"


class TenantNotYours(Problem):
    """The organization may not report for such a tenant."""

    status = 404
    code = "tenant_not_found"
    title = "There is no such tenant"


class AlreadyTaken(Problem):
    """An item of a call that is taken whole or not at all was there already."""

    status = 422
    code = "value_already_exist"
    title = "An event with this id was taken before"


@dataclass(frozen=True, slots=True)
class Taken:
    """The outcomes of a call's items; they add up to what was sent."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    held: int = 0
    rejected: int = 0


def take_reports(
    *,
    reporter: Organization,
    input_name: str,
    items: Sequence[Report | Unusable],
    now: datetime,
    all_or_nothing: bool = False,
) -> Taken:
    """Take in the items of one call. With `all_or_nothing` a repeated item refuses all: AlreadyTaken.

    Raises HeldFull.
    """
    with transaction.atomic():
        reports = _as_first_told(reporter, [item for item in items if isinstance(item, Report)])
        unusable = [item for item in items if isinstance(item, Unusable)]
        events, rejected = _events(reporter, reports, now)
        taken = accept_events(reporter=reporter, events=events, rejected=rejected, now=now)
        if all_or_nothing and (taken.duplicates or taken.conflicts):
            raise AlreadyTaken("An event of the call was taken before; nothing of it is stored.")
        homeless = [one.index for one in taken.rejected if _is_homeless(one)]
        held, otherwise = _hold(reporter, input_name, [reports[index] for index in homeless], now)
        if all_or_nothing and held < len(homeless):
            raise AlreadyTaken("An event of the call waits for its tenant; nothing of it is stored again.")
        unusable += [_unusable(reports[one.index], one) for one in taken.rejected if not _is_homeless(one)]
        _keep_samples(reporter, input_name, unusable, now)
        outcome = Taken(
            taken.accepted,
            taken.duplicates + len(homeless) - held - otherwise,
            taken.conflicts + otherwise,
            held,
            len(unusable),
        )
        _count(reporter, input_name, outcome, unusable, now)
    return outcome


def name_subject(*, reporter: Organization, subject: str, tenant: str, actor: str, now: datetime) -> tuple[int, int]:
    """Say which tenant a subject stands for from now on, and take in what was held for it.

    Returns how many reports were released and how many are left (call again). What was taken in before stays as it
    is. Raises TenantNotYours.
    """
    with transaction.atomic():
        owner = _may_report_for(reporter, tenant)
        SubjectAlias.objects.update_or_create(
            reporter=reporter,
            subject=subject,
            defaults={"tenant": owner},
            create_defaults={"tenant": owner, "created_at": now},
        )
        AuditEntry.objects.create(
            organization=reporter,
            actor=actor,
            action="subject.named",
            subject=subject[:200],
            after={"tenant": tenant},
            at=now,
        )
        waiting = HeldReport.objects.filter(reporter=reporter, released_at=None)
        if subject != ALL_OTHERS:
            waiting = waiting.filter(subject=subject)
        held = list(waiting.select_for_update(skip_locked=True).order_by("id")[:RELEASE_MAX])
        reports = [
            Report(one.source, one.event_id, one.occurred_at, one.subject, one.model, tuple(one.counts)) for one in held
        ]
        events, rejected = _events(reporter, reports, now)
        taken = accept_events(reporter=reporter, events=events, rejected=rejected, now=now)
        stay = {one.index for one in taken.rejected}
        released = [one.id for index, one in enumerate(held) if index not in stay]
        HeldReport.objects.filter(id__in=released).update(released_at=now)
        left = waiting.count()
    return len(released), left


def count_refused(*, reporter: Organization, input_name: str, code: str, now: datetime) -> None:
    """Count a call that was refused as a whole, in a transaction of its own."""
    with transaction.atomic():
        count_outcomes(reporter=str(reporter.id), counts={("compat", f"{input_name}:{code}"): 1}, now=now)


def may_name_others(reporter: Organization) -> bool:
    """Whether the subjects of a reporter are tenants; else it is a tenant and all it reports is its own."""
    return reporter.is_provider or reporter.is_operator or not reporter.is_tenant


def _events(reporter: Organization, reports: Sequence[Report], now: datetime) -> tuple[list[Event], list[Rejected]]:
    """Turn reports into events with their tenants' slugs; the index of each is its place in `reports`."""
    names_others = may_name_others(reporter)
    aliases: dict[str, str] = {}
    if names_others:
        subjects = {report.subject for report in reports} | {ALL_OTHERS}
        rows = SubjectAlias.objects.filter(reporter=reporter, subject__in=subjects)
        aliases = dict(rows.values_list("subject", "tenant__slug"))
    events: list[Event] = []
    rejected: list[Rejected] = []
    for index, report in enumerate(reports):
        tenant = reporter.slug
        if names_others:
            tenant = aliases.get(report.subject) or _slug_of(report.subject, aliases)
        checked = check_item(index, _item(report, tenant, names_others=names_others), now)
        if isinstance(checked, Event):
            events.append(checked)
        else:
            rejected.append(checked)
    return events, rejected


def _as_first_told(reporter: Organization, reports: list[Report]) -> list[Report]:
    """Give each report without a time the one that it got when it first came: sent again it says the same."""
    names = {(report.source, report.event_id) for report in reports if not report.timed}
    if not names:
        return reports
    sources, ids = ({name[place] for name in names} for place in (0, 1))
    held = HeldReport.objects.filter(reporter=reporter, source__in=sources, event_id__in=ids)
    known = {(source, event_id): at for source, event_id, at in held.values_list("source", "event_id", "occurred_at")}
    known |= instants_of(reporter_id=reporter.id, names=names)
    return [
        report if report.timed else replace(report, occurred_at=known.get(name, report.occurred_at))
        for report in reports
        for name in [(report.source, report.event_id)]
    ]


def _slug_of(subject: str, aliases: dict[str, str]) -> str:
    return aliases.get(ALL_OTHERS) or subject


def _item(report: Report, tenant: str, *, names_others: bool) -> EventItem:
    tokens, cached, cache_write, output, reasoning = report.counts
    return EventItem(
        id=report.event_id,
        source=report.source,
        occurred_at=report.occurred_at,
        model=report.model,
        input=tokens,
        output=output,
        cached_input=cached,
        cache_write=cache_write,
        reasoning=reasoning,
        tenant=tenant,
        key=(report.label or ("" if names_others else report.subject))[:LABEL_CHARS_MAX],
    )


def _is_homeless(rejected: Rejected) -> bool:
    return rejected.field == "tenant" and rejected.code in {"unknown_tenant", "missing"}


def _unusable(report: Report, rejected: Rejected) -> Unusable:
    return Unusable(rejected.code, f"{rejected.field}: {rejected.detail}", report.event_id, report.subject)


def _may_report_for(reporter: Organization, slug: str) -> Organization:
    others = Organization.objects.filter(slug=slug, is_tenant=True)
    if not reporter.is_operator and slug != reporter.slug:
        others = others.filter(deployments__provider=reporter)
    found = others.distinct().first()
    if found is None:
        raise TenantNotYours("Expected the slug of a tenant that you report for.", field="tenant")
    return found


def _hold(reporter: Organization, input_name: str, reports: Collection[Report], now: datetime) -> tuple[int, int]:
    """Keep reports whose subject is nobody's yet; returns how many are new, and how many say something else than the
    one that waits under their name. These are kept as conflicts; all others are repeated.
    """
    if not reports:
        return 0, 0
    before = HeldReport.objects.filter(reporter=reporter, released_at=None).count()
    if before + len(reports) > HELD_MAX:
        raise HeldFull(f"{before} reports wait; name their subjects first.", retry_after_s=300)
    given = [
        HeldReport(
            reporter=reporter,
            input=input_name,
            source=report.source,
            event_id=report.event_id,
            subject=report.subject,
            model=report.model,
            occurred_at=report.occurred_at,
            counts=list(report.counts),
            received_at=now,
        )
        for report in reports
    ]
    HeldReport.objects.bulk_create(given, ignore_conflicts=True)
    names = {"source__in": {one.source for one in given}, "event_id__in": {one.event_id for one in given}}
    kept = {(one.source, one.event_id): one for one in HeldReport.objects.filter(reporter=reporter, **names)}
    stood = [(one, kept[one.source, one.event_id]) for one in given if kept[one.source, one.event_id].id != one.id]
    others = [one for one, known in stood if _said(one) != _said(known)]
    EventConflict.objects.bulk_create([_conflict(one) for one in others], ignore_conflicts=True)
    return len(given) - len(stood), len(others)


def _said(held: HeldReport) -> tuple[str, str, datetime, list[int]]:
    return held.subject, held.model, held.occurred_at, list(held.counts)


def _conflict(held: HeldReport) -> EventConflict:
    """What came under the name of a report that waits, in the words of an event's conflict; it has no tenant yet."""
    content = {
        "tenant": "",
        "deployment": "",
        "model": held.model,
        "occurred_at": held.occurred_at.isoformat(),
        "key": held.subject,
        "samples": 1,
        "aborted": False,
        **dict(zip(COUNT_FIELDS, map(str, held.counts), strict=True)),
    }
    return EventConflict(
        reporter_id=held.reporter_id,
        source=held.source,
        event_id=held.event_id,
        content_sha256=sha256(repr(content).encode()).digest(),
        content=content,
        received_at=held.received_at,
    )


def _keep_samples(reporter: Organization, input_name: str, unusable: Collection[Unusable], now: datetime) -> None:
    """Keep the newest of each slot; which slot follows from the item's id, so that one sender cannot fill all."""
    slots = {
        (one.code[:48], zlib.crc32(one.event_id.encode("utf-8", "replace")) % SAMPLE_SLOTS): one for one in unusable
    }
    RejectedSample.objects.bulk_create(
        [
            RejectedSample(
                reporter=reporter, input=input_name, code=code, slot=slot, sample=_without_nul(one.sample), at=now
            )
            for (code, slot), one in sorted(slots.items(), key=lambda pair: pair[0])
        ],
        update_conflicts=True,
        unique_fields=["reporter", "input", "code", "slot"],
        update_fields=["sample", "at"],
    )


def _without_nul(sample: dict[str, str]) -> dict[str, str]:
    return {name: text.replace("\0", "�").encode("utf-8", "replace").decode() for name, text in sample.items()}


def _count(
    reporter: Organization, input_name: str, taken: Taken, unusable: Collection[Unusable], now: datetime
) -> None:
    counts: Counter[tuple[Kind, str]] = Counter(
        ("compat", f"{input_name}:rejected:{one.code}"[:48]) for one in unusable
    )
    for outcome in ("accepted", "duplicates", "conflicts", "held"):
        counts["compat", f"{input_name}:{outcome}"] = getattr(taken, outcome)
    count_outcomes(reporter=str(reporter.id), counts=counts, now=now)
