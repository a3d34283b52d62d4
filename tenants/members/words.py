"""Roles and permissions in the words of the reader."""

from __future__ import annotations

from django.utils.translation import gettext as _

from tenants import roles
from tenants.models import Role


def role_names() -> dict[str, str]:
    """The name of every role."""
    return {
        Role.OWNER: _("owner"),
        Role.ADMIN: _("admin"),
        Role.BILLING: _("billing"),
        Role.DEVELOPER: _("developer"),
        Role.VIEWER: _("viewer"),
    }


def role_lines() -> dict[str, str]:
    """What each role is for, in a line."""
    return {
        Role.OWNER: _("Everything, owners and sign-in included"),
        Role.ADMIN: _("Everything but owners and how people sign in"),
        Role.BILLING: _("Usage, contracts, invoices, payments and budgets"),
        Role.DEVELOPER: _("Usage, leases, API keys and webhooks; no invoices"),
        Role.VIEWER: _("Reads usage, contracts and invoices; changes nothing"),
    }


def permission_names() -> dict[str, str]:
    """What each permission lets a member do."""
    return {
        roles.READ_USAGE: _("Read usage"),
        roles.READ_INVOICES: _("Read invoices, payments and settings"),
        roles.READ_FLEET: _("Read clusters, nodes and leases"),
        roles.READ_PRICES: _("Read prices"),
        roles.READ_CONTRACTS: _("Read contracts"),
        roles.READ_MEMBERS: _("See who is a member"),
        roles.READ_BUDGETS: _("Read budgets and alerts"),
        roles.READ_AUDIT: _("Read the audit log"),
        roles.CORRECT_USAGE: _("Propose and decide corrections of usage"),
        roles.SET_PRICES: _("Draft, publish and announce prices"),
        roles.EDIT_COSTS: _("Say what clusters cost"),
        roles.MANAGE_LEASES: _("Reserve, extend and end leases"),
        roles.STATE_REVENUE: _("Certify revenue under a share"),
        roles.AGREE_CONTRACTS: _("Draft, offer and accept contracts"),
        roles.MATCH_PAYMENTS: _("Take in bank statements and match payments"),
        roles.EDIT_PROFILE: _("Say how the organization stands on bills, and its taxes"),
        roles.CORRECT_INVOICES: _("Question, credit and write off invoices"),
        roles.MANAGE_BUDGETS: _("Set budgets, alerts and what they stop"),
        roles.MANAGE_HOOKS: _("Manage webhooks"),
        roles.MANAGE_PROJECTS: _("Group usage keys into projects"),
        roles.MANAGE_KEYS: _("Manage API keys, within the own role"),
        roles.MANAGE_MEMBERS: _("Invite members, change roles, take members out"),
        roles.MANAGE_SIGN_IN: _("Set single sign-on and required second factors"),
        roles.EDIT_ORGANIZATION: _("Change the organization's name, country and time zone"),
        roles.INVITE_TENANTS: _("As a provider: invite tenants"),
        roles.MANAGE_ORGANIZATIONS: _("As the operator: make and keep organizations"),
    }


def permission_rows() -> list[tuple[str, list[bool]]]:
    """Every permission in words, and whether each role has it, in the order of `Role`."""
    return [
        (name, [roles.allows(role, permission) for role in Role]) for permission, name in permission_names().items()
    ]
