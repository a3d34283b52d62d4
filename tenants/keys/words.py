"""Scopes in the words of the reader."""

from __future__ import annotations

from django.utils.translation import gettext as _


def scope_names() -> dict[str, str]:
    """What each scope lets a program do."""
    return {
        "usage:read": _("Read usage, gaps and residuals"),
        "events:write": _("Send usage events"),
        "reporting:write": _("Hand over whose reports bill a deployment, say what alerts were"),
        "invoices:read": _("Read invoices, their lines and evidence"),
        "books:read": _("Read accounts, trial balances and postings"),
        "invoices:write": _("Approve drafts, say how invoices are issued, try steps again"),
        "invoices:correct": _("Issue credit notes, pay balances out, ask and answer questions"),
        "costs:write": _("Say what clusters cost"),
        "contracts:read": _("Read contracts, versions and amendments"),
        "contracts:write": _("Draft, offer, accept and withdraw contracts"),
        "fleet:read": _("Read clusters, nodes and what is held"),
        "fleet:write": _("Make enrolment tokens, revoke nodes"),
        "prices:read": _("Read price books and public prices"),
        "revenue:write": _("State certified revenue under a share"),
        "prices:write": _("Open price books, publish and announce versions"),
        "credits:write": _("Grant prepaid credit, offer and redeem coupons"),
        "bank:write": _("Take in bank statements, and say what movements were"),
        "budgets:write": _("Set budgets, retire them, lift what they stop"),
        "profile:write": _("Say how the organization stands on bills and taxes"),
        "webhooks:read": _("Read webhook endpoints and deliveries"),
        "webhooks:write": _("Add and change webhook endpoints, send again"),
        "projects:write": _("Make and rename projects, put usage keys into them"),
        "leases:write": _("Ask for quotes, reserve, extend and end leases"),
        "organizations:read": _("Read the organization"),
        "organizations:write": _("Change the organization"),
        "members:read": _("Read members and invitations"),
        "members:write": _("Invite people, change roles, take members out"),
        "keys:read": _("Read API keys"),
        "keys:write": _("Make, change, rotate and revoke API keys"),
        "audit:read": _("Read who did what"),
    }
