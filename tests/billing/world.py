"""A small world to bill in: a contract with leases and shares, and usage hours as the rollup leaves them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import connection

from billing.contracting import add_lease, add_token_share
from billing.models import BillingPeriod, Contract, PeriodKind, PriceBook, Term
from clusters.models import Accelerator, Deployment, Endpoint, Node, Slice
from metering.models import Meter, Quality, RollupCursor, UsageHour, Witness
from tenants.models import Organization
from tests import factories

HOUR = timedelta(hours=1)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
H100 = "NVIDIA H100 80GB HBM3"
MODEL = "sample-model"
RISE = """
    INSERT INTO metering_meterstate (meter_id, epoch, seq, value, read_at, closed, base)
    VALUES (%s, 'sample', 1, %s, %s, false, 0)
    ON CONFLICT (meter_id) DO UPDATE SET value = metering_meterstate.value + excluded.value
"""
_numbers = count(1)


@dataclass
class World:
    """A provider and a tenant under one contract."""

    provider: Organization
    tenant: Organization
    contract: Contract
    book: PriceBook | None
    nodes: list[Node] = field(default_factory=list)

    def period(self, from_at: datetime = MARCH) -> BillingPeriod:
        return BillingPeriod.objects.get(contract=self.contract, from_at=from_at)

    def make_node(self, *, rolled_to_at: datetime | None = None) -> Node:
        """A node with an agent, rolled up to an instant."""
        cluster = factories.make_cluster(self.provider, f"site-{next(_numbers)}")
        node = factories.make_node(cluster, public_key=next(_numbers).to_bytes(32, "big"), rolled_to_at=rolled_to_at)
        self.nodes.append(node)
        return node

    def rolled(self, node: Node, at: datetime | None) -> None:
        RollupCursor.objects.filter(node=node).update(rolled_to_at=at)

    def lease(
        self,
        cards: int = 1,
        *,
        from_at: datetime = MARCH,
        to_at: datetime | None = None,
        price: str | None = "2.35",
        now: datetime = MARCH,
        model: str = H100,
        rolled_to_at: datetime | None = None,
    ) -> Term:
        """A lease of so many cards on a new node."""
        return add_lease(
            contract=self.contract,
            slices=self.make_slices(cards, model=model, rolled_to_at=rolled_to_at),
            from_at=from_at,
            to_at=to_at,
            price_per_gpu_hour=None if price is None else Decimal(price),
            now=now,
        )

    def make_slices(self, cards: int = 1, *, model: str = H100, rolled_to_at: datetime | None = None) -> list[Slice]:
        node = self.make_node(rolled_to_at=rolled_to_at)
        made = [factories.new_accelerator(node, position, model) for position in range(cards)]
        return Slice.objects.bulk_create(map(factories.new_slice, Accelerator.objects.bulk_create(made)))

    def share(
        self,
        *,
        percent: str = "30",
        witness: Witness = Witness.GATEWAY,
        model: str = MODEL,
        rolled_to_at: datetime | None = None,
        now: datetime = MARCH,
    ) -> Shared:
        """A share of the tokens of a new deployment on a new node."""
        endpoint = factories.make_endpoint(self.make_node(rolled_to_at=rolled_to_at), model)
        deployment = factories.make_deployment(self.provider, self.tenant, endpoint, model)
        term = add_token_share(
            contract=self.contract,
            deployments=[deployment],
            share_percent=Decimal(percent),
            witness=witness,
            from_at=self.contract.from_at,
            to_at=None,
            now=now,
        )
        return Shared(term, witness, deployment, endpoint, self.tenant)


@dataclass(frozen=True)
class Shared:
    """A token share with its deployment."""

    term: Term
    witness: Witness
    deployment: Deployment
    endpoint: Endpoint
    tenant: Organization
    meters: dict[tuple[str, str, str], Meter] = field(default_factory=dict, repr=False, compare=False)

    def use(
        self,
        tokens: Mapping[str, int],
        *,
        at: datetime = MARCH,
        to_at: datetime | None = None,
        model: str = MODEL,
        quality: Quality = Quality.ACTUAL,
        witness: Witness | None = None,
        version: int = 1,
        records: int = 1,
        context_over: int = 0,
        marks: str = "",
        stored_at: datetime | None = None,
    ) -> list[UsageHour]:
        """Usage hours of tokens by class, as the rollup stores them; an engine's registers rise by as much."""
        meters = self._meters(witness or self.witness, model, tokens)
        risen = [(meters[name].pk, count_of, at) for name, count_of in tokens.items() if meters[name].node_id]
        for rise in risen:
            with connection.cursor() as cursor:
                cursor.execute(RISE, rise)
        return UsageHour.objects.bulk_create(
            UsageHour(
                meter=meters[token_class],
                witness=witness or self.witness,
                quantity=token_class,
                model=model,
                hour_at=at.replace(minute=0, second=0, microsecond=0),
                from_at=at,
                to_at=to_at or at.replace(minute=0, second=0, microsecond=0) + HOUR,
                deployment=self.deployment,
                tenant=self.tenant,
                quality=quality,
                rule="counted",
                version=version,
                context_over=context_over,
                marks=marks,
                value=count_of,
                records=records,
                updated_at=stored_at or at,
            )
            for token_class, count_of in tokens.items()
        )

    def _meters(self, witness: Witness, model: str, classes: Collection[str]) -> dict[str, Meter]:
        """By class; looked for in the database once for all hours of them."""
        if any((witness, model, name) not in self.meters for name in classes):
            place: dict[str, Any] = {"witness": witness, "model": model}
            if witness == Witness.GATEWAY:
                place |= {"reporter": self.tenant, "source": "sample"}
            else:
                place |= {"node": self.endpoint.node, "endpoint": self.endpoint}
            stored = {meter.quantity: meter for meter in Meter.objects.filter(**place, quantity__in=classes)}
            Meter.objects.bulk_create(
                missing := [Meter(**place, quantity=name) for name in classes if name not in stored]
            )
            stored |= {meter.quantity: meter for meter in missing}
            self.meters.update({(witness, model, name): meter for name, meter in stored.items()})
        return {name: self.meters[witness, model, name] for name in classes}


def make_world(
    *,
    time_zone: str = "UTC",
    currency: str = "USD",
    from_at: datetime = MARCH,
    to_at: datetime | None = None,
    tokens: Mapping[tuple[str, str], str] | None = None,
    gpus: Mapping[str, str] | None = None,
    tiers: Mapping[tuple[str, str, int], str] | None = None,
    period_kind: PeriodKind = PeriodKind.CALENDAR_MONTH,
    parties: tuple[Organization, Organization] | None = None,
) -> World:
    """A contract between new parties; with prices it has a book whose first version starts with the contract."""
    number = next(_numbers)
    provider, tenant = parties or Organization.objects.bulk_create(
        [
            factories.new_organization(f"provider-{number}", is_provider=True, is_tenant=False),
            factories.new_organization(f"tenant-{number}"),
        ]
    )
    book = factories.make_price_book(provider, currency=currency)
    if tokens or gpus:
        factories.make_price_version(
            book, effective_at=from_at, tokens=dict(tokens or {}), gpus=dict(gpus or {}), tiers=dict(tiers or {})
        )
    contract = factories.new_contract(provider, tenant, book, from_at)
    contract.time_zone = time_zone
    contract.to_at = to_at
    contract.period_kind = period_kind
    contract.save(force_insert=True)
    return World(provider, tenant, contract, book)
