"""The API of a tenant's usage keys and projects: to read them, and to say which key is in which project since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.bodies import checked
from metering.key_models import Project
from metering.key_queries import KnownKey, known_keys
from metering.projects import NAME_CHARS_MAX, UnknownKey, WrongProject, make_project, mark_key, put_key, rename_project
from tenants.authentication import caller_of, organization_of
from tenants.calls import once
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import (
    PAGE_PARAMETERS,
    ListView,
    PagedSerializer,
    list_answer,
    list_responses,
    page_by_key,
    page_of_few,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

SLUG_CHARS_MAX: Final = 64
WRITES: Final = "projects:write"


class ProjectSerializer(serializers.Serializer[Any]):
    """A tenant's name for a group of keys."""

    slug = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class ProjectsSerializer(PagedSerializer):
    """Projects in the order they were made."""

    projects = ProjectSerializer(many=True)


class ProjectNameSerializer(ClosedSerializer):
    """What a project is called."""

    name = serializers.CharField(max_length=NAME_CHARS_MAX)


class UsageKeySerializer(serializers.Serializer[Any]):
    """A label that events carry as their `key`."""

    id = serializers.UUIDField()
    key = serializers.CharField(help_text="the label")
    project = serializers.CharField(allow_null=True, help_text="slug of the project that it is in now")
    first_counted_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)


class UsageKeysSerializer(PagedSerializer):
    """Keys by label."""

    keys = UsageKeySerializer(many=True)


class UsageKeyChangeSerializer(ClosedSerializer):
    """What is to change of a key; what is left out stays."""

    project = serializers.CharField(max_length=SLUG_CHARS_MAX, required=False, allow_blank=True, help_text='"": none')
    from_at = serializers.DateTimeField(required=False, help_text="since when it is in the project; now if left out")
    deleted = serializers.BooleanField(required=False)


class ProjectsView(ListView):
    """Projects of the organization."""

    required_scopes = {"GET": "usage:read", "POST": WRITES}

    @extend_schema(
        operation_id="projects_list",
        tags=["usage"],
        summary="List projects",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(ProjectsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the organization's projects in the order they were made."""
        found = Project.objects.filter(tenant=organization_of(request))
        paged = page_by_key(request, found, ("created_at", "id"))
        return list_answer(request, "projects", paged, ProjectSerializer, _project)

    @extend_schema(
        operation_id="projects_create",
        tags=["usage"],
        summary="Make a project",
        request=ProjectNameSerializer,
        responses={201: ProjectSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Make a project; its slug follows from its name."""
        name = checked(ProjectNameSerializer(data=request.data), WrongProject)["name"]
        made = make_project(tenant=organization_of(request), name=name, actor=caller_of(request), now=_now())
        return Response(_project(made), status=status.HTTP_201_CREATED)


class ProjectView(APIView):
    """One project."""

    required_scopes = {"PUT": WRITES}

    @extend_schema(
        operation_id="projects_update",
        tags=["usage"],
        summary="Rename a project",
        request=ProjectNameSerializer,
        responses={200: ProjectSerializer},
    )
    def put(self, request: Request, slug: str) -> Response:
        """Give a project another name; its slug stays."""
        name = checked(ProjectNameSerializer(data=request.data), WrongProject)["name"]
        renamed = rename_project(
            tenant=organization_of(request), slug=slug, name=name, actor=caller_of(request), now=_now()
        )
        return Response(_project(renamed))


class UsageKeysView(ListView):
    """Usage keys of the organization."""

    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="usage_keys_list",
        tags=["usage"],
        summary="List usage keys",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("q", str, description="only keys whose label holds this text"),
        ],
        responses=list_responses(UsageKeysSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the labels under which usage of the organization was counted, with the project of each by now."""
        text = request.query_params.get("q", "").replace("\0", "")
        keys = known_keys(organization_of(request), now=_now(), text=text)
        paged = page_of_few(request, keys, lambda one: (one.label,))
        return list_answer(request, "keys", paged, UsageKeySerializer, _key)


class UsageKeyView(APIView):
    """One usage key."""

    required_scopes = {"PATCH": WRITES}

    @extend_schema(
        operation_id="usage_keys_partial_update",
        tags=["usage"],
        summary="Change a usage key",
        request=UsageKeyChangeSerializer,
        responses={200: UsageKeySerializer},
    )
    def patch(self, request: Request, key_id: UUID) -> Response:
        """Put a key into a project from an instant on, or into none; mark it as deleted, or as not deleted after all.

        What it used before the instant stays in the project that it was in.
        """
        given = checked(UsageKeyChangeSerializer(data=request.data), WrongProject)
        tenant, now = organization_of(request), _now()
        by: dict[str, Any] = {"tenant": tenant, "key_id": key_id, "actor": caller_of(request), "now": now}
        if "project" in given:
            put_key(project=given["project"], from_at=given.get("from_at", now), **by)
        if "deleted" in given:
            mark_key(deleted=given["deleted"], **by)
        found = next((one for one in known_keys(tenant, now=now) if one.id == key_id), None)
        if found is None:
            raise UnknownKey("There is no such key.")
        return Response(_key(found))


def _now() -> datetime:
    return timezone.now()  # noqa: TID251  an entry point


def _project(one: Project) -> dict[str, object]:
    return {"slug": one.slug, "name": one.name, "created_at": one.created_at}


def _key(one: KnownKey) -> dict[str, object]:
    return {
        "id": str(one.id),
        "key": one.label,
        "project": one.project or None,
        "first_counted_at": one.first_counted_at,
        "last_used_at": one.last_used_at,
        "deleted_at": one.deleted_at,
    }
