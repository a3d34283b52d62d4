"""Revenue that tenants certify, where a share is taken of it, and counts that parties state of what is held."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.contracts import BillingPeriod
from billing.models.terms import Term, TermFact
from clusters.models import Deployment
from tenants.ids import new_id
from tenants.models import Organization


class RevenueStatement(models.Model):
    """What a tenant certified to have earned in a billing period under a share, as it was uploaded. Append-only.

    A correction is another statement; the latest of a term and period counts. `fact` is what rating takes of it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="revenue_statements")
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="revenue_statements")
    fact = models.OneToOneField(TermFact, models.PROTECT, related_name="revenue_statement")
    currency = models.CharField(max_length=3)
    net_revenue_amount = models.DecimalField(max_digits=24, decimal_places=4)
    document = models.BinaryField(help_text="the file, exactly as it was uploaded")
    sha256 = models.CharField(max_length=64, help_text="of the file")
    certified_by = models.CharField(max_length=200, help_text="the name of who certifies it")
    uploaded_by = models.CharField(max_length=200, help_text="user e-mail or API key prefix")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(net_revenue_amount__gte=0), name="net_revenue_not_negative")
        ]
        indexes: ClassVar = [models.Index(fields=["term", "period", "created_at"], name="revenue_statement_latest")]

    def __str__(self) -> str:
        return f"{self.term_id} {self.created_at:%F}"


class WitnessAnswer(models.Model):
    """A count that one party of a share states for a difference of witnesses that is held. Append-only.

    The latest of each party counts; once both state the same, it is agreed on (`AgreedCounts`).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="witness_answers")
    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="+")
    model = models.CharField(max_length=200)
    token_class = models.CharField(max_length=16)
    from_at = models.DateTimeField(help_text="where the time begins that the counts are of")
    tokens = models.DecimalField(max_digits=40, decimal_places=0)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    stated_by = models.CharField(max_length=200, help_text="user e-mail or API key prefix")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(tokens__gte=0), name="witness_answer_not_negative")]
        indexes: ClassVar = [models.Index(fields=["term", "from_at", "created_at"], name="witness_answer_latest")]

    def __str__(self) -> str:
        return f"{self.term_id} {self.tokens}"
