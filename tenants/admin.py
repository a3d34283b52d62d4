"""The operator's back office: people and organizations can be edited, facts can only be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.models import Group

from tenants.back_office import ReadOnly
from tenants.models import ApiKey, AuditEntry, Membership, Organization, User

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    Table = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
else:
    # Django's admin classes take type arguments in their stubs only.
    Table = admin.ModelAdmin
    Inline = admin.TabularInline


class Members(Inline):
    """The members of an organization, on its page."""

    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Organization)
class OrganizationAdmin(Table):
    """Organizations and their members."""

    list_display = ["name", "slug", "is_operator", "is_provider", "is_tenant", "country"]
    search_fields = ["name", "slug"]
    # What is agreed and what stops somebody goes through the operator's pages, which write it into the audit log.
    readonly_fields = ["fee_percent", "introduced_by", "suspended_at", "suspended_because", "created_at"]
    inlines = [Members]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """An organization is named by facts and stays."""
        return False


@admin.register(User)
class UserAdmin(Table):
    """People; passwords are set by their owners."""

    list_display = ["email", "name", "is_active", "is_staff"]
    search_fields = ["email", "name"]
    fields = ["email", "name", "is_active", "is_staff"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """People leave by a page of their own, which knows last owners and writes the log; inactive, they stay out."""
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    """API keys, without their secrets."""

    list_display = ["prefix", "organization", "name", "scopes", "last_used_at", "revoked_at"]
    fields = [
        "prefix",
        "organization",
        "name",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    ]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    """Who did what."""

    list_display = ["at", "organization", "actor", "action", "subject"]
    list_filter = ["action"]


admin.site.unregister(Group)
