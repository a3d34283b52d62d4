"""How contracts come about and change: proposals, and who accepted them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.contracts import Contract
from billing.models.terms import ContractVersion
from tenants.ids import new_id
from tenants.models import Organization


class AmendmentState(models.TextChoices):
    """Where a proposal stands: a draft is its proposer's alone; offered, it changes no more."""

    DRAFT = "draft"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


OPEN_STATES = (AmendmentState.DRAFT, AmendmentState.OFFERED)


class AmendmentQuerySet(models.QuerySet["Amendment"]):
    """Words for choosing amendments."""

    def for_org(self, organization: Organization) -> AmendmentQuerySet:
        """Proposals that an organization may see: of its contracts, drafts only where it drafts them itself."""
        party = Q(contract__tenant=organization) | Q(contract__provider=organization)
        return self.filter(party & (~Q(state=AmendmentState.DRAFT) | Q(proposed_by=organization)))


class Amendment(models.Model):
    """A proposed change of a contract's terms; the first one of a contract is the contract itself.

    `changes` are as proposed (`billing.contracts.proposals`). Once offered, `document` is the text of the version that
    both would agree to and `sha256` is over it; the database refuses to change them, and an amendment never goes.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="amendments")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … of the contract")
    state = models.CharField(max_length=10, choices=AmendmentState.choices, default=AmendmentState.DRAFT)
    proposed_by = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    person = models.CharField(max_length=254, help_text="who wrote it, as they sign in, or the key's name")
    changes = models.JSONField()
    effective_at = models.DateTimeField(help_text="the first instant of which it says something new")
    ends_at = models.DateTimeField(null=True, help_text="when the contract is to end; null: it goes on")
    note = models.CharField(max_length=1000, blank=True, default="")
    base_version = models.PositiveIntegerField(default=0, help_text="the contract's version that it was offered on")
    document = models.TextField(blank=True, default="")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()
    offered_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=254, blank=True, default="")
    version = models.OneToOneField(ContractVersion, models.PROTECT, null=True, related_name="amendment")

    objects = AmendmentQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["contract", "number"], name="amendment_number_once"),
            models.UniqueConstraint(
                fields=["contract"], condition=Q(state__in=["draft", "offered"]), name="one_open_amendment"
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(offered_at__isnull=False, expires_at__isnull=False),
                name="offer_has_its_time",
            ),
            models.CheckConstraint(
                condition=Q(state="accepted", version__isnull=False) | (~Q(state="accepted") & Q(version__isnull=True)),
                name="accepted_amendment_has_version",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], condition=Q(state="offered"), name="amendment_expiring")
        ]

    def __str__(self) -> str:
        return f"{self.contract_id} amendment {self.number}"


class Acceptance(models.Model):
    """One party's word for an offer: who, in whose name, when, and the hash of what was agreed to. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    amendment = models.ForeignKey(Amendment, models.PROTECT, related_name="acceptances")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    person = models.CharField(max_length=254, help_text="as they sign in, or the key's name")
    name = models.CharField(max_length=200, help_text="as they wrote it to accept")
    sha256 = models.CharField(max_length=64)
    accepted_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["amendment", "organization"], name="acceptance_once_per_party")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.accepted_at:%F}"


class OfferTold(models.TextChoices):
    """What a party is told of an offer."""

    OFFERED = "offered", "the other party offers, and waits for an answer"
    ACCEPTED = "accepted", "the other party has accepted"
    DECLINED = "declined", "the other party has declined"


class OfferNoticeQuerySet(models.QuerySet["OfferNotice"]):
    """Words for choosing letters."""

    def to_tell(self) -> OfferNoticeQuerySet:
        """Letters that did not go out and are still true: of an offer that its reader has answered nobody is told."""
        own_word = Acceptance.objects.filter(
            amendment=models.OuterRef("amendment"), organization=models.OuterRef("organization")
        )
        waits = Q(~models.Exists(own_word), amendment__state=AmendmentState.OFFERED)
        return self.filter(~Q(kind=OfferTold.OFFERED) | waits, sent_at__isnull=True)


class OfferNotice(models.Model):
    """That a party is told by letter what the other did with an offer; who reads it is looked up as it is sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    amendment = models.ForeignKey(Amendment, models.PROTECT, related_name="notices")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+", help_text="who is told")
    kind = models.CharField(max_length=8, choices=OfferTold.choices)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="not tried before")
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    sent_to = models.JSONField(default=list)
    last_error = models.CharField(max_length=300, blank=True, default="")

    objects = OfferNoticeQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["amendment", "organization", "kind"], name="offer_notice_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(sent_at__isnull=True), name="offer_notice_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.amendment_id} {self.kind}"
