"""Pages of single sign-on: finding one's organization, going to its provider and back, and setting it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect import views as openid
from django import forms
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from portal.parts import Pill
from tenants.accounts import sign_on
from tenants.accounts.adapters import WAY_COOKIE, public
from tenants.accounts.asked import ask_letter
from tenants.acting import on_every_side
from tenants.asked_letter_models import AskedLetter
from tenants.hooks.api import networks
from tenants.limits.reader import whole
from tenants.models import User
from tenants.password_backend import address_of
from tenants.problems import Problem
from tenants.roles import MANAGE_SIGN_IN
from tenants.second_steps import without_second_step
from tenants.sign_in import note_attempt
from tenants.sign_on_models import SignOnProvider
from tenants.telling import told

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from tenants.actors import Actor


class FindForm(forms.Form):
    """The address whose organization is looked for."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )


class ProviderForm(forms.Form):
    """What an organization knows of its provider."""

    issuer = forms.CharField(
        label=gettext_lazy("Issuer"), max_length=300, help_text=gettext_lazy("Such as https://login.example.com")
    )
    client_id = forms.CharField(label=gettext_lazy("Client id"), max_length=200)
    secret = forms.CharField(
        label=gettext_lazy("Client secret"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Empty: the stored one is kept."),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    domains = forms.CharField(
        label=gettext_lazy("E-mail domains"),
        max_length=5_000,
        help_text=gettext_lazy("Joined by commas. Members with addresses there may sign in through the provider."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def find(request: HttpRequest) -> HttpResponse:
    """Show the way that this browser came in by before; a POST sends the ways of an address to it, whoever's it is."""
    following = request.GET.get("next", "")
    form = FindForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        email, now = form.cleaned_data["email"], timezone.now()
        note_attempt(address=address_of(request), email=f"organization {email}", now=now)
        language = translation.get_language() or "en"
        ask_letter(kind=AskedLetter.Kind.SIGN_ON, email=email, language=language, now=now)
        return render(request, "account/sign_on.html", {"sent": True})
    query = f"?{urlencode({'next': following})}" if following else ""
    ways = [
        {"name": one.organization.name, "issuer": one.issuer, "url": reverse("sign-on-go", args=[one.pk]) + query}
        for one in sign_on.remembered(request.COOKIES.get(WAY_COOKIE, ""))
    ]
    return render(request, "account/sign_on.html", {"form": form, "ways": ways})


@require_safe
def go(request: HttpRequest, provider_id: UUID) -> HttpResponse:
    """Lead to a provider."""
    return _answered(request, openid.login, provider_id)


@require_safe
def back(request: HttpRequest, provider_id: UUID) -> HttpResponse:
    """Take a person in who comes back from a provider."""
    return _answered(request, openid.callback, provider_id)


def _answered(request: HttpRequest, view: Any, provider_id: UUID) -> HttpResponse:
    """Call django-allauth; a provider that is away, or talks nonsense, is a page and not a fault."""
    try:
        with whole("a provider vouches for somebody who is not signed in yet, for one organization that is named"):
            response: HttpResponse = view(request, provider_id=str(provider_id))
    except (requests.RequestException, OAuth2Error, KeyError, ValueError, TypeError):
        refused = sign_on.SignOnRefused(_("The provider did not answer as it should. Try again, or use a password."))
        return render(request, "account/sign_on_refused.html", {"refused": refused}, status=502)
    return response


def _settings(request: HttpRequest, actor: Actor, side: str) -> HttpResponse:
    """Show how members sign in; a POST keeps or removes the provider, or asks for a second step."""
    confirm_url = _confirm_url(request, side)
    if confirm_url and request.method == "POST":
        words = _("Confirm first that it is you. Nothing was done yet, and what you typed is not kept.")
        messages.warning(request, words)
        return redirect(confirm_url)
    kept = SignOnProvider.objects.filter(organization=actor.organization).first()
    known = {"issuer": kept.issuer, "client_id": kept.client_id, "domains": ", ".join(kept.domains)} if kept else None
    bound = request.method == "POST" and request.POST.get("do") == "keep"
    form = ProviderForm(request.POST if bound else None, initial=known)
    if request.method == "POST":
        try:
            done = _done(request.POST.get("do", ""), form, actor)
        except Problem as refused:
            form.add_error(str(refused.extra.get("field") or "") or None, told(refused.said))
        else:
            if done:
                messages.success(request, done)
                return redirect(f"{side}-sign-on")
    missing = without_second_step(actor.organization)
    own = User.objects.filter(email=actor.name).first()
    context = {
        "form": form,
        "confirm_url": confirm_url,
        "kept": kept,
        "provider_pill": Pill(_("On"), "good") if kept else Pill(_("Off")),
        "back_url": public(reverse("openid_connect_callback", args=[kept.pk])) if kept else "",
        "required": actor.organization.second_step_required,
        "step_pill": Pill(_("Required"), "good") if actor.organization.second_step_required else Pill(_("Optional")),
        "missing": [one.email for one in missing],
        "own_missing": own in missing,
    }
    return render(request, "account/sign_on_settings.html", context, status=422 if bound else 200)


def _confirm_url(request: HttpRequest, side: str) -> str:
    """Return where a person types the password once more before they say who signs in; empty where they just did.

    A session that was left open must not become a door of its own: whoever names the provider can be any member.
    """
    if not is_reauthentication_required(request, app="account"):
        return ""
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': reverse(f'{side}-sign-on')})}"


def _done(action: str, form: ProviderForm, actor: Actor) -> str:
    """Do what a button says, and return what was done; nothing where the form says what is wrong."""
    now = timezone.now()
    if action == "keep":
        if not form.is_valid():
            return ""
        domains = form.cleaned_data.pop("domains").split(",")
        sign_on.keep_provider(actor=actor, domains=domains, networks=networks(), now=now, **form.cleaned_data)
        return _("Members of these domains may sign in through the provider.")
    if action == "remove":
        sign_on.remove_provider(actor=actor, now=now)
        return _("Nobody signs in through a provider any more.")
    if action in ("require", "allow"):
        sign_on.require_second_step(actor=actor, required=action == "require", now=now)
        return _("Members need a second step now.") if action == "require" else _("A second step is optional now.")
    raise Http404


sign_on_settings = on_every_side(MANAGE_SIGN_IN, _settings, require_http_methods(["GET", "HEAD", "POST"]))
