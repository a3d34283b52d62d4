"""Contracts, versions and amendments as the API writes them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from billing.agreements.already_used import AlreadyUsed
from billing.agreements.previews import Preview
from billing.models import Amendment, Contract, ContractVersion, Term
from billing.money import round_to_minor
from billing.rating.wording import FOREVER, plain, write_wording


def contract_json(contract: Contract) -> dict[str, Any]:
    """Return a contract with its terms; its open amendment is one that the caller may see."""
    amendments: Sequence[Amendment] = getattr(contract, "open_amendments", ())
    return {
        "id": str(contract.id),
        "number": contract.number,
        "provider": contract.provider.slug,
        "provider_name": contract.provider.name,
        "tenant": contract.tenant.slug,
        "tenant_name": contract.tenant.name,
        "state": contract.state,
        "version": contract.version,
        "currency": contract.currency,
        "time_zone": contract.time_zone,
        "from_at": _instant(contract.from_at),
        "to_at": _instant(contract.to_at),
        "period_kind": contract.period_kind,
        "price_book": contract.price_book.name if contract.price_book else None,
        "collection": contract.collection,
        "due_days": contract.due_days,
        "grace_hours": contract.grace_hours,
        "operator_fee_percent": plain(contract.operator_fee_percent),
        "name": contract.name,
        "provider_reference": contract.provider_reference,
        "tenant_reference": contract.tenant_reference,
        "updated_at": _instant(contract.changed_at),
        "terms": [_term(term) for term in contract.terms.all()],
        "open_amendment_id": str(amendments[0].id) if amendments else None,
        "offered_sha256": (amendments[0].sha256 or None) if amendments else None,
    }


def version_json(version: ContractVersion) -> dict[str, Any]:
    """Return a version with its text and who accepted it; one that came about without an offer has no words."""
    amendment: Amendment | None = getattr(version, "amendment", None)
    return {
        "number": version.number,
        "effective_at": _instant(version.effective_at),
        "created_at": _instant(version.created_at),
        "sha256": version.sha256,
        "previous_sha256": version.previous_sha256,
        "amendment": amendment.number if amendment else None,
        "accepted_by": _acceptances(amendment) if amendment else [],
        "document": version.document,
    }


def amendment_json(amendment: Amendment, actions: Sequence[str], preview: Preview | None) -> dict[str, Any]:
    """Return an amendment, what its reader may do with it, and what it would change."""
    return {
        "id": str(amendment.id),
        "contract_id": str(amendment.contract_id),
        "contract": amendment.contract.number,
        "number": amendment.number,
        "state": amendment.state,
        "proposed_by": amendment.proposed_by.slug,
        "note": amendment.note,
        "effective_at": _instant(amendment.effective_at),
        "ends_at": _instant(amendment.ends_at),
        "offered_at": _instant(amendment.offered_at),
        "expires_at": _instant(amendment.expires_at),
        "decided_at": _instant(amendment.decided_at),
        "sha256": amendment.sha256,
        "document": amendment.document,
        "version": amendment.version.number if amendment.version else None,
        "changes": amendment.changes,
        "accepted_by": _acceptances(amendment),
        "actions": list(actions),
        "difference": None if preview is None else _difference(preview),
    }


def _term(term: Term) -> dict[str, Any]:
    return {
        "ref": term.ref,
        "kind": term.kind,
        "title": term.title,
        "from_at": _instant(term.from_at),
        "to_at": _instant(term.to_at),
        "wordings": [
            {
                "version": stretch.contract_version,
                "from_at": _instant(stretch.from_at),
                "to_at": None if stretch.to_at == FOREVER else _instant(stretch.to_at),
                "wording": write_wording(stretch.wording),
            }
            for stretch in term.stretches()
        ],
    }


def _acceptances(amendment: Amendment) -> list[dict[str, Any]]:
    return [
        {
            "organization": each.organization.slug,
            "organization_name": each.organization.name,
            "name": each.name,
            "accepted_at": _instant(each.accepted_at),
            "sha256": each.sha256,
        }
        for each in amendment.acceptances.all()
    ]


def _difference(preview: Preview) -> dict[str, Any]:
    currency = preview.currency
    return {
        "from_at": _instant(preview.from_at),
        "to_at": _instant(preview.to_at),
        "currency": currency,
        "before": f"{round_to_minor(preview.before, currency):f}",
        "after": f"{round_to_minor(preview.after, currency):f}",
        "deposit": f"{round_to_minor(preview.deposit, currency):f}",
        "unpriced": preview.unpriced,
        "terms": [
            {
                "ref": term.ref,
                "title": term.title,
                "kind": term.kind,
                "new": term.is_new,
                "ends": term.ends,
                "words": [{"field": each.field, "before": each.before, "after": each.after} for each in term.words],
                "before": f"{round_to_minor(term.before, currency):f}",
                "after": f"{round_to_minor(term.after, currency):f}",
                "deposit": f"{round_to_minor(term.deposit, currency):f}",
                "already_used": _already_used(term.already_used, currency),
            }
            for term in preview.terms
        ],
    }


def _already_used(found: AlreadyUsed | None, currency: str) -> dict[str, Any] | None:
    if found is None:
        return None
    amount = f"{round_to_minor(found.amount, currency):f}"
    return {"from_at": _instant(found.from_at), "next_at": _instant(found.next_at), "amount": amount}


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
