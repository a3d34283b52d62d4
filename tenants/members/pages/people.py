"""The pages of members, the same for tenants, providers and the operator: members, one of them, invitations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_http_methods, require_POST

from portal.figures import moment
from portal.locales import active_locale
from portal.parts import Empty, Pill
from portal.shell import Crumb
from tenants.acting import on_every_side
from tenants.members import changing, inviting
from tenants.members.reading import letter_of, members_of, open_invitations
from tenants.members.words import permission_rows, role_lines, role_names
from tenants.models import Role, User
from tenants.problems import Problem
from tenants.roles import MANAGE_MEMBERS, READ_MEMBERS, NotAllowed, allows, may_give
from tenants.telling import told

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenants.actors import Actor
    from tenants.invitation_models import Invitation
    from tenants.models import Membership


class InviteForm(forms.Form):
    """An address and a role."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=gettext_lazy("Role"), initial=Role.VIEWER.value)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        """Offer the roles that who asks may give."""
        super().__init__(*args, **kwargs)
        offered = self.fields["role"]
        assert isinstance(offered, forms.ChoiceField)
        offered.choices = given_by(actor)


def given_by(actor: Actor) -> list[tuple[str, str]]:
    """The roles that a person may give, each with what it is for."""
    lines = role_lines()
    return [
        (role, f"{name} {chr(0x2013)} {lines[role]}")
        for role, name in role_names().items()
        if may_give(actor.role, role)
    ]


def _members(request: HttpRequest, actor: Actor, side: str) -> HttpResponse:
    """List members and invitations; a POST invites."""
    posted = request.method == "POST"
    manages = allows(actor.role, MANAGE_MEMBERS)
    if posted and not manages:
        raise NotAllowed(MANAGE_MEMBERS)
    form = InviteForm(request.POST if posted else None, actor=actor)
    sent: tuple[Invitation, str] | None = None
    if form.is_bound and form.is_valid():
        try:
            sent = inviting.invite(
                actor=actor,
                language=translation.get_language() or "en",
                secret_key=settings.SECRET_KEY,
                now=_now(),
                **form.cleaned_data,
            )
        except Problem as refused:
            form.add_error(str(refused.extra.get("field", "")) or None, told(refused.said))
        else:
            form = InviteForm(actor=actor)
    status = 201 if sent else 422 if posted else 200
    return render(request, "tenants/members.html", _members_context(request, actor, side, form, sent), status=status)


def _members_context(
    request: HttpRequest, actor: Actor, side: str, form: InviteForm, sent: tuple[Invitation, str] | None
) -> dict[str, Any]:
    search, role = request.GET.get("q", "").strip()[:200], request.GET.get("role", "")
    locale = active_locale()
    manages = allows(actor.role, MANAGE_MEMBERS)
    names = role_names()
    return {
        "form": form if manages else None,
        "made": sent[0] if sent else None,
        "letters": settings.MAIL_READY,
        "invitation_address": _address(request, sent[1]) if sent else "",
        "search": search,
        "chosen_role": role,
        "roles": names.items(),
        "rows": [
            _member_row(one, side, names, locale) for one in members_of(actor.organization, search=search, role=role)
        ],
        "invitations": [
            _invitation_row(one, actor, side, names, locale) for one in open_invitations(actor.organization)
        ],
        "permissions": permission_rows(),
        "csv_url": f"{reverse(f'{side}-members-csv')}?{request.GET.urlencode()}",
        "empty": Empty(
            _("Nobody is found"), _("No member has this name or role. Search for something else."), icon="people"
        ),
    }


def _member_row(member: Membership, side: str, names: dict[str, str], locale: str) -> dict[str, Any]:
    return {
        "name": member.user.name or member.user.email,
        "email": member.user.email,
        "role": names.get(member.role, member.role),
        "since": moment(member.created_at, UTC, locale=locale),
        "seen": moment(member.user.last_login, UTC, locale=locale) if member.user.last_login else _("never"),
        "pill": None if member.user.is_active else Pill(_("Locked"), "warn"),
        "url": reverse(f"{side}-member", args=[member.pk]),
    }


def _invitation_row(one: Invitation, actor: Actor, side: str, names: dict[str, str], locale: str) -> dict[str, Any]:
    expired = one.expires_at <= _now()
    return {
        "email": one.email,
        "role": names.get(one.role, one.role),
        "by": one.invited_by,
        "until": moment(one.expires_at, UTC, locale=locale),
        "pill": Pill(_("Expired"), "warn") if expired else _letter_pill(one),
        "error": one.mail_error if not one.mailed_at else "",
        "act_url": reverse(f"{side}-invitation", args=[one.pk]) if may_give(actor.role, one.role) else "",
    }


def _letter_pill(one: Invitation) -> Pill:
    if not settings.MAIL_READY:
        return Pill(pgettext("invitation", "Open"), "info")
    found = letter_of(one)
    if found == "sent":
        return Pill(_("Letter sent"), "good")
    return Pill(_("Letter failed, tried again"), "bad") if found == "failed" else Pill(_("Letter waits"), "info")


def _invitation(request: HttpRequest, actor: Actor, side: str, *, invitation_id: UUID) -> HttpResponseBase:
    """Send an invitation again, or take it back."""
    action = request.POST.get("do", "")
    try:
        if action == "revoke":
            gone = inviting.revoke(actor=actor, invitation_id=invitation_id, now=_now())
            messages.success(request, _("The invitation of %(email)s is revoked.") % {"email": gone.email})
            return redirect(f"{side}-members")
        if action != "resend":
            raise Http404
        again = inviting.resend(actor=actor, invitation_id=invitation_id, secret_key=settings.SECRET_KEY, now=_now())
    except ObjectDoesNotExist as error:
        raise Http404 from error
    except Problem as refused:
        messages.error(request, told(refused.said))
        return redirect(f"{side}-members")
    form = InviteForm(actor=actor)
    context = _members_context(request, actor, side, form, again)
    return render(request, "tenants/members.html", context)


def _member(request: HttpRequest, actor: Actor, side: str, *, member_id: int) -> HttpResponseBase:
    """Show a member; a POST gives another role, takes them out, or leaves."""
    member = members_of(actor.organization).filter(pk=member_id).first()
    if member is None:
        raise Http404
    if request.method == "POST":
        return _member_act(request, actor, side, member)
    names = role_names()
    itself = member.user_id == request.user.pk
    context = {
        "member": member,
        "role_name": names.get(member.role, member.role),
        "roles": given_by(actor) if may_give(actor.role, member.role) else [],
        "itself": itself,
        "may_remove": may_give(actor.role, member.role) and not itself,
        "since": moment(member.created_at, UTC, locale=active_locale()),
        "rights": [name for name, held in _rights(member.role) if held],
        "crumbs": [Crumb(_("Members"), reverse(f"{side}-members")), Crumb(member.user.name or member.user.email)],
    }
    return render(request, "tenants/member.html", context)


def _member_act(request: HttpRequest, actor: Actor, side: str, member: Membership) -> HttpResponseBase:
    action, email = request.POST.get("do", ""), member.user.email
    itself = member.user_id == request.user.pk
    back = redirect(f"{side}-member", member.pk)
    try:
        if action == "role":
            changed = changing.change_role(
                actor=actor, member_id=member.pk, role=request.POST.get("role", ""), now=_now()
            )
            said = _("%(email)s is %(role)s from now on.") % {"email": email, "role": role_names()[changed.role]}
        elif action == "remove":
            changing.remove_member(actor=actor, member_id=member.pk, now=_now())
            said, back = _("%(email)s is no member any more.") % {"email": email}, redirect(f"{side}-members")
        elif action == "leave" and itself:
            assert isinstance(request.user, User)
            changing.leave(organization=actor.organization, person=request.user, now=_now())
            said, back = _("This organization is left."), redirect("home")
        else:
            raise Http404
    except ObjectDoesNotExist as error:
        raise Http404 from error
    except Problem as refused:
        messages.error(request, told(refused.said))
        return redirect(f"{side}-member", member.pk)
    messages.success(request, said)
    return back


def _rights(role: str) -> list[tuple[str, bool]]:
    place = list(Role).index(Role(role))
    return [(name, held[place]) for name, held in permission_rows()]


def _address(request: HttpRequest, token: str) -> str:
    """The address to hand over; where letters are sent only the letter has it, and so proves whose address it is."""
    return "" if settings.MAIL_READY else request.build_absolute_uri(reverse("invitation", args=[token]))


def _now() -> datetime:
    return datetime.now(UTC)


_gets_and_posts = require_http_methods(["GET", "HEAD", "POST"])
members = on_every_side(READ_MEMBERS, _members, _gets_and_posts)
member = on_every_side(READ_MEMBERS, _member, _gets_and_posts)
invitation = on_every_side(MANAGE_MEMBERS, _invitation, require_POST)
