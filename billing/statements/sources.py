"""Where what a statement's invoices say was earned: by tenant, by model, by node or by GPU; exact, and adding up.

Tenants and models stand on the frozen rows. A lease's amount is divided among its cards by the time and part of a card
that was held in the invoices' periods; tokens are divided among nodes by what the engines there counted of the term's
deployments. What neither says stays in a line without a place: it is never shared out by a guess.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from django.db.models import Q, Sum

from billing.models import TermAllocation, TermDeployment
from metering.models import Quality, UsageHour, Witness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from tenants.models import Organization

BILLABLE = (Quality.ACTUAL, Quality.ESTIMATED, Quality.SUBSTITUTED)
NOWHERE = ""
"""The key of what has no place, or no model."""


class SourceBy(StrEnum):
    """By what amounts are summed."""

    TENANT = "tenant"
    MODEL = "model"
    NODE = "node"
    GPU = "gpu"


@dataclass(frozen=True, slots=True)
class Source:
    """One line: `where` says more of it (a node's cluster, a card's model); `amount` is exact and not rounded."""

    name: str
    where: str
    amount: Fraction


@dataclass(frozen=True, slots=True)
class Sources:
    """All lines, the most earned first; with `rounding` they come to `total`, which the invoices' lines say."""

    by: SourceBy
    lines: tuple[Source, ...]
    rounding: Fraction
    total: Decimal


Place = tuple[str, str]
"""A name, and what says more of it."""


def sources_of(provider: Organization, document: Mapping[str, Any], by: SourceBy) -> Sources:
    """Return where a statement's amounts came from; at most four queries."""
    terms: Sequence[Mapping[str, Any]] = document["terms"]
    total = sum((Decimal(one["amount"]) for one in terms), Decimal(0))
    rounding = sum((Fraction(Decimal(one["rounding"])) for one in terms), Fraction(0))
    found: dict[Place, Fraction] = defaultdict(Fraction)
    if by in (SourceBy.TENANT, SourceBy.MODEL):
        for one in terms:
            for row in one["rows"]:
                key = one["tenant"] if by is SourceBy.TENANT else row["model"]
                found[key, ""] += Fraction(Decimal(row["exact"]))
    else:
        _place(found, provider, document, by)
    lines = sorted(found.items(), key=lambda item: (item[0][0] == NOWHERE, -item[1], item[0]))
    return Sources(by, tuple(Source(*place, amount) for place, amount in lines if amount), rounding, total)


def divided(amount: Fraction, weights: Mapping[Place, Fraction]) -> dict[Place, Fraction]:
    """Divide an amount by weights, so that the parts are the whole; without any weight it has no place."""
    whole = sum(weights.values(), Fraction(0))
    if not whole:
        return {(NOWHERE, ""): amount}
    return {place: amount * weight / whole for place, weight in weights.items() if weight}


def _place(found: dict[Place, Fraction], provider: Organization, document: Mapping[str, Any], by: SourceBy) -> None:
    spans: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for one in document["earned"]:
        span = (datetime.fromisoformat(one["from_at"]), datetime.fromisoformat(one["to_at"]))
        if span not in spans[one["contract"]]:
            spans[one["contract"]].append(span)
    terms = {(one["contract"], one["term"]) for one in document["terms"]}
    held, counted = _held(provider, terms, spans, by), _counted(provider, terms, spans, by)
    for one in document["terms"]:
        key = (one["contract"], one["term"])
        weights = held.get(key) or counted.get(key) or {}
        for place, amount in divided(Fraction(Decimal(one["exact"])), weights).items():
            found[place] += amount


def _held(
    provider: Organization,
    terms: Iterable[tuple[str, str]],
    spans: Mapping[str, Sequence[tuple[datetime, datetime]]],
    by: SourceBy,
) -> dict[tuple[str, str], dict[Place, Fraction]]:
    """How long, in seconds of whole cards, each term held each place in its periods."""
    found: dict[tuple[str, str], dict[Place, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    rows = TermAllocation.objects.filter(
        term__contract__provider=provider, term__ref__in=[ref for _contract, ref in terms]
    ).values_list(
        "term__contract__number", "term__ref", "allocation__from_at", "allocation__to_at",
        "allocation__slice__share_permille", "allocation__slice__accelerator__node__name",
        "allocation__slice__accelerator__node__cluster__name", "allocation__slice__accelerator__position",
        "allocation__slice__accelerator__model",
    )  # fmt: skip
    for contract, ref, from_at, to_at, share, node, cluster, position, model in rows:
        seconds = sum((_overlap(from_at, to_at, start, end) for start, end in spans.get(contract, ())), Fraction(0))
        place = (node, cluster) if by is SourceBy.NODE else (f"{node} · GPU {position}", model)
        found[contract, ref][place] += seconds * share
    return found


def _overlap(from_at: datetime, to_at: datetime | None, start: datetime, end: datetime) -> Fraction:
    last = end if to_at is None else min(to_at, end)
    return max(Fraction(0), Fraction((last - max(from_at, start)).total_seconds()))


def _counted(
    provider: Organization,
    terms: Iterable[tuple[str, str]],
    spans: Mapping[str, Sequence[tuple[datetime, datetime]]],
    by: SourceBy,
) -> dict[tuple[str, str], dict[Place, Fraction]]:
    """How many tokens the engines of each node counted of each term's deployments in its periods."""
    served: dict[UUID, list[tuple[str, str]]] = defaultdict(list)
    bound = TermDeployment.objects.filter(
        term__contract__provider=provider, term__ref__in=[ref for _contract, ref in terms]
    )
    for contract, ref, deployment in bound.values_list("term__contract__number", "term__ref", "deployment_id"):
        served[deployment].append((contract, ref))
    windows = Q()
    for span in {span for each in spans.values() for span in each}:
        windows |= Q(from_at__gte=span[0], from_at__lt=span[1])
    if not served or not windows:
        return {}
    rows = (
        UsageHour.objects.filter(
            windows, deployment_id__in=list(served), witness=Witness.ENGINE, quality__in=BILLABLE,
            quantity__in=("input", "output"),
        )
        .values_list("deployment_id", "meter__node__name", "meter__node__cluster__name")
        .annotate(tokens=Sum("value"))
        .order_by("deployment_id", "meter__node__name")
    )  # fmt: skip
    found: dict[tuple[str, str], dict[Place, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for deployment, node, cluster, tokens in rows:
        if node is not None and deployment is not None:
            for key in served[deployment]:
                found[key][node, cluster if by is SourceBy.NODE else ""] += Fraction(int(tokens))
    return found
