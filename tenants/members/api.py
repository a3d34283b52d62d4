"""The API of members and invitations: a program does what an admin may, within its scopes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.acting import program_acting
from tenants.calls import KEY_HEADER, made_once
from tenants.closed_shapes import ClosedSerializer
from tenants.instants import instant_text
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.members import changing, inviting
from tenants.members.reading import answer_to, letter_of, members_of, open_invitations
from tenants.models import Role
from tenants.shaped import valid

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from tenants.invitation_models import Invitation
    from tenants.models import Membership

T = TypeVar("T")
ADDRESS_WORDS: Final = (
    "where this installation sends no letters: the page to hand over, told in the first answer alone; else null"
)


class MemberSerializer(serializers.Serializer[Any]):
    """A member of the organization."""

    id = serializers.UUIDField(help_text="the person's")
    email = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.values)
    member_since = serializers.DateTimeField()
    last_sign_in_at = serializers.DateTimeField(allow_null=True)
    is_active = serializers.BooleanField(help_text="false: cannot sign in")


class MembersSerializer(PagedSerializer):
    """Members in the order they joined."""

    members = MemberSerializer(many=True)


class MemberRoleSerializer(ClosedSerializer):
    """A role to give."""

    role = serializers.ChoiceField(choices=Role.values)


class InvitationRequestSerializer(MemberRoleSerializer):
    """Whom to invite, and as what."""

    email = serializers.EmailField(max_length=inviting.EMAIL_CHARACTERS_MAX)
    language = serializers.ChoiceField(choices=inviting.LANGUAGES, default="en", help_text="of the letter")


class InvitationSerializer(serializers.Serializer[Any]):
    """An invitation, without its token."""

    id = serializers.UUIDField()
    email = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.values)
    language = serializers.CharField()
    invited_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=["open", "expired", "accepted", "revoked"])
    letter = serializers.ChoiceField(choices=["waiting", "sent", "failed"])


class InvitationsSerializer(PagedSerializer):
    """Open invitations in the order they were made."""

    invitations = InvitationSerializer(many=True)


class MadeInvitationSerializer(InvitationSerializer):
    """An invitation that was just made or sent again."""

    address = serializers.CharField(allow_null=True, help_text=ADDRESS_WORDS)


class MembersView(ListView):
    """Members of an organization."""

    required_scopes = {"GET": "members:read"}

    @extend_schema(
        operation_id="members_list",
        tags=["organization"],
        summary="List members",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(MembersSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List who acts for the organization, and as what."""
        paged = page_by_key(request, members_of(program_acting(request).organization), ("id",))
        return list_answer(request, "members", paged, MemberSerializer, _member)


