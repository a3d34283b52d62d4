"""Makes rows for tests: each function stores one thing with plain defaults and returns it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from django.db import transaction

from billing.models import (
    Collection,
    Contract,
    ContractState,
    GpuPrice,
    PeriodKind,
    PriceBook,
    PriceVersion,
    TokenPrice,
)
from clusters.models import (
    Accelerator,
    Allocation,
    Binding,
    Cluster,
    Deployment,
    Endpoint,
    Node,
    Slice,
    SliceKind,
)
from metering.models import NodeCursor, RollupCursor
from tenants.models import Membership, Organization, Role, User

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
_numbers = count(1)


@dataclass(frozen=True)
class Cast:
    """The people of the tests. Charlie is outside: everything of the others is 404 to him."""

    operator: Organization
    provider: Organization
    tenant: Organization
    outsider: Organization
    alice: User
    """Owner of the tenant."""
    bob: User
    """Viewer of the tenant."""
    charlie: User
    """Owner of another tenant that is also a provider."""
    petra: User
    """Owner of the provider."""


def make_cast() -> Cast:
    """Store the operator, a provider, a tenant, an outsider, and their people."""
    operator = make_organization("operator", is_operator=True, is_tenant=False)
    provider = make_organization("provider", is_provider=True, is_tenant=False)
    tenant = make_organization("tenant")
    outsider = make_organization("outsider", is_provider=True)
    return Cast(
        operator=operator,
        provider=provider,
        tenant=tenant,
        outsider=outsider,
        alice=make_user("alice@example.com", tenant, Role.OWNER),
        bob=make_user("bob@example.com", tenant, Role.VIEWER),
        charlie=make_user("charlie@example.com", outsider, Role.OWNER),
        petra=make_user("petra@example.com", provider, Role.OWNER),
    )


def make_organization(
    slug: str, *, is_operator: bool = False, is_provider: bool = False, is_tenant: bool = True
) -> Organization:
    organization = new_organization(slug, is_operator=is_operator, is_provider=is_provider, is_tenant=is_tenant)
    organization.save(force_insert=True)
    return organization


def new_organization(
    slug: str, *, is_operator: bool = False, is_provider: bool = False, is_tenant: bool = True
) -> Organization:
    """One that is not stored yet."""
    return Organization(
        slug=slug,
        name=slug.title(),
        is_operator=is_operator,
        is_provider=is_provider,
        is_tenant=is_tenant,
        country="DE",
        billing_email=f"billing@{slug}.example.com",
        created_at=EPOCH,
    )


def make_user(email: str, organization: Organization, role: Role = Role.OWNER) -> User:
    user = User.objects.create_user(email, PASSWORD, name=email.partition("@")[0].title())
    Membership.objects.create(organization=organization, user=user, role=role, created_at=EPOCH)
    return user


def make_cluster(provider: Organization, slug: str = "sample-1") -> Cluster:
    return Cluster.objects.create(provider=provider, slug=slug, name=slug.title(), country="DE", created_at=EPOCH)


def make_node(
    cluster: Cluster, name: str = "", public_key: bytes | None = None, *, rolled_to_at: datetime | None = None
) -> Node:
    node = Node.objects.create(
        cluster=cluster,
        name=name or f"node-{next(_numbers)}",
        public_key=public_key,
        enrolled_at=EPOCH if public_key else None,
        created_at=EPOCH,
    )
    NodeCursor.objects.create(node=node)
    RollupCursor.objects.create(node=node, rolled_to_at=rolled_to_at)
    return node


def make_accelerator(node: Node, position: int = 0, model: str = "NVIDIA H100 80GB HBM3") -> Accelerator:
    accelerator = new_accelerator(node, position, model)
    accelerator.save(force_insert=True)
    return accelerator


def new_accelerator(node: Node, position: int, model: str) -> Accelerator:
    """One that is not stored yet."""
    return Accelerator(
        node=node,
        uuid=f"GPU-{node.id}-{position}",
        serial=f"{next(_numbers):013d}",
        model=model,
        memory_mib=81_559,
        pci_bus_id=f"00000000:{position + 1:02X}:00.0",
        position=position,
        first_seen_at=EPOCH,
        last_seen_at=EPOCH,
    )


def make_slice(accelerator: Accelerator, share_permille: int = 1000) -> Slice:
    made = new_slice(accelerator, share_permille)
    made.save(force_insert=True)
    return made


def new_slice(accelerator: Accelerator, share_permille: int = 1000) -> Slice:
    """One that is not stored yet."""
    return Slice(
        accelerator=accelerator,
        kind=SliceKind.WHOLE if share_permille == 1000 else SliceKind.FRACTION,
        label="" if share_permille == 1000 else f"part-{next(_numbers)}",
        share_permille=share_permille,
        created_at=EPOCH,
    )


def make_allocation(held: Slice, tenant: Organization, from_at: datetime, to_at: datetime | None = None) -> Allocation:
    return Allocation.objects.create(slice=held, tenant=tenant, from_at=from_at, to_at=to_at, created_at=EPOCH)


def make_endpoint(node: Node, model: str = "sample-model", url: str = "") -> Endpoint:
    return Endpoint.objects.create(
        node=node,
        url=url or f"http://127.0.0.1:{8000 + next(_numbers)}",
        engine="vllm",
        served_models=[model],
        first_seen_at=EPOCH,
        last_seen_at=EPOCH,
    )


def make_deployment(
    provider: Organization,
    tenant: Organization,
    endpoint: Endpoint | None = None,
    model: str = "sample-model",
) -> Deployment:
    deployment = Deployment.objects.create(
        provider=provider,
        tenant=tenant,
        slug=f"deployment-{next(_numbers)}",
        name="Sample deployment",
        from_at=EPOCH,
        created_at=EPOCH,
    )
    if endpoint is not None:
        Binding.objects.create(deployment=deployment, endpoint=endpoint, model=model, from_at=EPOCH)
    return deployment


@transaction.atomic
def make_price_version(
    book: PriceBook,
    *,
    number: int = 1,
    effective_at: datetime = EPOCH,
    tokens: dict[tuple[str, str], str] | None = None,
    gpus: dict[str, str] | None = None,
    tiers: dict[tuple[str, str, int], str] | None = None,
) -> PriceVersion:
    version = PriceVersion.objects.create(
        book=book, number=number, announced_at=effective_at, effective_at=effective_at
    )
    prices = {(*about, 0): price for about, price in (tokens or {}).items()} | (tiers or {})
    TokenPrice.objects.bulk_create(
        TokenPrice(
            version=version, model=model, token_class=token_class, context_over=over, price_per_mtok=Decimal(price)
        )
        for (model, token_class, over), price in prices.items()
    )
    GpuPrice.objects.bulk_create(
        GpuPrice(version=version, accelerator_model=model, price_per_gpu_hour=Decimal(price))
        for model, price in (gpus or {}).items()
    )
    return version


def make_price_book(provider: Organization, name: str = "", currency: str = "USD") -> PriceBook:
    return PriceBook.objects.create(
        provider=provider, name=name or f"Book {next(_numbers)}", currency=currency, created_at=EPOCH
    )


def make_contract(
    provider: Organization, tenant: Organization, book: PriceBook | None = None, *, from_at: datetime = EPOCH
) -> Contract:
    contract = new_contract(provider, tenant, book, from_at)
    contract.save(force_insert=True)
    return contract


def new_contract(
    provider: Organization, tenant: Organization, book: PriceBook | None, from_at: datetime = EPOCH
) -> Contract:
    """One that is not stored yet."""
    return Contract(
        number=f"C-{next(_numbers):04d}",
        provider=provider,
        tenant=tenant,
        currency=book.currency if book else "USD",
        time_zone="UTC",
        state=ContractState.ACTIVE,
        from_at=from_at,
        period_kind=PeriodKind.CALENDAR_MONTH,
        price_book=book,
        collection=Collection.SEND_INVOICE,
        created_at=EPOCH,
    )
