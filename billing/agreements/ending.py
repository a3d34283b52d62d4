"""Ends of contracts by agreement: what is proposed is an instant, and the server says what ends there."""

from copy import copy
from datetime import UTC, datetime
from typing import Any

from billing.agreements.checks import refuse
from billing.agreements.proposals import Change
from billing.contract_ends import earliest_end
from billing.local_instants import WrongInstant, read_instant
from billing.models import Contract, ContractState
from billing.rating.rated import TermKind
from billing.rating.wording import WrongWording
from billing.states import in_state
from billing.term_versions import next_text
from billing.terminating import ends_of_terms
from tenants.sentences import sentence

FIELD = "ends_at"


def read_end(contract: Contract, text: str, changes: Any = ()) -> datetime:
    """Return the instant at which somebody proposes that a contract ends; raises `WrongTerms` with the field.

    Without an offset it is local time of the contract's zone. What else is proposed beside it is refused: the ends of
    the terms are the server's to say.
    """
    if changes:
        reason = sentence("A contract that ends changes in nothing else: its terms end with it.")
        raise refuse(WrongWording("changes", reason, sentence("leave it out, or leave out ends_at")))
    try:
        return read_instant(text, contract.time_zone)
    except WrongInstant as error:
        raise refuse(WrongWording(FIELD, error.reason, error.example)) from error


def end_changes(contract: Contract, at: datetime) -> tuple[Change, ...]:
    """Return the ends of all terms that are in force at an instant or begin later; checked.

    Raises `WrongTerms` with the field where the contract cannot end then: it is not in force, what was used then may
    be invoiced, or it ends before by itself.
    """
    earliest, end = earliest_end(contract), contract.to_at
    example = _text(earliest)
    if contract.state != ContractState.ACTIVE:
        reason = sentence(
            "%(number)s is %(state)s: only a contract in force can be ended.",
            number=contract.number,
            state=in_state(contract.state),
        )
        raise refuse(WrongWording(FIELD, reason, sentence("a contract in force")))
    if at < earliest:
        reason = sentence(
            "It is too early: what was used before may be invoiced, and what was put on the next invoice stands there. "
            "The earliest end is %(example)s.",
            example=example,
        )
        raise refuse(WrongWording(FIELD, reason, example))
    if end is not None and at >= end:
        raise refuse(WrongWording(FIELD, sentence("The contract ends at %(end)s by itself.", end=_text(end)), example))
    return tuple(
        Change(
            ref=each.term.ref,
            is_new=False,
            kind=TermKind(each.term.kind),
            title=each.term.title,
            from_at=each.said[0][0],
            to_at=None,
            wording=None,
        )
        for each in ends_of_terms(contract, at)
    )


def ending_text(contract: Contract, at: datetime) -> tuple[int, str, str]:
    """Return number, previous hash and text of the version that ends a contract: its header says the new end."""
    ended = copy(contract)
    ended.to_at = at
    return next_text(ended, ends_of_terms(contract, at), at)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
