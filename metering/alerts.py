"""Writing and reading alerts: one per kind, subject and start; its figures follow what comes in later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Case, FilteredRelation, Q, Value, When

from metering.checks import COUNT_LIMIT
from metering.control_models import Alert, AlertKind, AlertState
from tenants.ids import new_id
from tenants.listing.paging import Page, Paged, page_values

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

RULE_CHARS_MAX: Final = 200
SUBJECT_CHARS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Misfit:
    """Figures of a stretch that do not fit; `measured` should have stayed within `bound`."""

    kind: AlertKind
    subject: str
    from_at: datetime
    to_at: datetime
    measured: int
    bound: int
    rule: str = ""
    provider_id: UUID | None = None
    tenant_id: UUID | None = None
    deployment_id: UUID | None = None
    node_id: UUID | None = None
    model: str = ""
    quantity: str = ""


def write_alerts(
    *, misfits: Collection[Misfit], kinds: Collection[AlertKind], from_at: datetime, to_at: datetime, now: datetime
) -> int:
    """Store what does not fit, and clear the alerts of these kinds in `[from_at, to_at)` that were not found again.

    Return how many stand open. Sweeping again with the same figures changes nothing but when it was looked at.
    """
    Alert.objects.bulk_create(
        [_row(one, now) for one in misfits],
        update_conflicts=True,
        unique_fields=["kind", "subject", "from_at"],
        update_fields=["to_at", "measured", "bound", "rule", "state", "updated_at"],
    )
    found = {(one.kind.value, one.subject[:SUBJECT_CHARS_MAX], one.from_at) for one in misfits}
    standing = Alert.objects.filter(
        kind__in=list(kinds), state=AlertState.OPEN, from_at__gte=from_at, from_at__lt=to_at
    ).values_list("id", "kind", "subject", "from_at")
    gone = [key for key, *about in standing if tuple(about) not in found]
    Alert.objects.filter(id__in=gone).update(state=AlertState.CLEARED, updated_at=now)
    return len(found)


def alerts_of(organization: Organization) -> QuerySet[Alert]:
    """Return the alerts that an organization is a party of."""
    return Alert.objects.filter(Q(provider=organization) | Q(tenant=organization))


def _row(one: Misfit, now: datetime) -> Alert:
    return Alert(
        id=new_id(),
        kind=one.kind,
        subject=one.subject[:SUBJECT_CHARS_MAX],
        from_at=one.from_at,
        to_at=one.to_at,
        measured=max(-COUNT_LIMIT, min(one.measured, COUNT_LIMIT - 1)),
        bound=min(one.bound, COUNT_LIMIT - 1),
        rule=one.rule[:RULE_CHARS_MAX],
        provider_id=one.provider_id,
        tenant_id=one.tenant_id,
        deployment_id=one.deployment_id,
        node_id=one.node_id,
        model=one.model,
        quantity=one.quantity,
        state=AlertState.OPEN,
        found_at=now,
        updated_at=now,
    )


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as one party sees it; `seen_by` is empty until one of its people said what it was."""

    id: UUID
    kind: str
    state: str
    from_at: datetime
    to_at: datetime
    deployment: str
    node: str
    model: str
    quantity: str
    measured: int
    bound: int
    rule: str
    found_at: datetime
    seen_by: str
    note: str
    seen_at: datetime | None

    @property
    def waits(self) -> bool:
        """Whether it still stands and nobody of the party has looked at it."""
        return self.state == AlertState.OPEN and not self.seen_by


_ALERT: Final = (
    "id", "kind", "state", "from_at", "to_at", "deployment__slug", "node__name", "model", "quantity", "measured",
    "bound", "rule", "found_at", "said__by", "said__note", "said__at",
)  # fmt: skip


def alert_rows(
    *, organization: Organization, from_at: datetime, to_at: datetime, kinds: Collection[str] = (), limit: int = 200
) -> list[AlertRow]:
    """Return the alerts of a party that touch a window, those that wait first, then the newest; one query."""
    rows = _said(organization, from_at, to_at)
    if kinds:
        rows = rows.filter(kind__in=list(kinds))
    waits = Case(When(Q(state=AlertState.OPEN, said__isnull=True), then=Value(0)), default=Value(1))
    found = rows.order_by(waits, "-from_at", "kind", "subject").values_list(*_ALERT)
    return [_alert_row(row) for row in found[:limit]]


def alert_page(*, organization: Organization, from_at: datetime, to_at: datetime, page: Page) -> Paged[AlertRow]:
    """Return a page of the alerts of a party that touch a window, the newest first; one query. Raises WrongCursor."""
    paged = page_values(_said(organization, from_at, to_at), page, ("-from_at", "-id"), _ALERT)
    return Paged([_alert_row(row) for row in paged.rows], paged.next_cursor)


def _said(organization: Organization, from_at: datetime, to_at: datetime) -> QuerySet[Any]:
    said = FilteredRelation("seen", condition=Q(seen__organization=organization))
    return alerts_of(organization).filter(from_at__lt=to_at, to_at__gt=from_at).annotate(said=said)


def _alert_row(row: Sequence[Any]) -> AlertRow:
    """What is not there is an empty text, but for the instant at which nobody looked."""
    values: list[Any] = ["" if value is None else value for value in row[:-1]]
    return AlertRow(*[*values, row[-1]])


def waiting_alerts(organization: Organization) -> int:
    """Return how many alerts still stand that nobody of the party has looked at."""
    return alerts_of(organization).filter(state=AlertState.OPEN).exclude(seen__organization=organization).count()
