"""Settling a difference of witnesses that is held: each party states a count, and what both state is agreed on."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.bases import Grain, read_basis, window_of
from billing.models import BillingPeriod, Contract, PeriodState, Term, TermFact, WitnessAnswer
from billing.rating.kinds import read_fact, write_fact
from billing.rating.share_facts import AgreedCounts
from billing.rating.share_held import Held, Key, key_of
from billing.rating.share_rating import share_rating
from billing.share_stating import AlreadySettled, By, WrongFact, counts_at, locked_term
from tenants.models import AuditEntry
from tenants.sentences import sentence


@transaction.atomic
def answer_difference(
    *,
    contract: Contract,
    term_ref: str,
    deployment: UUID,
    model: str,
    token_class: str,
    from_at: datetime,
    tokens: int,
    by: By,
    now: datetime,
) -> bool:
    """State a party's count for a difference that is held; return whether both parties have stated this count by now.

    Then it is agreed on: in its period while that is open, else billed in the first open one of the share, or, where
    the share is over, as a correction of its period. The same count again changes nothing. Raises `WrongFact` and
    `AlreadySettled`.
    """
    contract, term = locked_term(contract, term_ref)
    about = (str(deployment), model, token_class, from_at)
    agreed = _agreed(term, about)
    if agreed is not None:
        if agreed != tokens:
            raise AlreadySettled(sentence("Both parties have agreed on %(agreed)s tokens.", agreed=agreed))
        return True
    period = BillingPeriod.objects.filter(contract=contract, from_at__lte=from_at, to_at__gt=from_at).first()
    if period is None or now < period.to_at:
        raise WrongFact(
            "from",
            sentence(
                "No billing period of %(number)s that is over has %(from_at)s in it.",
                number=contract.number,
                from_at=from_at.isoformat(),
            ),
        )
    held = _held(term, period, about)
    if not held.lower <= tokens <= held.lower + held.tokens:
        reason = sentence(
            "The witnesses counted %(lower)s and %(lower_2)s; what is agreed on lies between.",
            lower=held.lower,
            lower_2=held.lower + held.tokens,
        )
        raise WrongFact("tokens", reason, str(held.lower))
    if not _both_state(term, about, tokens, by, now):
        return False
    at = period.from_at if period.state == PeriodState.OPEN else counts_at(term, period, now)
    fact = AgreedCounts(
        deployment=about[0],
        model=model,
        token_class=token_class,
        from_at=held.fact.from_at,
        to_at=held.fact.to_at,
        tokens=tokens,
    )
    stated = TermFact.objects.create(term=term, at=at, document=write_fact(fact), recorded_by=by.name, recorded_at=now)
    _note(term, "witnesses.settled", stated.document, by, now)
    return True


def _both_state(term: Term, about: Key, tokens: int, by: By, now: datetime) -> bool:
    """Keep a party's count where it is not its latest already; return whether the other party's latest is the same."""
    deployment, model, token_class, from_at = about
    answers = WitnessAnswer.objects.filter(
        term=term, deployment_id=deployment, model=model, token_class=token_class, from_at=from_at
    ).order_by("-created_at", "-pk")
    mine = answers.filter(organization=by.organization).first()
    if mine is None or mine.tokens != tokens:
        WitnessAnswer.objects.create(
            term=term,
            deployment_id=deployment,
            model=model,
            token_class=token_class,
            from_at=from_at,
            tokens=tokens,
            organization=by.organization,
            stated_by=by.name,
            created_at=now,
        )
        _note(term, "witnesses.answered", {"before": str(mine.tokens) if mine else "", "tokens": str(tokens)}, by, now)
    other = answers.exclude(organization=by.organization).first()
    return other is not None and other.tokens == tokens


def _held(term: Term, period: BillingPeriod, about: Key) -> Held:
    basis = read_basis(window_of(period), grain=Grain.PERIOD)
    for rated in basis.terms:
        if rated.ref == term.ref:
            for held in share_rating(rated, basis.window).held:
                if key_of(held.fact) == about:
                    return held
    raise WrongFact(
        "model",
        sentence(
            "No difference of %(about)s of %(about_2)s is held from %(about_3)s.",
            about=about[2][:16],
            about_2=repr(about[1][:40]),
            about_3=about[3].isoformat(),
        ),
    )


def _agreed(term: Term, about: Key) -> int | None:
    """Return the count that both parties have agreed on already."""
    for stated in TermFact.objects.filter(term=term, document__fact="agreed_counts"):
        fact = read_fact(stated.document)
        if isinstance(fact, AgreedCounts) and key_of(fact) == about:
            return fact.tokens
    return None


def _note(term: Term, action: str, after: dict[str, object], by: By, now: datetime) -> None:
    AuditEntry.objects.create(
        organization=by.organization, actor=by.name, action=action, subject=term.ref, before={}, after=after, at=now
    )
