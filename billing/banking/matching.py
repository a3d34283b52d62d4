"""Which invoices a movement pays: what its words name for sure, else what a person should look at first."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

TOGETHER_MAX: Final = 12
"""Open invoices of one tenant up to which every choice of them is weighed against an amount."""
PROPOSALS_MAX: Final = 10
WORD_CHARACTERS_MIN: Final = 3
_LEGAL_FORMS = (
    "ag bv co company corp corporation gmbh inc kg limited llc ltd mbh nv oy plc pte pty sa sarl sas se spa srl the"
)
COMPANY_WORDS: Final = frozenset(_LEGAL_FORMS.split())


class Rule(StrEnum):
    """Why invoices are proposed for a movement, the best reason first."""

    NAMED = "named"
    """The payer's words name them, and the amount fits."""
    NAMED_UNSURE = "named_unsure"
    """The payer's words name them; the amount, or whose they are, must be looked at."""
    PAYER_AMOUNT = "payer_amount"
    """Who paid from this account before owes just this amount."""
    NAME_AMOUNT = "name_amount"
    """A tenant of the payer's name owes just this amount."""
    AMOUNT = "amount"
    """One invoice alone has just this amount left."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """Money that came in, and who the bank says sent it."""

    amount: Decimal
    currency: str
    payer: str
    payer_account: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An issued invoice; `left` is what it has left to pay, `accounts` those that its tenant paid from before."""

    id: UUID
    tenant_id: UUID
    tenant: str
    currency: str
    left: Decimal
    due_at: datetime
    accounts: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Part:
    """What of the money goes to an invoice."""

    invoice_id: UUID
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the money could be: parts to invoices, and `surplus` that stays to the tenant's credit."""

    rule: Rule
    tenant_id: UUID
    parts: tuple[Part, ...]
    surplus: Decimal

    @property
    def is_sure(self) -> bool:
        """Whether it needs nobody's look."""
        return self.rule is Rule.NAMED


def propose(incoming: Incoming, named: Sequence[Candidate], owed: Sequence[Candidate]) -> tuple[Proposal, ...]:
    """Return what a movement could pay, the best first; the parts and the surplus of each sum to its amount.

    `named` are the invoices that its words name, paid ones too; `owed` others of the same issuer that have something
    left to pay. Only what is named, of one tenant, in the movement's currency and not for less than all of several
    invoices is sure.
    """
    assert incoming.amount > 0
    fitting = [one for one in named if one.currency == incoming.currency]
    found = list(_by_name(incoming, fitting))
    if not fitting:
        found += _by_amount(incoming, [one for one in owed if one.currency == incoming.currency])
    unlike: dict[tuple[UUID, tuple[Part, ...]], Proposal] = {}
    for one in sorted(found, key=lambda proposal: list(Rule).index(proposal.rule)):
        unlike.setdefault((one.tenant_id, one.parts), one)
        assert sum((part.amount for part in one.parts), one.surplus) == incoming.amount
    return tuple(unlike.values())[:PROPOSALS_MAX]


def share_out(amount: Decimal, invoices: Iterable[Candidate]) -> tuple[tuple[Part, ...], Decimal]:
    """Give an amount to invoices, the one due first before the others; return the parts and what nobody needed."""
    parts = []
    for one in sorted(invoices, key=lambda each: (each.due_at, each.id)):
        taken = min(amount, one.left)
        if taken > 0:
            parts.append(Part(one.id, taken))
            amount -= taken
    return tuple(parts), amount


def _by_name(incoming: Incoming, named: Sequence[Candidate]) -> Iterator[Proposal]:
    """What is named of each tenant: nobody can know whose the money is where several are."""
    tenants = _by_tenant(named)
    for tenant_id, invoices in tenants.items():
        parts, surplus = share_out(incoming.amount, invoices)
        owed = [one for one in invoices if one.left > 0]
        whole = sum((one.left for one in owed), Decimal(0))
        sure = len(tenants) == 1 and (len(owed) == 1 or (len(owed) > 1 and incoming.amount >= whole))
        yield Proposal(Rule.NAMED if sure else Rule.NAMED_UNSURE, tenant_id, parts, surplus)


def _by_amount(incoming: Incoming, owed: Sequence[Candidate]) -> Iterator[Proposal]:
    """Nothing is named: what has just this amount left, for a person to look at."""
    for tenant_id, invoices in _by_tenant(owed).items():
        rule = _who(incoming, invoices[0])
        if rule is None:
            continue
        for chosen in _together(incoming.amount, invoices):
            yield Proposal(rule, tenant_id, tuple(Part(one.id, one.left) for one in chosen), Decimal(0))
    alone = [one for one in owed if one.left == incoming.amount]
    if len(alone) == 1:
        yield Proposal(Rule.AMOUNT, alone[0].tenant_id, (Part(alone[0].id, alone[0].left),), Decimal(0))


def _together(amount: Decimal, invoices: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """Each single invoice of this amount; without one, the only choice of several that has it."""
    alone = [one for one in invoices if one.left == amount]
    if alone:
        yield from ((one,) for one in sorted(alone, key=lambda each: (each.due_at, each.id)))
        return
    ordered = sorted(invoices, key=lambda each: (each.due_at, each.id))
    if sum(one.left for one in ordered) == amount:
        yield ordered
        return
    if len(ordered) > TOGETHER_MAX:
        return
    fitting = [
        chosen
        for count in range(2, len(ordered))
        for chosen in combinations(ordered, count)
        if sum(one.left for one in chosen) == amount
    ]
    if len(fitting) == 1:
        yield fitting[0]


def _who(incoming: Incoming, invoice: Candidate) -> Rule | None:
    """How the payer is known to be the invoice's tenant, if at all."""
    if incoming.payer_account and incoming.payer_account in invoice.accounts:
        return Rule.PAYER_AMOUNT
    theirs = _words(invoice.tenant)
    return Rule.NAME_AMOUNT if theirs and theirs <= _words(incoming.payer) else None


def _words(name: str) -> frozenset[str]:
    """The words of a name that tell companies apart; those of legal forms do not."""
    words = re.findall(r"\w+", name.casefold())
    return frozenset(
        word for word in words if word not in COMPANY_WORDS and len(word) >= WORD_CHARACTERS_MIN
    ) or frozenset(words)


def _by_tenant(invoices: Iterable[Candidate]) -> Mapping[UUID, list[Candidate]]:
    found: dict[UUID, list[Candidate]] = defaultdict(list)
    for one in invoices:
        found[one.tenant_id].append(one)
    return found