class MemberView(APIView):
    """One member."""

    required_scopes = {"GET": "members:read", "PUT": "members:write", "DELETE": "members:write"}

    @extend_schema(
        operation_id="members_read", tags=["organization"], summary="Read a member", responses={200: MemberSerializer}
    )
    def get(self, request: Request, person_id: UUID) -> Response:
        """Read a member."""
        return Response(_member(_membership(request, person_id)))

    @extend_schema(
        operation_id="members_update",
        tags=["organization"],
        summary="Give a member a role",
        request=MemberRoleSerializer,
        responses={200: MemberSerializer},
    )
    def put(self, request: Request, person_id: UUID) -> Response:
        """Give a member another role; that of an owner is given and taken by people alone."""
        role = valid(MemberRoleSerializer, request.data)["role"]
        member_id = _membership(request, person_id).pk
        changed = _found(
            lambda: changing.change_role(actor=program_acting(request), member_id=member_id, role=role, now=_now())
        )
        return Response(_member(changed))

    @extend_schema(
        operation_id="members_delete", tags=["organization"], summary="Take a member out", responses={204: None}
    )
    def delete(self, request: Request, person_id: UUID) -> Response:
        """Take a member out; what they did stays on record."""
        member_id = _membership(request, person_id).pk
        _found(lambda: changing.remove_member(actor=program_acting(request), member_id=member_id, now=_now()))
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvitationsView(ListView):
    """Invitations into an organization."""

    required_scopes = {"GET": "members:read", "POST": "members:write"}

    @extend_schema(
        operation_id="invitations_list",
        tags=["organization"],
        summary="List open invitations",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(InvitationsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List invitations that are neither accepted nor revoked, those that expired included."""
        now = _now()
        paged = page_by_key(request, open_invitations(program_acting(request).organization), ("id",))
        return list_answer(request, "invitations", paged, InvitationSerializer, lambda one: _invitation(one, now))

    @extend_schema(
        operation_id="invitations_create",
        tags=["organization"],
        summary="Invite a person",
        parameters=[KEY_HEADER],
        request=InvitationRequestSerializer,
        responses={201: MadeInvitationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Invite the person at an e-mail address into a role; a letter goes out."""
        body, now = request._request.body, _now()
        given = valid(InvitationRequestSerializer, request.data)
        return _sent(
            request,
            body,
            now,
            lambda: inviting.invite(actor=program_acting(request), secret_key=settings.SECRET_KEY, now=now, **given),
        )


class InvitationView(APIView):
    """One invitation."""

    required_scopes = {"DELETE": "members:write"}

    @extend_schema(
        operation_id="invitations_delete",
        tags=["organization"],
        summary="Revoke an invitation",
        responses={204: None},
    )
    def delete(self, request: Request, invitation_id: UUID) -> Response:
        """Take an open invitation back."""
        _found(lambda: inviting.revoke(actor=program_acting(request), invitation_id=invitation_id, now=_now()))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResendView(APIView):
    """Sending an invitation again."""

    required_scopes = {"POST": "members:write"}

    @extend_schema(
        operation_id="invitations_resend",
        tags=["organization"],
        summary="Send an invitation again",
        parameters=[KEY_HEADER],
        request=None,
        responses={201: MadeInvitationSerializer},
    )
    def post(self, request: Request, invitation_id: UUID) -> Response:
        """Send an open invitation again, with a new address and a new week."""
        now = _now()
        return _found(
            lambda: _sent(
                request,
                request._request.body,
                now,
                lambda: inviting.resend(
                    actor=program_acting(request),
                    invitation_id=invitation_id,
                    secret_key=settings.SECRET_KEY,
                    now=now,
                ),
            )
        )


def _sent(request: Request, body: bytes, now: datetime, send: Callable[[], tuple[Invitation, str]]) -> Response:
    """Answer with an invitation on its way. What is kept for the same call again has no address."""
    told: dict[str, str] = {}

    def once() -> tuple[int, dict[str, Any]]:
        one, token = send()
        if not settings.MAIL_READY:
            told["address"] = request.build_absolute_uri(reverse("invitation", args=[token]))
        return status.HTTP_201_CREATED, {**_invitation(one, now), "address": None}

    answer = made_once(request, body, now, once)
    assert isinstance(answer.data, dict)
    return Response({**answer.data, **told}, status=answer.status_code)


def _membership(request: Request, person_id: UUID) -> Membership:
    found = members_of(program_acting(request).organization).filter(user_id=person_id).first()
    if found is None:
        raise Http404
    return found


def _found(act: Callable[[], T]) -> T:
    try:
        return act()
    except ObjectDoesNotExist as error:
        raise Http404 from error


def _member(member: Membership) -> dict[str, Any]:
    return {
        "id": str(member.user_id),
        "email": member.user.email,
        "name": member.user.name,
        "role": member.role,
        "member_since": instant_text(member.created_at),
        "last_sign_in_at": instant_text(member.user.last_login),
        "is_active": member.user.is_active,
    }


def _invitation(one: Invitation, now: datetime) -> dict[str, Any]:
    return {
        "id": str(one.pk),
        "email": one.email,
        "role": one.role,
        "language": one.language,
        "invited_by": one.invited_by,
        "created_at": instant_text(one.created_at),
        "expires_at": instant_text(one.expires_at),
        "state": answer_to(one, expired=one.expires_at <= now),
        "letter": letter_of(one),
    }


def _now() -> datetime:
    return datetime.now(UTC)
