"""Fills the sample world's books through the product's own use cases: parties, prices, contracts, leases."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.db import transaction

from billing.contracting import Hold, add_lease, add_lease_allocations, add_token_share, open_contract, open_lease
from billing.models import Contract, PeriodKind, PriceBook, Term
from billing.pricing import publish_price_version
from clusters.enrolment import issue_token
from clusters.inventory import SeenAccelerator, record_accelerators
from clusters.models import Accelerator, Binding, Cluster, Deployment, Endpoint, Node, Slice, SliceKind
from clusters.occupancy import WHOLE_PERMILLE, Placed, place_jobs
from clusters.occupancy import Card as Place
from forecourt.demo.cards import make_cards
from forecourt.demo.costs import enter_sample_costs
from forecourt.demo.joblist import JobList, read_openb, seeded_jobs
from forecourt.demo.letting import let_cards, whole_slices
from forecourt.demo.plan import (
    A100,
    CARDS_PER_NODE,
    H100,
    JOB_NODES,
    LEASE_DAY,
    MEMORY_MIB,
    PlannedNode,
    instant,
    served_model,
)
from forecourt.demo.workload import CHAT, CHAT_MODEL, CODE, CODE_MODEL, SMALL, SMALL_MODEL
from forecourt.sample import Parties, make_cluster, make_parties, make_person
from metering.control_models import NodePresence
from metering.hours import HOUR_MS
from metering.models import Witness
from tenants.api_keys import issue_key

if TYPE_CHECKING:
    from forecourt.demo.plan import Plan

TENANTS: Final = {
    "sample-chat": "Sample Chat Service",
    "sample-code": "Sample Code Assistant",
    "sample-research": "Sample Research Lab",
}
TENANT_OF_STREAM: Final = {CHAT: "sample-chat", CODE: "sample-code", SMALL: "sample-code"}
SHARE_PERCENT: Final = {CHAT: Decimal(30), CODE: Decimal(40), SMALL: Decimal(20)}
TOKEN_PRICES: Final = {
    (CHAT_MODEL, "input"): Decimal("0.60"),
    (CHAT_MODEL, "cached_input"): Decimal("0.15"),
    (CHAT_MODEL, "output"): Decimal("0.80"),
    (CODE_MODEL, "input"): Decimal("0.30"),
    (CODE_MODEL, "cached_input"): Decimal("0.06"),
    (CODE_MODEL, "output"): Decimal("0.90"),
    (SMALL_MODEL, "input"): Decimal("0.05"),
    (SMALL_MODEL, "cached_input"): Decimal("0.02"),
    (SMALL_MODEL, "output"): Decimal("0.15"),
}
GPU_PRICES: Final = {H100: Decimal("2.35"), A100: Decimal("1.49")}
LEASE_RATE: Final = Decimal("2.35")
# The sample's month is over before its first reading arrives: closing waits for its nodes all the same.
GRACE_HOURS: Final = 24 * 120
SAMPLE_JOB_NODES: Final = 3
SAMPLE_JOBS: Final = 160
DAY_S: Final = 86_400
TOKEN_VALID_FOR: Final = timedelta(days=1)


@dataclass
class Seeded:
    """What the rest of the demo needs to know of the seeded world."""

    parties: Parties
    password: str
    clusters: dict[str, Cluster]
    gateway_keys: dict[str, str]
    api_key: str
    contracts: dict[str, Contract] = field(default_factory=dict)
    leases: dict[str, Term] = field(default_factory=dict)
    jobs: JobList = field(default_factory=lambda: JobList((), 0))

    def token(self, node: PlannedNode, now: datetime) -> str:
        """Make an enrolment token for a node of the plan."""
        return issue_token(cluster=self.clusters[node.cluster], now=now, valid_for=TOKEN_VALID_FOR, actor="demo").secret


def seed_parties(plan: Plan, now: datetime) -> Seeded:
    """Make the parties, their people and keys, and the two clusters."""
    created_at = instant(plan.month_from_ms)
    parties = make_parties(tenants=TENANTS, now=created_at)
    password = secrets.token_urlsafe(9)
    make_person(
        email="demo@sample.example",
        name="Sample Person",
        password=password,
        organizations=[parties.operator, parties.provider, *parties.tenants.values()],
        now=created_at,
    )
    for slug, organization in {"provider": parties.provider, **parties.tenants}.items():
        make_person(
            email=f"{slug.removeprefix('sample-')}@sample.example",
            name=organization.name,
            password=password,
            organizations=[organization],
            now=created_at,
        )
    keys = {
        slug: issue_key(
            organization=tenant,
            name="gateway",
            scopes=["events:write", "usage:read", "invoices:read"],
            actor="demo",
            now=now,
        ).secret
        for slug, tenant in parties.tenants.items()
    }
    return Seeded(
        parties=parties,
        password=password,
        clusters={
            slug: make_cluster(provider=parties.provider, slug=slug, name=name, now=created_at)
            for slug, name in (("sample-north", "Sample North"), ("sample-south", "Sample South"))
        },
        gateway_keys={stream: keys[slug] for stream, slug in TENANT_OF_STREAM.items()},
        api_key=keys["sample-chat"],
    )


def seed_contracts(plan: Plan, world: Seeded, now: datetime) -> None:
    """Make prices, deployments, token shares and leases, once the plan's nodes are enrolled."""
    # They enrolled just now; in the sample's history they did so before its first reading.
    enrolled = Node.objects.filter(public_key__isnull=False)
    enrolled.update(enrolled_at=instant(plan.from_ms))
    # Agents look more often than hourly; these cannot while their hours pass in a tenth of a second.
    NodePresence.objects.bulk_create([NodePresence(node=node, usual_pause_ms=HOUR_MS) for node in enrolled])
    from_at, month_to = instant(plan.month_from_ms), instant(plan.month_to_ms)
    world.jobs = (
        read_openb(Path(plan.jobs_dir))
        if plan.jobs_dir
        else seeded_jobs(seed=plan.seed, count=SAMPLE_JOBS, length_s=30 * DAY_S)
    )
    length_s = -(-max(job.to_s for job in world.jobs.jobs) // DAY_S) * DAY_S
    jobs_from = month_to - timedelta(seconds=length_s)
    book = PriceBook.objects.create(
        provider=world.parties.provider, name="Sample prices", currency="USD", created_at=from_at
    )
    publish_price_version(
        book=book,
        effective_at=min(from_at, jobs_from),
        token_prices=TOKEN_PRICES,
        gpu_prices=GPU_PRICES,
        now=min(from_at, jobs_from),
    )
    for node in plan.nodes:
        _record_cards(plan, node)
    _token_shares(plan, world, book)
    _month_lease(plan, world, book)
    let_cards(world.contracts, month_to=instant(plan.month_to_ms), now=now)
    _jobs(plan, world, book, jobs_from=jobs_from, length_s=length_s)
    enter_sample_costs(world.clusters.values(), effective_at=from_at, now=now)


def _record_cards(plan: Plan, planned: PlannedNode) -> None:
    """Know the node's cards before its agent's first batch, so that they can be leased from the first day."""
    node = Node.objects.get(name=planned.name)
    seen = [
        SeenAccelerator(
            uuid=card.uuid,
            serial=card.serial,
            model=card.model,
            memory_mib=card.memory_mib,
            pci_bus_id=card.pci_bus_id,
            mig_mode=False,
        )
        for card in plan.cards(planned)
    ]
    with transaction.atomic():
        record_accelerators(node=node, seen=seen, seen_at=instant(plan.month_from_ms))


def _token_shares(plan: Plan, world: Seeded, book: PriceBook) -> None:
    """One deployment per stream, bound to the endpoints that serve it, under its tenant's contract."""
    from_at = instant(plan.month_from_ms)
    for stream, slug in TENANT_OF_STREAM.items():
        tenant = world.parties.tenants[slug]
        if slug not in world.contracts:
            world.contracts[slug] = _open(world, slug, book, from_at)
        model = {CHAT: CHAT_MODEL, CODE: CODE_MODEL, SMALL: SMALL_MODEL}[stream]
        deployment = Deployment.objects.create(
            provider=world.parties.provider,
            tenant=tenant,
            slug=f"{stream}-service",
            name=f"{stream.title()} service",
            from_at=from_at,
            created_at=from_at,
        )
        for node in plan.nodes:
            for endpoint in node.endpoints:
                if endpoint.stream == stream:
                    stored = Endpoint.objects.create(
                        node=Node.objects.get(name=node.name),
                        url=endpoint.url,
                        engine=endpoint.engine,
                        served_models=[served_model(endpoint)],
                        first_seen_at=from_at,
                        last_seen_at=from_at,
                    )
                    Binding.objects.create(deployment=deployment, endpoint=stored, model=model, from_at=from_at)
        add_token_share(
            contract=world.contracts[slug],
            deployments=[deployment],
            share_percent=SHARE_PERCENT[stream],
            witness=Witness.ENGINE if stream == CODE else Witness.GATEWAY,
            from_at=from_at,
            to_at=None,
            now=from_at,
            title=f"{model} tokens",
        )


def _month_lease(plan: Plan, world: Seeded, book: PriceBook) -> None:
    """The worked case: eight H100 from the tenth at 06:00 to the month's end at an agreed 2.35 per GPU-hour."""
    from_at, to_at = instant(plan.month_from_ms) + LEASE_DAY, instant(plan.month_to_ms)
    contract = world.contracts["sample-research"] = _open(world, "sample-research", book, instant(plan.month_from_ms))
    world.leases["month"] = add_lease(
        contract=contract,
        slices=whole_slices("south-h100-01", 0, CARDS_PER_NODE),
        from_at=from_at,
        to_at=to_at,
        price_per_gpu_hour=LEASE_RATE,
        now=from_at,
        title="8 × H100 cluster node",
    )


def _jobs(plan: Plan, world: Seeded, book: PriceBook, *, jobs_from: datetime, length_s: int) -> None:
    """Place the job list on inventory nodes of the southern cluster, under one lease over the whole list."""
    cards = _job_cards(plan, world, jobs_from)
    contract = world.contracts["sample-jobs"] = open_contract(
        provider=world.parties.provider,
        tenant=world.parties.tenants["sample-research"],
        currency="USD",
        time_zone="UTC",
        from_at=jobs_from,
        to_at=jobs_from + timedelta(seconds=length_s),
        price_book=book,
        period_kind=PeriodKind.FIXED_LENGTH,
        period_length_s=length_s,
        grace_hours=GRACE_HOURS,
        now=jobs_from,
    )
    world.leases["jobs"] = _job_lease(contract, world.jobs, cards, jobs_from)
    if plan.end_ms - plan.month_to_ms > DAY_S * 1000:
        # The month after has jobs too, so that today's timeline is not empty.
        length_s = (plan.end_ms - plan.month_to_ms) // 1000
        later = seeded_jobs(seed=plan.seed + 1, count=SAMPLE_JOBS, length_s=length_s)
        _job_lease(world.contracts["sample-research"], later, cards, instant(plan.month_to_ms))


def _job_lease(contract: Contract, jobs: JobList, cards: list[Accelerator], from_at: datetime) -> Term:
    """Open a lease and hold under it what every job takes, beginning at `from_at`."""
    placement = place_jobs(jobs.jobs, [Place(card.uuid, card.node.name) for card in cards])
    assert not placement.without_room, f"{len(placement.without_room)} jobs found no room on {len(cards)} cards"
    slices = _job_slices(placement.placed, {card.uuid: card for card in cards}, from_at)
    lease = open_lease(
        contract=contract,
        accelerator_model=A100,
        from_at=from_at,
        to_at=contract.to_at,
        price_per_gpu_hour=None,
        now=from_at,
        title=f"{len(jobs.jobs)} jobs on demand",
    )
    add_lease_allocations(
        lease=lease,
        holds=[
            Hold(
                slices[one.slice_ref],
                from_at + timedelta(seconds=one.from_s),
                from_at + timedelta(seconds=one.to_s),
            )
            for one in placement.placed
        ],
        now=from_at,
    )
    return lease


def _job_cards(plan: Plan, world: Seeded, at: datetime) -> list[Accelerator]:
    cards = []
    for number in range(1, (JOB_NODES if plan.jobs_dir else SAMPLE_JOB_NODES) + 1):
        name = f"south-jobs-{number:02d}"
        node = Node.objects.create(cluster=world.clusters["sample-south"], name=name, created_at=at)
        made = make_cards(
            node=name,
            count=CARDS_PER_NODE,
            model=A100,
            memory_mib=MEMORY_MIB[A100],
            busy_percent=50,
            seed=plan.seed,
            started_ms=plan.from_ms,
        )
        for position, card in enumerate(made):
            cards.append(
                Accelerator(
                    node=node,
                    uuid=card.uuid,
                    serial=card.serial,
                    model=card.model,
                    memory_mib=card.memory_mib,
                    pci_bus_id=card.pci_bus_id,
                    position=position,
                    first_seen_at=at,
                    last_seen_at=at,
                )
            )
    return Accelerator.objects.bulk_create(cards)


def _job_slices(placed: tuple[Placed, ...], cards: dict[str, Accelerator], at: datetime) -> dict[str, Slice]:
    """Return the slices that jobs were placed on, by their reference; those not known yet are made."""
    wanted = {one.slice_ref: one for one in placed}
    known = {
        (each.accelerator.uuid, each.label): each
        for each in Slice.objects.select_related("accelerator").filter(accelerator__in=cards.values())
    }
    found, missing = {}, {}
    for ref, one in wanted.items():
        label = "" if one.share_permille == WHOLE_PERMILLE else f"{ref.rpartition('/')[2]}-{one.share_permille}"
        if (one.card_ref, label) in known:
            found[ref] = known[one.card_ref, label]
            continue
        missing[ref] = Slice(
            accelerator=cards[one.card_ref],
            kind=SliceKind.WHOLE if label == "" else SliceKind.FRACTION,
            label=label,
            share_permille=one.share_permille,
            created_at=at,
        )
    return found | dict(zip(missing, Slice.objects.bulk_create(missing.values()), strict=True))


def _open(world: Seeded, slug: str, book: PriceBook, from_at: datetime) -> Contract:
    return open_contract(
        provider=world.parties.provider,
        tenant=world.parties.tenants[slug],
        currency="USD",
        time_zone="UTC",
        from_at=from_at,
        price_book=book,
        operator_fee_percent=Decimal("2.5"),
        grace_hours=GRACE_HOURS,
        now=from_at,
    )
