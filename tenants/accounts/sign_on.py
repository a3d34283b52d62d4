"""Single sign-on of an organization: which provider vouches for whom, and who it may let in.

A provider is set up by an organization for itself, so what it says is believed of the organization's own members only,
within its own domains, and a session that it vouched for opens that organization alone: whoever runs a provider for one
organization must not become somebody in another.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.utils.translation import gettext as _

from tenants.accounts.sealing import seal
from tenants.hooks.outbound import WrongAddress, checked_url
from tenants.limits.reader import whole
from tenants.models import AuditEntry, Membership, Organization, User
from tenants.problems import Problem
from tenants.sentences import sentence
from tenants.sign_on_models import DOMAINS_MAX, SignOnProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tenants.actors import Actor

DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class WrongSignOn(Problem):
    """The provider cannot be set up like this."""

    status = 422
    code = "wrong_sign_on"
    title = "Single sign-on cannot be set up like this"


class SignOnRefused(Problem):
    """A provider vouched for somebody whom it may not let in."""

    status = 403
    code = "sign_on_refused"
    title = "This sign-on lets nobody in"


def keep_provider(
    *,
    actor: Actor,
    issuer: str,
    client_id: str,
    secret: str,
    domains: Sequence[str],
    networks: Sequence[Network],
    now: datetime,
) -> SignOnProvider:
    """Store an organization's provider in the place of the one before. An empty `secret` keeps the stored one.

    Another issuer forgets whom the old one vouched for: its subjects mean other people. Raises WrongSignOn.
    """
    wanted = {"issuer": _issuer(issuer, networks), "client_id": _client_id(client_id), "domains": _domains(domains)}
    with transaction.atomic():
        Organization.objects.select_for_update().get(pk=actor.organization.pk)
        kept = SignOnProvider.objects.filter(organization=actor.organization).first()
        if not secret and (kept is None or kept.issuer != wanted["issuer"]):
            raise WrongSignOn(
                sentence("secret: expected the secret that the provider gave for this client."), field="secret"
            )
        before = _shown(kept)
        sealed = seal(secret) if secret else kept.secret_sealed if kept else ""
        if kept is not None and kept.issuer != wanted["issuer"]:
            SocialAccount.objects.filter(provider=str(kept.pk)).delete()
        made, _made_now = SignOnProvider.objects.update_or_create(
            organization=actor.organization, defaults={**wanted, "secret_sealed": sealed, "changed_at": now}
        )
        after = {**_shown(made), "secret": "changed" if secret else "kept"}
        _audit(actor, "sign_on.kept", now, before or None, after)
    return made


def remove_provider(*, actor: Actor, now: datetime) -> bool:
    """Remove the provider and whom it vouched for; False where there is none. Its members need passwords then."""
    with transaction.atomic():
        Organization.objects.select_for_update().get(pk=actor.organization.pk)
        kept = SignOnProvider.objects.filter(organization=actor.organization).first()
        if kept is None:
            return False
        SocialAccount.objects.filter(provider=str(kept.pk)).delete()
        _audit(actor, "sign_on.removed", now, _shown(kept), None)
        kept.delete()
    return True


def require_second_step(*, actor: Actor, required: bool, now: datetime) -> bool:
    """Say whether members need a second step of sign-in; return whether anything changed."""
    with transaction.atomic():
        organization = Organization.objects.select_for_update().get(pk=actor.organization.pk)
        if organization.second_step_required == required:
            return False
        organization.second_step_required = required
        organization.save(update_fields=["second_step_required"])
        before, after = {"second_step_required": not required}, {"second_step_required": required}
        _audit(actor, "sign_in.second_step", now, before, after)
    return True


@whole("the way in is shown before it is known who asks")
def providers_of(email: str) -> list[SignOnProvider]:
    """Return the providers that may vouch for an address: of organizations with such a member and such a domain."""
    domain = email.rpartition("@")[2].lower()
    return list(
        SignOnProvider.objects.filter(
            domains__contains=[domain],
            organization__memberships__user__email__iexact=email,
            organization__memberships__user__is_active=True,
        )
        .select_related("organization")
        .order_by("organization__name", "pk")
    )


@whole("the way in is shown before it is known who asks")
def remembered(organization_id: str) -> list[SignOnProvider]:
    """Return the provider of the organization that a browser came in by before, by what its cookie says."""
    try:
        wanted = UUID(organization_id)
    except ValueError:
        return []
    return list(SignOnProvider.objects.filter(organization=wanted).select_related("organization"))


def vouched_person(*, provider: SignOnProvider, subject: str, email: str, known: User | None) -> User:
    """Return whom a provider's word lets in: `known` by the subject from before, else the member with this address.

    Raises SignOnRefused: for strangers, other domains, who left, and staff of the installation, whom the operator's
    own provider alone vouches for.
    """
    if not subject:
        raise SignOnRefused(_("The provider named no subject."))
    domain = email.rpartition("@")[2].lower()
    if domain not in provider.domains:
        words = {"allowed": ", ".join(provider.domains), "email": email}
        raise SignOnRefused(_("The provider vouches for addresses of %(allowed)s, and %(email)s is none.") % words)
    # The database takes a dotless i and an i for one letter of large ones; no address that is kept has other letters.
    person = known or (User.objects.filter(email__iexact=email).first() if email.isascii() else None)
    membership = Membership.objects.filter(organization=provider.organization_id, user=person).first()
    if person is None or membership is None or not person.is_active:
        words = {"email": email, "name": provider.organization.name}
        raise SignOnRefused(_("%(email)s is not a member of %(name)s. An owner can invite them.") % words)
    if person.is_staff and not provider.organization.is_operator:
        raise SignOnRefused(_("Staff of the installation sign in with their own password."))
    return person


def _issuer(issuer: str, networks: Sequence[Network]) -> str:
    try:
        return checked_url(issuer.strip().rstrip("/"), networks)
    except WrongAddress as error:
        raise WrongSignOn(f"issuer: {error.reason}", said=error.reason, field="issuer") from error


def _client_id(client_id: str) -> str:
    if not 1 <= len(client_id.strip()) <= 200 or not client_id.isprintable():
        raise WrongSignOn(sentence("client_id: expected 1 to 200 printable characters."), field="client_id")
    return client_id.strip()


def _domains(domains: Sequence[str]) -> list[str]:
    wanted = sorted({each.strip().lower() for each in domains if each.strip()})
    wrong = [each for each in wanted if not DOMAIN.fullmatch(each) or len(each) > 253]
    if wrong or not 1 <= len(wanted) <= DOMAINS_MAX:
        found = f"found {wrong[0][:60]!r}" if wrong else f"found {len(wanted)}"
        raise WrongSignOn(
            sentence(
                "domains: %(found)s, expected 1 to %(most)s domains such as example.com.", found=found, most=DOMAINS_MAX
            ),
            field="domains",
        )
    return wanted


def _shown(provider: SignOnProvider | None) -> dict[str, object]:
    if provider is None:
        return {}
    return {"issuer": provider.issuer, "client_id": provider.client_id, "domains": provider.domains}


def _audit(
    actor: Actor, action: str, now: datetime, before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> None:
    AuditEntry.objects.create(
        organization=actor.organization,
        actor=actor.name,
        action=action,
        subject=f"organization {actor.organization.slug}",
        before=dict(before) if before else None,
        after=dict(after) if after else None,
        at=now,
    )
