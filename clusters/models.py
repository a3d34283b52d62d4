"""Clusters, nodes, accelerators, slices, who holds them, and what runs on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeBoundary, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Func, Q

from tenants.ids import new_id
from tenants.models import Organization

if TYPE_CHECKING:
    from datetime import datetime


class HalfOpenRange(Func):
    """`tstzrange(from, to, '[)')`: an open end (NULL) reaches to infinity."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


def _span() -> HalfOpenRange:
    return HalfOpenRange("from_at", "to_at", RangeBoundary(inclusive_lower=True, inclusive_upper=False))


class SpanQuerySet(models.QuerySet["models.Model"]):
    """Words for rows that hold over `[from_at, to_at)`."""

    def in_force(self, at: datetime) -> SpanQuerySet:
        """Rows whose span contains the instant."""
        return self.filter(Q(to_at__isnull=True) | Q(to_at__gt=at), from_at__lte=at)

    def overlapping(self, from_at: datetime, to_at: datetime) -> SpanQuerySet:
        """Rows whose span shares at least an instant with `[from_at, to_at)`."""
        return self.filter(Q(to_at__isnull=True) | Q(to_at__gt=from_at), from_at__lt=to_at)


class Cluster(models.Model):
    """A provider's site."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="clusters")
    slug = models.SlugField(max_length=63)
    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "slug"], name="cluster_slug")]

    def __str__(self) -> str:
        return self.name


class Node(models.Model):
    """One server. A node with a public key runs an agent; one without is known by inventory only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cluster = models.ForeignKey(Cluster, models.PROTECT, related_name="nodes")
    name = models.CharField(max_length=200)
    public_key = models.BinaryField(max_length=32, null=True, unique=True, help_text="raw Ed25519, the one in force")
    key_version = models.PositiveIntegerField(default=1, db_default=1, help_text="which of the node's keys is in force")
    agent_version = models.CharField(max_length=32, blank=True, default="")
    driver_version = models.CharField(max_length=64, blank=True, default="")
    enrolled_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["cluster", "name"], name="node_name")]

    def __str__(self) -> str:
        return self.name


class EnrolmentToken(models.Model):
    """A one-time right to register one node's key in a cluster; only the SHA-256 of the token is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="enrolment_tokens")
    secret_sha256 = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    node = models.ForeignKey(Node, models.PROTECT, null=True, related_name="enrolment_tokens")
    for_node = models.ForeignKey(
        Node, models.CASCADE, null=True, related_name="+", help_text="the one node that this may give a new key"
    )

    def __str__(self) -> str:
        return f"token {self.id}"


class KeyOrigin(models.TextChoices):
    """How a node came to a key."""

    ENROLLED = "enrolled"
    ENROLLED_AGAIN = "enrolled_again"
    ROTATED = "rotated"


class NodeKey(models.Model):
    """One key of a node, for ever: what it signed stays verifiable. The database lets only `first_seq` be filled in.

    A rotation is kept with its proof: `statement` are the bytes that the key before signed with `signature`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    node = models.ForeignKey(Node, models.PROTECT, related_name="keys")
    version = models.PositiveIntegerField(help_text="1 is the first key of the node")
    public_key = models.BinaryField(max_length=32, unique=True, help_text="raw Ed25519")
    origin = models.CharField(max_length=16, choices=KeyOrigin.choices)
    first_seq = models.BigIntegerField(null=True, help_text="first batch signed with it; null: none yet")
    added_at = models.DateTimeField()
    statement = models.BinaryField(default=b"", max_length=2048)
    signature = models.CharField(max_length=88, blank=True, default="")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["node", "version"], name="node_key_version")]

    def __str__(self) -> str:
        return f"key {self.version} of {self.node_id}"


