"""The page that an invitation's letter leads to: it says who invites whom to what, and takes the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django import forms
from django.contrib import messages
from django.http import Http404
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from tenants.members import accepting
from tenants.members.words import role_lines, role_names
from tenants.models import User
from tenants.problems import Problem
from tenants.scoping import SESSION_KEY, keep_last
from tenants.telling import told

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenants.invitation_models import Invitation
    from tenants.models import Membership


class NewPersonForm(forms.Form):
    """What a new person says of themselves; the address is the invitation's."""

    name = forms.CharField(
        label=pgettext_lazy("person", "Name"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=1_000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("At least 12 characters."),
    )


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """Show an invitation; a POST accepts it. 404 for a token that opens none, 410 where it is over."""
    found = accepting.find_invitation(token)
    if found is None:
        raise Http404
    over = accepting.over_since(found, timezone.now())
    if over:
        return _gone(request, found, over)
    account = accepting.account_of(found)
    person = request.user if isinstance(request.user, User) else None
    form = NewPersonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and (person is not None or account is None):
        try:
            joined = _accept(found, token, person, form)
        except accepting.InvitationOver as refused:
            return _gone(request, found, str(refused.extra["why"]))
        except Problem as refused:
            form.add_error(str(refused.extra.get("field", "")) or None, told(refused.said))
        else:
            if joined is not None:
                return _welcome(request, joined, person)
    context = {**_words(found), "state": _state(found, account, person), "form": form, "person": person}
    context["sign_in_url"] = f"{reverse('account_login')}?{urlencode({'next': request.path})}"
    return render(request, "tenants/invitation.html", context, status=422 if request.method == "POST" else 200)


def _accept(found: Invitation, token: str, person: User | None, form: NewPersonForm) -> Membership | None:
    """Make the person, or a new one, a member; None where the form has to be filled in anew."""
    if person is not None:
        return accepting.accept(invitation_id=found.pk, token=token, person=person, now=timezone.now())
    if not form.is_valid():
        return None
    return accepting.accept_as_new(invitation_id=found.pk, token=token, now=timezone.now(), **form.cleaned_data)


def _welcome(request: HttpRequest, joined: Membership, person: User | None) -> HttpResponseBase:
    answer: HttpResponseBase = redirect("home")
    if person is None:
        # By the door of all, so that the session is one that its owner sees and can end.
        entering = Login(user=joined.user, redirect_url=reverse("home"))
        answer = perform_password_login(request, {"email": joined.user.email}, entering)
    rotate_token(request)  # a form left open acts for the organization that it was filled in for, or not at all
    request.session[SESSION_KEY] = str(joined.organization_id)
    keep_last(answer, joined.organization)
    words = {"organization": joined.organization.name, "role": role_names()[joined.role]}
    messages.success(request, _("You act for %(organization)s now, as %(role)s.") % words)
    return answer


def _state(found: Invitation, account: User | None, person: User | None) -> str:
    """What the page offers: `join`, `another` (somebody else is signed in), `sign-in`, or `new`."""
    if person is not None:
        return "join" if person.email.casefold() == found.email.casefold() else "another"
    return "new" if account is None else "sign-in"


def _gone(request: HttpRequest, found: Invitation, why: str) -> HttpResponse:
    said = {
        "accepted": _("It was accepted already. Sign in to go on."),
        "revoked": _("It was taken back, or sent again since: look for a later letter."),
        "expired": _("It was good for a week, and that is over. Ask for another one."),
    }[why]
    context = {**_words(found), "said": said, "why": why}
    return render(request, "tenants/invitation_over.html", context, status=410)


def _words(found: Invitation) -> dict[str, Any]:
    return {
        "organization": found.organization.name,
        "by": found.invited_by,
        "email": found.email,
        "role": role_names().get(found.role, found.role),
        "role_line": role_lines().get(found.role, ""),
    }
