"""Terms of contracts: what they say, version by version, and what is bound to them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Q

from billing.models.contracts import BillingPeriod, Contract
from billing.rating.kinds import read_any_wording
from billing.rating.wording import Said, Stretch, Wording, stretches_of
from clusters.models import Allocation, Deployment, HalfOpenRange
from tenants.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

WORDS_READ: Final = "words_read"
"""The attribute of a term that has its wordings where they were read with it."""


class ContractVersion(models.Model):
    """One state of a contract's terms that both parties agreed to. Append-only.

    `sha256` is over the header, every wording in force and the version before, so it commits to all that was ever
    agreed; `document` is the text it is over.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    effective_at = models.DateTimeField()
    document = models.TextField(help_text="canonical JSON, exactly the bytes that were hashed")
    sha256 = models.CharField(max_length=64)
    previous_sha256 = models.CharField(max_length=64, blank=True, default="", help_text="of the version before")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["contract", "number"], name="contract_version_once"),
            models.CheckConstraint(condition=Q(number__gt=0), name="contract_version_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.contract_id} v{self.number}"


class Term(models.Model):
    """One thing that a contract agrees: its kind and name never change, what it says is in its wordings.

    `[from_at, to_at)` is its time as agreed by now; a term that was taken back before it began has none.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="terms")
    kind = models.CharField(max_length=16)
    ref = models.CharField(max_length=32, unique=True, help_text="for people, for example L-2041")
    title = models.CharField(max_length=200)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(to_at__isnull=True) | Q(to_at__gte=F("from_at")), name="term_span")
        ]
        indexes: ClassVar = [models.Index(fields=["contract", "kind"], name="term_by_kind")]

    def __str__(self) -> str:
        return self.ref

    def said(self) -> list[Said[Wording]]:
        """Return all that was ever said of the term, from its wordings as they were read with it (`billing.terms`)."""
        return [wording.said for wording in self.in_words]

    @property
    def in_words(self) -> Iterable[TermWording]:
        """Its wordings, in the order in which they were said where they were read with it."""
        return self.__dict__[WORDS_READ] if WORDS_READ in self.__dict__ else self.wordings.all()

    def stretches(self, from_at: datetime | None = None, to_at: datetime | None = None) -> tuple[Stretch[Wording], ...]:
        """Return the wordings in force within `[from_at, to_at)`."""
        return stretches_of(self.said(), from_at, to_at)

    def wording_at(self, at: datetime) -> Wording:
        """Return what the term says at an instant; before it begins what it will say first, after it what it said last.

        Raises LookupError for a term that never says anything.
        """
        stretches = self.stretches()
        if not stretches:
            raise LookupError(f"{self.ref} was taken back before it began")
        begun = [stretch for stretch in stretches if stretch.from_at <= at]
        return (begun[-1] if begun else stretches[0]).wording


class TermWording(models.Model):
    """What a version of the contract says of a term from an instant on; no document says that it ends. Append-only."""

    term = models.ForeignKey(Term, models.PROTECT, related_name="wordings")
    version = models.ForeignKey(ContractVersion, models.PROTECT, related_name="wordings")
    contract_version = models.PositiveIntegerField(help_text="the version's number")
    from_at = models.DateTimeField()
    document = models.JSONField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["term", "contract_version", "from_at"], name="term_wording_once")
        ]

    def __str__(self) -> str:
        return f"{self.term_id} v{self.contract_version}"

    @cached_property
    def said(self) -> Said[Wording]:
        """The wording as rating takes it."""
        return Said(
            self.contract_version, self.from_at, None if self.document is None else read_any_wording(self.document)
        )


class TermAllocation(models.Model):
    """A slice held under a term. An allocation belongs to one term at most."""

    term = models.ForeignKey(Term, models.PROTECT, related_name="allocations")
    allocation = models.OneToOneField(Allocation, models.PROTECT, related_name="term_allocation")

    def __str__(self) -> str:
        return f"{self.term_id} {self.allocation_id}"


class TermDeployment(models.Model):
    """A deployment whose usage a term is rated from over `[from_at, to_at)`: under one term at any instant."""

    term = models.ForeignKey(Term, models.PROTECT, related_name="deployments")
    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="terms")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(to_at__isnull=True) | Q(to_at__gte=F("from_at")), name="term_deployment_span"
            ),
            ExclusionConstraint(
                name="deployment_under_one_term",
                expressions=[
                    ("deployment", RangeOperators.EQUAL),
                    (
                        HalfOpenRange("from_at", "to_at", RangeBoundary(inclusive_lower=True, inclusive_upper=False)),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.term_id} {self.deployment_id}"


class TermFact(models.Model):
    """Something beside usage that a term is rated from, as it was stated at a time: see `billing.rating.kinds.FACTS`.

    Append-only: a correction is another fact. It counts in the period in which `at` lies.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="facts")
    at = models.DateTimeField()
    document = models.JSONField()
    recorded_by = models.CharField(max_length=200)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["term", "at"], name="term_fact_by_time")]

    def __str__(self) -> str:
        return f"{self.term_id} {self.at:%F}"


class PeriodCarry(models.Model):
    """What a period handed to the next: a shortfall, a tier's position, a balance. Append-only.

    The first of a name is what it handed on as it closed; usage that came late makes later ones, and the latest holds.
    """

    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="carries")
    term_ref = models.CharField(max_length=32, help_text="the contract's number where it is of the contract as a whole")
    name = models.CharField(max_length=300)
    value = models.DecimalField(max_digits=50, decimal_places=18)
    seq = models.PositiveIntegerField(default=1, db_default=1, help_text="1, 2, 3 … within the name")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["period", "term_ref", "name", "seq"], name="period_carry_once")
        ]

    def __str__(self) -> str:
        return f"{self.term_ref} {self.name}"
