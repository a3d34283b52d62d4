"""The pages of one's own account: who one is, how one signs in, where one is signed in, what is kept, and leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from allauth.account.decorators import reauthentication_required
from allauth.account.views import email as change_address
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.usersessions.internal.flows.sessions import end_other_sessions, end_sessions
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from portal.figures import moment
from portal.locales import active_locale
from portal.parts import Pill
from portal.punctuation import joined
from tenants.accounts.adapters import deliver, keep_choices
from tenants.accounts.addresses import keep_address
from tenants.accounts.browsers import browser_and_system
from tenants.accounts.codes import spend
from tenants.accounts.forms import PersonForm
from tenants.accounts.leaving import alone_in
from tenants.accounts.leaving import leave as leave_now
from tenants.accounts.letters import REMOVED, notice_letter
from tenants.accounts.own_data import own_data as data_of
from tenants.members.changing import LastOwner
from tenants.members.words import role_names
from tenants.models import User
from tenants.password_backend import address_of
from tenants.scoping import acting_membership, memberships_in
from tenants.signed_in import signed_in
from tenants.telling import told

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def person(request: HttpRequest) -> HttpResponse:
    """Show the account; a POST changes what a person says of themselves."""
    own = _person(request)
    kept = {name: getattr(own, name) for name in ("name", "language", "time_zone", "theme")}
    form = PersonForm(request.POST if request.method == "POST" else None, initial=kept)
    if form.is_bound and form.is_valid():
        User.objects.filter(pk=own.pk).update(**form.cleaned_data)
        own.refresh_from_db()
        with translation.override(own.language or translation.get_language()):
            messages.success(request, _("Your choices are kept."))
        response: HttpResponse = redirect("account")
        for cookie, name in ((settings.LANGUAGE_COOKIE_NAME, "language"), ("theme", "theme")):
            if not form.cleaned_data[name]:
                response.delete_cookie(cookie)
        keep_choices(response, own)
        return response
    return render(request, "account/account.html", _account(request, own, form), status=422 if form.is_bound else 200)


class SetUpApp(ActivateTOTPView):
    """Set up an authenticator app by its first code, which is no code to sign in with any more."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Keep the app, and that its code was used."""
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            made = Authenticator.objects.get(user_id=form.user.pk, type=Authenticator.Type.TOTP)
            spend(made, form.cleaned_data["code"])
        return response


@signed_in
def address(request: HttpRequest) -> HttpResponse:
    """Change the address that one signs in with."""
    keep_address(_person(request).pk)
    response: HttpResponse = change_address(request)
    return response