class Accelerator(models.Model):
    """One physical card; its key is the vendor's UUID, serial and PCI address are kept beside it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    node = models.ForeignKey(Node, models.PROTECT, related_name="accelerators")
    uuid = models.CharField(max_length=96, unique=True, help_text="the vendor's, as NVML gives it")
    serial = models.CharField(max_length=64, blank=True, default="")
    model = models.CharField(max_length=100, help_text="the vendor's product name")
    memory_mib = models.PositiveIntegerField(null=True)
    pci_bus_id = models.CharField(max_length=32, blank=True, default="")
    position = models.PositiveSmallIntegerField(help_text="order on the node, from 0")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.model} {self.uuid}"


class AcceleratorHealth(models.Model):
    """What a card last told of its memory and of who computes on it. Unknown is null, never zero.

    ECC errors count from the driver's load, remapped rows from the card's making. `processes` is the agent's list:
    `pid`, `container_id` ("" outside a container, null unknown), `started_at_ms`, `memory_mib`, `instance`.
    """

    accelerator = models.OneToOneField(Accelerator, models.CASCADE, primary_key=True, related_name="health")
    seen_at = models.DateTimeField()
    ecc_corrected = models.BigIntegerField(null=True)
    ecc_uncorrected = models.BigIntegerField(null=True)
    rows_remapped_corrected = models.BigIntegerField(null=True)
    rows_remapped_uncorrected = models.BigIntegerField(null=True)
    row_remap_pending = models.BooleanField(null=True)
    row_remap_failed = models.BooleanField(null=True)
    processes = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.accelerator_id} {self.seen_at}"


class SliceKind(models.TextChoices):
    """What part of a card a slice is."""

    WHOLE = "whole"
    MIG = "mig"
    FRACTION = "fraction"


class Slice(models.Model):
    """The unit that can be held: a whole accelerator, or one partition of it (share in thousandths, rounded up)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    accelerator = models.ForeignKey(Accelerator, models.PROTECT, related_name="slices")
    kind = models.CharField(max_length=8, choices=SliceKind.choices)
    label = models.CharField(max_length=96, blank=True, default="", help_text="MIG UUID or partition name")
    profile = models.CharField(max_length=32, blank=True, default="", help_text="MIG profile, for example 1g.10gb")
    share_permille = models.PositiveSmallIntegerField(help_text="1000 is the whole card")
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["accelerator", "kind", "label"], name="slice_label"),
            models.CheckConstraint(
                condition=Q(share_permille__gte=1, share_permille__lte=1000), name="share_within_card"
            ),
            models.CheckConstraint(condition=~Q(kind="whole") | Q(share_permille=1000), name="whole_slice_is_whole"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.share_permille}/1000"


class AllocationQuerySet(SpanQuerySet):
    """Words for choosing allocations."""

    def for_org(self, organization: Organization) -> AllocationQuerySet:
        """Allocations that `organization` holds, or that lie on its own clusters."""
        return self.filter(Q(tenant=organization) | Q(slice__accelerator__node__cluster__provider=organization))


class Allocation(models.Model):
    """Who holds a slice over `[from_at, to_at)`. The database refuses two holders of one slice at one instant.

    It also refuses to hold a card in parts while somebody holds the whole (`one_card_one_use`, by two columns that a
    trigger fills).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slice = models.ForeignKey(Slice, models.PROTECT, related_name="allocations")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="allocations")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    objects = AllocationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(to_at__isnull=True) | Q(to_at__gt=F("from_at")), name="allocation_span"),
            ExclusionConstraint(
                name="one_slice_one_holder",
                expressions=[("slice", RangeOperators.EQUAL), (_span(), RangeOperators.OVERLAPS)],
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "from_at"], name="allocation_by_tenant"),
            # The capacity calendar looks at all bookings that touch a span.
            GistIndex(_span(), name="allocation_by_span"),
        ]

    def __str__(self) -> str:
        return f"{self.slice_id} {self.from_at:%F %T}"


class Endpoint(models.Model):
    """One inference server on a node, as its agent reported it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    node = models.ForeignKey(Node, models.PROTECT, related_name="endpoints")
    url = models.CharField(max_length=512)
    engine = models.CharField(max_length=64)
    served_models = ArrayField(models.CharField(max_length=200), default=list)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["node", "url"], name="endpoint_url")]

    def __str__(self) -> str:
        return self.url


class DeploymentQuerySet(SpanQuerySet):
    """Words for choosing deployments."""

    def for_org(self, organization: Organization) -> DeploymentQuerySet:
        """Deployments that `organization` uses or provides."""
        return self.filter(Q(tenant=organization) | Q(provider=organization))


class Deployment(models.Model):
    """What attributes a provider's endpoints and models to a tenant over `[from_at, to_at)`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="provided_deployments")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="deployments")
    slug = models.SlugField(max_length=63)
    name = models.CharField(max_length=200)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "slug"], name="deployment_slug"),
            models.CheckConstraint(condition=Q(to_at__isnull=True) | Q(to_at__gt=F("from_at")), name="deployment_span"),
        ]

    def __str__(self) -> str:
        return self.name


class Binding(models.Model):
    """A deployment's use of one served model on one endpoint; an endpoint's model has one deployment at an instant."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="bindings")
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="bindings")
    model = models.CharField(max_length=200, help_text="served model name")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)

    objects = SpanQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(to_at__isnull=True) | Q(to_at__gt=F("from_at")), name="binding_span"),
            ExclusionConstraint(
                name="one_model_one_deployment",
                expressions=[
                    ("endpoint", RangeOperators.EQUAL),
                    ("model", RangeOperators.EQUAL),
                    (_span(), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} on {self.endpoint_id}"
