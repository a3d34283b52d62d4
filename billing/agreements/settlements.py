"""Refuses shares of one contract that say differently when its one bill is due, closed, or open to dispute."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from billing.agreements.proposals import Change
from billing.holding import WrongTerms
from billing.models import Contract
from billing.rating.rated import TermKind
from billing.rating.share_settling import contradiction
from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import FOREVER
from billing.terms import terms_of
from tenants.sentences import sentence

Said = tuple[str, datetime, datetime, TokenShareWording]


def check_settlements(contract: Contract, changes: Sequence[Change]) -> None:
    """Raise `WrongTerms` where a proposed share contradicts one that is in force beside it, proposed or agreed."""
    proposed = list(_proposed(changes))
    if not proposed:
        return
    agreed = list(_agreed(contract, changes))
    for number, (place, mine) in enumerate(proposed):
        for other in (*agreed, *(said for _, said in proposed[number + 1 :])):
            found = contradiction(other[3].settlement, mine[3].settlement)
            if found is not None and other[0] != mine[0] and other[1] < mine[2] and mine[1] < other[2]:
                name, value = found
                field = f"changes[{place}].wording.settlement.{name}"
                reason = sentence(
                    "%(ref)s says %(value)s, and a contract's shares are on one bill.", ref=other[0], value=value
                )
                raise WrongTerms(
                    f"{field}: {reason} Example: {value}",
                    field=field,
                    reason=reason,
                    example=str(value),
                )


def _proposed(changes: Sequence[Change]) -> Iterator[tuple[int, Said]]:
    for place, change in enumerate(changes):
        if isinstance(change.wording, TokenShareWording):
            yield place, (change.ref, change.from_at, change.to_at or FOREVER, change.wording)


def _agreed(contract: Contract, changes: Sequence[Change]) -> Iterator[Said]:
    """Yield what shares say by now, up to where a change replaces it."""
    replaced: dict[str, datetime] = {}
    for change in changes:
        replaced[change.ref] = min(change.from_at, replaced.get(change.ref, change.from_at))
    for term in terms_of({contract.pk}):
        if term.kind != TermKind.TOKEN_SHARE:
            continue
        for stretch in term.stretches(None, replaced.get(term.ref)):
            if isinstance(stretch.wording, TokenShareWording):
                yield term.ref, stretch.from_at, stretch.to_at, stretch.wording
