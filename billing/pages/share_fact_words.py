"""What parties stated of token shares as rows of pages and of files."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.audit_claims import Claim, ClaimState
from billing.money import to_charge
from portal.figures import day, moment, money, money_change, number, span
from portal.parts import Empty, Pill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.models import BillingPeriod, Contract, TermFact
    from billing.queries.revenue import HeldRow
    from billing.queries.share_facts import Side

TITLES: Final = {
    "refunds": gettext_lazy("Refunds"),
    "audits": gettext_lazy("Audits"),
    "witnesses": gettext_lazy("Held differences"),
}
CLASSES: Final = {"input": gettext_lazy("input"), "output": gettext_lazy("output")}
STATED_HEAD: Final = ("recorded_utc", "recorded_by")
FILE_HEADS: Final = {
    "refunds": (
        "contract", "share", "refund", "from_utc", "to_utc", "deployment", "model", "token_class", "tokens",
        *STATED_HEAD,
    ),
    "audits": (
        "contract", "share", "audit", "from_utc", "to_utc", "found_utc", "currency", "reported_share_amount",
        "found_share_amount", "cost_amount", *STATED_HEAD, "state", "answer_by_utc", "counts_from_utc",
    ),
    "witnesses": (
        "contract", "share", "from_utc", "to_utc", "deployment", "model", "token_class", "engine_tokens",
        "gateway_tokens", "provider_tokens", "tenant_tokens", "period_state",
    ),
}  # fmt: skip


def title_words(page: str) -> str:
    """Return the title of a page."""
    return str(TITLES[page])


def empty_words(page: str, side: Side) -> Empty:
    """Return what stands on a page without rows: why, and what to do."""
    refunds = (
        _("State tokens whose price you paid back to your customers, where the share's terms leave refunds out.")
        if side == "tenant"
        else _("The tenant states tokens whose price it paid back. They stand here, and are left out of your share.")
    )
    audits = (
        _("When you have audited a closed period, state what was found: once the tenant accepts it, it bills.")
        if side == "provider"
        else _("When the provider has audited a closed period, what it found stands here: accepted by you, it bills.")
    )
    held = _("Where engine and gateway differ by more than the share's terms allow, both parties state a count here.")
    return {
        "refunds": Empty(_("No refunds"), refunds, icon="doc"),
        "audits": Empty(_("No findings"), audits, icon="search"),
        "witnesses": Empty(_("Nothing is held"), held, icon="scale"),
    }[page]


def period_words(period: BillingPeriod, contract: Contract, locale: str) -> str:
    """Return the days of a billing period in its contract's time zone."""
    return time_words(period.from_at, period.to_at, contract, locale)


def time_words(from_at: datetime, to_at: datetime, contract: Contract, locale: str) -> str:
    """Return the days of a time that begins and ends with a day, else its instants, in the contract's time zone."""
    zone = ZoneInfo(contract.time_zone)
    start, end = from_at.astimezone(zone), to_at.astimezone(zone)
    if start.time() == end.time() == time():
        return span(start.date(), end.date() - timedelta(days=1), locale)
    said = {"start": moment(from_at, zone, locale=locale), "end": moment(to_at, zone, locale=locale)}
    return _("%(start)s to %(end)s") % said


def refund_row(stated: TermFact, side: Side, names: Mapping[str, str], locale: str) -> dict[str, Any]:
    """Return a refund as a page shows it."""
    said = stated.document
    return {
        **_stated_row(stated, side, locale),
        "reference": said["refund"],
        "deployment": names.get(said["deployment"], said["deployment"]),
        "model": said["model"],
        "token_class": CLASSES.get(said["token_class"], said["token_class"]),
        "tokens": number(int(said["tokens"])),
    }


def audit_row(claim: Claim, side: Side, locale: str) -> dict[str, Any]:
    """Return a finding as a page shows it, with what became of it."""
    said, contract = claim.stated.document, claim.stated.term.contract
    reported, found, cost = (
        to_charge(Decimal(said[name])) for name in ("reported_share_amount", "found_share_amount", "cost_amount")
    )
    answered = claim.state is not ClaimState.OPEN
    return {
        **_stated_row(claim.stated, side, locale),
        "reference": said["audit"],
        "reported": money(reported, contract.currency, locale=locale),
        "found": money(found, contract.currency, locale=locale),
        "difference": money_change(found - reported, contract.currency, locale=locale),
        "cost": money(cost, contract.currency, locale=locale),
        "pill": _claim_pill(claim, side),
        "counted": "" if claim.counts_from is None else day(claim.counts_from.date(), "yMMMd", locale),
        "until": "" if answered or claim.answer_by is None else moment(claim.answer_by, UTC, locale=locale),
        "note": claim.note,
        "may_accept": claim.state is not ClaimState.SETTLED,
        "may_dispute": not answered,
    }