@require_safe
@signed_in
def second_steps(request: HttpRequest) -> HttpResponse:
    """Show the second steps of sign-in, and which organizations ask for one."""
    own = _person(request)
    kept = list(Authenticator.objects.filter(user=own).order_by("pk"))
    codes = next((one for one in kept if one.type == Authenticator.Type.RECOVERY_CODES), None)
    asking = [one.organization.name for one in memberships_in(request) if one.organization.second_step_required]
    protected = any(one.type != Authenticator.Type.RECOVERY_CODES for one in kept)
    return render(
        request,
        "mfa/index.html",
        {
            "pill": Pill(_("On"), "good") if protected else Pill(_("Off"), "warn"),
            "app": next((_step(request, one) for one in kept if one.type == Authenticator.Type.TOTP), None),
            "passkeys": [_step(request, one) for one in kept if one.type == Authenticator.Type.WEBAUTHN],
            "codes_left": len(codes.wrap().get_unused_codes()) if codes else None,
            "asking": joined(asking) if asking and not protected else "",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def sessions(request: HttpRequest) -> HttpResponse:
    """List where the person is signed in; a POST ends one session, or all but this one."""
    own = _person(request)
    if request.method != "POST":
        return render(request, "usersessions/sessions.html", {"sessions": _sessions(request, own)})
    if request.POST.get("session") == "others":
        end_other_sessions(request, own)
        messages.success(request, _("All other sessions were signed out."))
        return redirect("account-sessions")
    number = request.POST.get("session", "")
    ended = get_object_or_404(UserSession, user=own, pk=int(number) if number.isdecimal() and len(number) < 18 else 0)
    end_sessions(request, [ended])
    if not request.user.is_authenticated:
        return redirect("account_login")
    messages.success(request, _("The session was signed out."))
    return redirect("account-sessions")


@require_safe
@signed_in
@never_cache
def own_data(request: HttpRequest) -> HttpResponse:
    """Give everything that is kept of the person as a JSON file."""
    answer = JsonResponse(data_of(_person(request), timezone.now()), json_dumps_params={"indent": 2})
    answer["Content-Disposition"] = 'attachment; filename="forecourt-account.json"'
    return answer


class LeaveForm(forms.Form):
    """The address typed once more: what cannot be undone is not done by a slip of the hand."""

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = forms.EmailField(label=_("Type your e-mail address to confirm"))
        self._email = email

    def clean_email(self) -> str:
        """Return the address if it is the person's own."""
        typed = str(self.cleaned_data["email"])
        if typed.casefold() != self._email.casefold():
            raise forms.ValidationError(_("This is not the address of this account."))
        return typed


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@reauthentication_required
def leave(request: HttpRequest) -> HttpResponse:
    """Say what is deleted and what stays; a POST deletes the account."""
    own = _person(request)
    email = own.email
    form = LeaveForm(request.POST if request.method == "POST" else None, email=email)
    if form.is_bound and form.is_valid():
        now = timezone.now()
        try:
            leave_now(person=own, now=now)
        except LastOwner as refused:
            form.add_error(None, told(refused.said))
        else:
            letter = notice_letter(
                REMOVED,
                at=now,
                zone=ZoneInfo(own.time_zone or "UTC"),
                address=address_of(request),
                facts={},
                url=settings.PUBLIC_URL,
                language=own.language or translation.get_language() or "en",
            )
            logout(request)
            deliver(letter, email)
            return render(request, "account/deleted.html", {"told_by_letter": settings.MAIL_READY})
    unsaid = [] if form.non_field_errors() else alone_in(own)
    context = {"form": form, "alone": joined(one.name for one in unsaid)}
    return render(request, "account/delete.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def back_office_sign_in(request: HttpRequest) -> HttpResponse:
    """Send who wants to enter the back office through the one door; who is in and may not gets 403."""
    if request.user.is_authenticated:
        if not request.user.is_staff:
            raise PermissionDenied
        return redirect("admin:index")
    following = request.GET.get(REDIRECT_FIELD_NAME, "") or reverse("admin:index")
    return redirect(f"{reverse('account_login')}?{urlencode({REDIRECT_FIELD_NAME: following})}")


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User), "only after signed_in"
    return request.user


def _account(request: HttpRequest, own: User, form: PersonForm) -> dict[str, Any]:
    steps = {one.type for one in Authenticator.objects.filter(user=own)} - {Authenticator.Type.RECOVERY_CODES}
    acting = acting_membership(request)
    return {
        "form": form,
        "own": own,
        "second_step": Pill(_("On"), "good") if steps else Pill(_("Off"), "warn"),
        "session_count": UserSession.objects.filter(user=own).count(),
        "organizations": [
            {
                "name": one.organization.name,
                "role": role_names()[one.role],
                "since": _moment(request, one.created_at),
                "url": reverse("act-as", args=[one.organization.slug]),
                "current": acting is not None and one.pk == acting.pk,
            }
            for one in memberships_in(request)
        ],
    }


def _sessions(request: HttpRequest, own: User) -> list[dict[str, Any]]:
    rows = []
    for one in sorted(UserSession.objects.purge_and_list(own), key=lambda each: each.last_seen_at, reverse=True):
        browser, system = browser_and_system(one.user_agent)
        rows.append(
            {
                "pk": one.pk,
                "title": _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
                if browser and system
                else browser or system or _("Unknown browser"),
                "address": one.ip,
                "since": _moment(request, one.created_at),
                "seen": _moment(request, one.last_seen_at),
                "current": one.session_key == request.session.session_key,
            }
        )
    return rows


def _step(request: HttpRequest, one: Authenticator) -> dict[str, Any]:
    return {
        "pk": one.pk,
        "name": one.data.get("name", "") or _("Authenticator app"),
        "since": _moment(request, one.created_at),
        "used": _moment(request, one.last_used_at) if one.last_used_at else _("Never"),
    }


def _moment(request: HttpRequest, at: Any) -> str:
    zone = ZoneInfo(_person(request).time_zone or "UTC")
    return moment(at, zone, locale=active_locale())
