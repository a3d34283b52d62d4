"""Whose the rows are: organizations, people, and Django's own tables."""

from __future__ import annotations

from typing import Final

from forecourt.rows.rules import UNKNOWN, Declared, Open, Work, own, partners, person, via, where

PEOPLE: Final[dict[str, Declared]] = {
    "admin.logentry": Work("the back office alone reads it"),
    "auth.permission": Open("the same for everybody"),
    "auth.group_permissions": Open("the same for everybody"),
    "auth.group": Open("the same for everybody"),
    "contenttypes.contenttype": Open("the same for everybody"),
    "sessions.session": Open("found by a key that nobody can guess, before it is known whose it is"),
    "tenants.organization": where("id IN (SELECT organization_id FROM tenants_membership WHERE user_id = {person})")
    | partners(""),
    # People of the parties appear in what they proposed, decided and signed.
    "tenants.user": person("id")
    | where("id IN (SELECT user_id FROM tenants_membership)")
    | where("id IN (SELECT proposed_by_id FROM metering_substitution)")
    | where("id IN (SELECT decided_by_id FROM metering_substitution)"),
    "tenants.user_groups": person("user_id"),
    "tenants.user_user_permissions": person("user_id"),
    "tenants.membership": own("organization") | where("user_id = {person}"),
    # A provider is told whether the owner of a tenant that it brought has come in.
    "tenants.invitation": own("organization")
    | where("organization_id IN (SELECT id FROM tenants_organization WHERE introduced_by_id = {me})"),
    "tenants.askedletter": Work("asked for before anybody is known; the sweep that sends it reads it"),
    "tenants.ratewindow": Open("numbers of calls; counted beside what they ask"),
    "account.emailaddress": person("user_id"),
    "account.emailconfirmation": via("email_address"),
    "mfa.authenticator": person("user_id"),
    "usersessions.usersession": person("user_id"),
    # Signing in asks which organization's provider an address belongs to, before anybody is known.
    "tenants.signonprovider": own("organization") | where(UNKNOWN),
    "socialaccount.socialapp": Open("none is stored: each organization's is its sign-on provider"),
    "socialaccount.socialaccount": person("user_id"),
    "socialaccount.socialtoken": via("account"),
    "forecourt.sweeprun": Work("the operator's look at what runs"),
    "tenants.apikey": own("organization"),
    "tenants.providerfee": own("organization"),
    "tenants.auditentry": own("organization"),
    "tenants.idempotentcall": own("organization"),
    "tenants.signinattempt": Open("hashes of what was tried, counted before anybody is known"),
    "tenants.webhookendpoint": own("organization"),
    "tenants.webhookevent": own("organization"),
    "tenants.webhookdelivery": via("endpoint"),
    "tenants.webhookattempt": via("delivery"),
    # Bills show how both parties stand on them.
    "tenants.logo": partners("organization"),
    "tenants.billingprofile": partners("organization"),
}
