"""What django-allauth asks of single sign-on: which providers there are, how they are called, and whom they let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.shortcuts import render
from django.utils.translation import gettext as _

from tenants.accounts.guarded_calls import guarded_session
from tenants.accounts.sealing import unseal
from tenants.accounts.sign_on import SignOnRefused, vouched_person
from tenants.hooks.api import networks
from tenants.limits.reader import whole
from tenants.sign_on_models import SignOnProvider

if TYPE_CHECKING:
    import requests
    from django.http import HttpRequest, HttpResponse

    from tenants.models import User


class SignOn(DefaultSocialAccountAdapter):
    """Single sign-on by the providers that organizations set up for themselves."""

    @whole("the provider of a login is read again until its second step is done, before anybody is signed in")
    def list_apps(
        self,
        request: HttpRequest,  # noqa: ARG002  allauth's signature
        provider: str | None = None,
        client_id: str | None = None,
    ) -> list[SocialApp]:
        """Return the provider that an address names by its id; none is listed without one.

        By client alone a login is read again that waits for its second step; which organization vouched for it is kept
        apart (`tenants.accounts.vouched`), since two may have clients of one name.
        """
        kept = SignOnProvider.objects.select_related("organization").order_by("pk")
        if provider == OpenIDConnectProvider.id and client_id:
            return [_app(one) for one in kept.filter(client_id=client_id)[:1]]
        try:
            return [_app(one) for one in kept.filter(pk=UUID(provider or ""))]
        except ValueError:
            return []

    def get_requests_session(self) -> requests.Session:
        """Return what providers are called with."""
        return guarded_session(networks())

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:  # noqa: ARG002
        """Nobody signs up: whoever comes was invited."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Let a person in whom a provider vouches for, or show why not."""
        try:
            person = _vouched(sociallogin)
        except SignOnRefused as refused:
            raise ImmediateHttpResponse(_page(request, refused)) from refused
        if not sociallogin.is_existing:
            sociallogin.connect(request, person)

    def on_authentication_error(self, request: HttpRequest, *_facts: Any, **_more: Any) -> None:
        """Say that a provider did not answer as it should, without its words."""
        refused = SignOnRefused(_("The provider did not answer as it should, or the attempt is too old. Try again."))
        raise ImmediateHttpResponse(_page(request, refused))


def _page(request: HttpRequest, refused: SignOnRefused) -> HttpResponse:
    return render(request, "account/sign_on_refused.html", {"refused": refused}, status=refused.status)


def _vouched(sociallogin: Any) -> User:
    """Return whom a login of a provider means. What its token and its page of the person say must be of one subject."""
    claims = sociallogin.account.extra_data
    token, told = claims.get("id_token") or {}, claims.get("userinfo") or {}
    if not token or (told and told.get("sub") != token.get("sub")):
        raise SignOnRefused(_("The provider told of another person than its token names."))
    speaks = told if told.get("email") else token
    email = str(speaks.get("email") or "")
    # Providers that let people sign up, or type an address themselves, say so; many say nothing of it.
    if str(speaks.get("email_verified", True)).lower() == "false":
        raise SignOnRefused(_("The provider has not confirmed that %(email)s is theirs.") % {"email": email})
    return vouched_person(
        provider=SignOnProvider.objects.select_related("organization").get(pk=sociallogin.account.provider),
        subject=str(token.get("sub", "")),
        email=email,
        known=sociallogin.user if sociallogin.is_existing else None,
    )


def _app(provider: SignOnProvider) -> SocialApp:
    return SocialApp(
        provider=OpenIDConnectProvider.id,
        provider_id=str(provider.pk),
        name=provider.organization.name,
        client_id=provider.client_id,
        secret=unseal(provider.secret_sealed),
        settings={
            "server_url": provider.issuer,
            "oauth_pkce_enabled": True,
            # Tokens are held to the issuer that was set up, whatever its document says.
            "openid_configuration_overrides": {"issuer": provider.issuer},
        },
    )
