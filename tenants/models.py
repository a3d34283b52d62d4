"""Organizations, people and their roles, API keys, and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from tenants.asked_letter_models import AskedLetter as AskedLetter  # and so Django finds that module's models
from tenants.fee_models import ProviderFee as ProviderFee  # and so Django finds that module's models
from tenants.hook_models import WebhookEndpoint as WebhookEndpoint  # and so Django finds that module's models
from tenants.ids import new_id
from tenants.invitation_models import Invitation as Invitation  # and so Django finds that module's models
from tenants.profile_models import BillingProfile as BillingProfile  # and so Django finds that module's models
from tenants.rate_models import RateWindow as RateWindow  # and so Django finds that module's models
from tenants.sign_on_models import SignOnProvider as SignOnProvider  # and so Django finds that module's models

if TYPE_CHECKING:
    from datetime import datetime


class OrganizationQuerySet(models.QuerySet["Organization"]):
    """Words for choosing organizations."""

    def of_person(self, person: User) -> OrganizationQuerySet:
        """Organizations that `person` is a member of."""
        return self.filter(memberships__user=person)


class Organization(models.Model):
    """A company in the system; it is an operator, a provider, a tenant, or several of these."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    is_operator = models.BooleanField(default=False)
    is_provider = models.BooleanField(default=False)
    is_tenant = models.BooleanField(default=False)
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    billing_email = models.EmailField()
    time_zone = models.CharField(max_length=64, default="UTC", help_text="IANA name; new contracts begin with it")
    suspended_at = models.DateTimeField(null=True, blank=True, help_text="kept out by the operator from then on")
    suspended_because = models.CharField(max_length=200, blank=True)
    introduced_by = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="introduced",
        help_text="the provider who invited it",
    )
    fee_percent = models.DecimalField(
        max_digits=7, decimal_places=4, default=0, help_text="of a provider's new contracts, for the operator"
    )
    created_at = models.DateTimeField()
    second_step_required = models.BooleanField(
        default=False, help_text="members read its pages only with a second step of sign-in set up"
    )

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(models.F("is_operator"), condition=models.Q(is_operator=True), name="one_operator"),
            models.CheckConstraint(
                condition=models.Q(fee_percent__gte=0, fee_percent__lte=100), name="fee_within_whole"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Makes people who sign in with an e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> User:
        """Store a person; without a password nobody can sign in as them until one is set."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> User:
        """Store an operator's person who may enter the back office."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Find a person by e-mail address in any letter case."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. What they may see follows from their memberships."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200)
    is_staff = models.BooleanField(default=False, help_text="may enter the operator's back office")
    is_active = models.BooleanField(default=True)
    language = models.CharField(max_length=10, blank=True, help_text="of pages and letters; empty: as the browser asks")
    time_zone = models.CharField(max_length=64, blank=True, help_text="for reading (IANA); bills keep the contract's")
    theme = models.CharField(max_length=5, blank=True, help_text="light or dark; empty: the system's own")

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = ["name"]

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="email_in_any_case")]

    def __str__(self) -> str:
        return self.email


class Role(models.TextChoices):
    """What a member may do in an organization; `tenants.roles` holds the table."""

    OWNER = "owner"
    ADMIN = "admin"
    BILLING = "billing"
    DEVELOPER = "developer"
    VIEWER = "viewer"


class Membership(models.Model):
    """A person's role in an organization."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organization", "user"], name="one_role_per_member")]

    def __str__(self) -> str:
        return f"{self.role} {self.user_id}"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Words for choosing API keys."""

    def for_org(self, organization: Organization) -> ApiKeyQuerySet:
        """Keys that belong to `organization`."""
        return self.filter(organization=organization)

    def usable(self, at: datetime) -> ApiKeyQuerySet:
        """Keys neither revoked nor expired at an instant."""
        return self.filter(models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=at), revoked_at__isnull=True)


class ApiKey(models.Model):
    """A program's credential. The secret is shown once; only its SHA-256 is kept (it is random, so no slow hash)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, help_text="the first characters of the key, to recognise it by")
    secret_sha256 = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=32))
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.GenericIPAddressField(null=True, blank=True)
    networks = ArrayField(
        models.CharField(max_length=43), default=list, blank=True, help_text="where it may be used from; none: anywhere"
    )
    created_by = models.CharField(max_length=200, blank=True)
    rotated_from = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="rotated_to")

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.prefix}… {self.name}"


class AuditEntry(models.Model):
    """Who did what to what; append-only by database guard."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    actor = models.CharField(max_length=200, help_text="user e-mail, API key prefix, node, or job name")
    action = models.CharField(max_length=64)
    subject = models.CharField(max_length=200)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["organization", "-at"], name="audit_by_organization")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class IdempotentCall(models.Model):
    """A call of the API that made something under a caller's `Idempotency-Key`, and what it was answered."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, help_text="of the address and the body")
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organization", "key"], name="idempotency_key_once")]
        indexes: ClassVar = [models.Index(fields=["at"], name="idempotent_call_by_time")]

    def __str__(self) -> str:
        return self.key


class SignInAttempt(models.Model):
    """An attempt to sign in that has not succeeded; kept for as long as it counts (see `tenants.sign_in`)."""

    address = models.CharField(max_length=39, blank=True, help_text="IP address, or IPv6 network, it came from")
    email_sha256 = models.BinaryField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["address"], name="attempts_by_address"),
            models.Index(fields=["email_sha256"], name="attempts_by_email"),
            models.Index(fields=["at"], name="attempts_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.address} {self.at}"