def _claim_pill(claim: Claim, side: Side) -> Pill:
    if claim.state is ClaimState.SETTLED:
        return Pill(_("Settled"), "good")
    if claim.state is ClaimState.DISPUTED:
        return Pill(_("Disputed"), "bad")
    return Pill(_("Waits for you"), "warn") if side == "tenant" else Pill(_("Waits for the other party"), "info")


def held_row(row: HeldRow, side: Side, names: Mapping[str, str], locale: str) -> dict[str, Any]:
    """Return a held difference as a page shows it, with what each party stated last."""
    fact, contract = row.held.fact, row.period.contract
    mine, theirs = row.provider_tokens, row.tenant_tokens
    if side == "tenant":
        mine, theirs = theirs, mine
    return {
        "key": difference_key(row),
        "share": row.term.ref,
        "contract": contract.number,
        "party": contract.provider.name if side == "tenant" else contract.tenant.name,
        "period": time_words(fact.from_at, fact.to_at, contract, locale),
        "deployment": names.get(fact.deployment, fact.deployment),
        "model": fact.model,
        "token_class": CLASSES.get(fact.token_class, fact.token_class),
        "engine": number(fact.engine),
        "gateway": number(fact.gateway),
        "least": row.held.lower,
        "most": row.held.lower + row.held.tokens,
        "mine": None if mine is None else number(mine),
        "theirs": None if theirs is None else number(theirs),
        "suggested": theirs if theirs is not None else mine,
        "pill": _held_pill(mine, theirs),
    }


def difference_key(row: HeldRow) -> str:
    """Return the name of a difference in a form."""
    fact = row.held.fact
    return " ".join((row.term.ref, fact.deployment, fact.token_class, fact.from_at.isoformat(), fact.model))


def refund_file_row(stated: TermFact) -> tuple[object, ...]:
    """Return a refund as a line of its page's file: exact figures, instants in UTC."""
    said, contract = stated.document, stated.term.contract
    names = ("refund", "from_at", "to_at", "deployment", "model", "token_class", "tokens")
    told = (stated.recorded_at.isoformat(), stated.recorded_by)
    return (contract.number, stated.term.ref, *(said[name] for name in names), *told)


def audit_file_row(claim: Claim) -> tuple[object, ...]:
    """Return a finding as a line of its page's file, with what became of it."""
    stated, said = claim.stated, claim.stated.document
    times = (said[name] for name in ("audit", "from_at", "to_at", "found_at"))
    amounts = (said[name] for name in ("reported_share_amount", "found_share_amount", "cost_amount"))
    told = (stated.recorded_at.isoformat(), stated.recorded_by)
    ends = (at.isoformat() if at else "" for at in (claim.answer_by, claim.counts_from))
    contract = stated.term.contract
    return (contract.number, stated.term.ref, *times, contract.currency, *amounts, *told, str(claim.state), *ends)


def held_file_row(row: HeldRow) -> tuple[object, ...]:
    """Return a held difference as a line of its page's file."""
    fact = row.held.fact
    return (
        row.period.contract.number, row.term.ref, fact.from_at.isoformat(), fact.to_at.isoformat(), fact.deployment,
        fact.model, fact.token_class, fact.engine, fact.gateway, row.provider_tokens, row.tenant_tokens,
        row.period.state,
    )  # fmt: skip


def _stated_row(stated: TermFact, side: Side, locale: str) -> dict[str, Any]:
    contract, said = stated.term.contract, stated.document
    from_at, to_at = (datetime.fromisoformat(said[name]) for name in ("from_at", "to_at"))
    return {
        "share": stated.term.ref,
        "contract": contract.number,
        "party": contract.provider.name if side == "tenant" else contract.tenant.name,
        "period": time_words(from_at, to_at, contract, locale),
        "by": stated.recorded_by,
        "at": day(stated.recorded_at.date(), "yMMMd", locale),
    }


def _held_pill(mine: int | None, theirs: int | None) -> Pill:
    if mine is None and theirs is None:
        return Pill(_("Nobody has answered"), "warn")
    if mine is None:
        return Pill(_("Waits for you"), "warn")
    if theirs is None:
        return Pill(_("Waits for the other party"), "info")
    return Pill(_("The counts differ"), "bad")
