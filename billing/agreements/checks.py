"""Refuses proposals that contradict the contract, each other, what others hold, or what is invoiced already."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

import msgspec
from django.db.models import Max, Q

from billing.agreements.model_names import check_models
from billing.agreements.proposals import Change, Known
from billing.agreements.settlements import check_settlements
from billing.holding import SliceTaken, WrongTerms
from billing.models import BillingPeriod, Contract, PeriodCarry, PeriodState, Term, TermDeployment
from billing.price_agreements import check_price_rule
from billing.rating.kinds import KINDS
from billing.rating.price_rules import PriceRule
from billing.rating.rated import TermKind
from billing.rating.share_words import CollectedBy
from billing.rating.wording import WrongWording
from billing.term_binding import DeploymentTaken
from clusters.models import Allocation, Deployment, Slice
from tenants.sentences import ForPrograms, Listed, Name, sentence

SCOPES = ("refs", "terms")
"""Fields of wordings, and of their parts, that name other terms of the contract."""
_DEPLOYMENT = ForPrograms(
    '["<id of a deployment>"]',
    sentence("one that is offered; where none is, the provider makes it under Fleet, Deployments"),
)
_SLICE = ForPrograms('["<id of a slice>"]', sentence("1, for one free slice of that card model"))


def refuse(error: WrongWording) -> WrongTerms:
    """Return what is answered to a wording or proposal that is wrong: the field, the reason, an example."""
    return WrongTerms(str(error), field=error.field, reason=error.reason, example=error.example)


def known_terms(contract: Contract) -> dict[str, Known]:
    """Return the terms that a contract has, by reference; those that were taken back before they began are none."""
    return {
        term.ref: Known(TermKind(term.kind), term.title, term.from_at, term.to_at)
        for term in Term.objects.filter(contract=contract)
        if term.to_at is None or term.to_at > term.from_at
    }


def invoiced_to(contract: Contract) -> datetime | None:
    """Return the instant up to which a contract's periods are closed."""
    closed = BillingPeriod.objects.filter(contract=contract, state=PeriodState.CLOSED)
    latest: datetime | None = closed.aggregate(at=Max("to_at"))["at"]
    return latest


def check_changes(contract: Contract, changes: Sequence[Change]) -> None:
    """Raise `WrongTerms`, `SliceTaken` or `DeploymentTaken` where the changes cannot be put in force as they are."""
    known = known_terms(contract)
    closed_to = invoiced_to(contract)
    refs = {*known, *(change.ref for change in changes)}
    for place, change in enumerate(changes):
        where = f"changes[{place}]"
        _check_time(contract, change, where, known.get(change.ref), closed_to)
        _check_handed_on(contract, change, where, closed_to)
        _check_scope(change, where, refs)
        _check_models(contract, change, where, changes)
        _check_deployments(contract, change, where, changes)
        _check_slices(contract, change, where)
        _check_price_rule(contract, change, where, known, changes)
    _check_among_themselves(changes)
    check_settlements(contract, changes)


def _no(field: str, reason: str, example: str) -> NoReturn:
    raise refuse(WrongWording(field, reason, example))


def _check_time(contract: Contract, change: Change, where: str, term: Known | None, closed_to: datetime | None) -> None:
    start = change.from_at
    if closed_to is not None and start < closed_to:
        _no(
            f"{where}.from_at",
            sentence("What was used before %(closed_to)s is invoiced.", closed_to=closed_to.isoformat()),
            closed_to.isoformat(),
        )
    if start < contract.from_at:
        _no(f"{where}.from_at", sentence("lies before the contract begins."), contract.from_at.isoformat())
    end = contract.to_at
    if end is not None and (start >= end or (change.wording is not None and _after(change.to_at, end))):
        _no(f"{where}.to_at", sentence("The contract ends at %(end)s.", end=end.isoformat()), end.isoformat())
    if term is None:
        return
    if start < term.from_at:
        _no(f"{where}.from_at", sentence("%(ref)s begins later.", ref=change.ref), term.from_at.isoformat())
    over = term.to_at is not None and (start > term.to_at or (change.wording is None and start >= term.to_at))
    if over and term.to_at is not None:
        _no(f"{where}.from_at", sentence("%(ref)s is over by then.", ref=change.ref), term.to_at.isoformat())


def _check_handed_on(contract: Contract, change: Change, where: str, closed_to: datetime | None) -> None:
    """What a closed period handed on under a term (a reserve, a shortfall, a year's use) is settled as the term ends.

    That takes a second of an open period: ended just where the closed one did, the term would be in none.
    """
    if change.wording is not None or closed_to is None or change.from_at != closed_to:
        return
    last = PeriodCarry.objects.filter(period__contract=contract, period__to_at=closed_to, term_ref=change.ref)
    latest = last.order_by("name", "-seq").distinct("name")
    handed = sorted(name.split("|")[0] for name, value in latest.values_list("name", "value") if value)
    if handed:
        reason = sentence(
            "The period before handed on %(carried)s, which is settled as the term ends.",
            carried=Listed(dict.fromkeys(handed)),
        )
        _no(f"{where}.from_at", reason, (closed_to + timedelta(seconds=1)).isoformat())


def _check_scope(change: Change, where: str, refs: set[str]) -> None:
    others = Listed(sorted(refs - {change.ref})) or sentence("leave it out: all terms")
    for field, name in _named(change.wording, f"{where}.wording"):
        if name not in refs:
            _no(field, sentence("There is no term %(name)s.", name=name), others)
        if name == change.ref:
            _no(
                field, sentence("%(name)s is this term itself, and has nothing of its own to count.", name=name), others
            )


def _check_models(contract: Contract, change: Change, where: str, changes: Sequence[Change]) -> None:
    try:
        check_models(contract, change, where, changes)
    except WrongWording as wrong:
        raise refuse(wrong) from wrong


def _named(part: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield the terms that a wording names, each with the field that does: its own and those of its parts."""
    if isinstance(part, tuple):
        for place, each in enumerate(part):
            yield from _named(each, f"{where}[{place}]")
    elif isinstance(part, msgspec.Struct):
        for field in msgspec.structs.fields(type(part)):
            value = getattr(part, field.name)
            if field.name in SCOPES:
                yield from ((f"{where}.{field.name}", name) for name in value)
            else:
                yield from _named(value, f"{where}.{field.name}")


def _check_deployments(contract: Contract, change: Change, where: str, changes: Sequence[Change]) -> None:
    field = f"{where}.deployments"
    if not KINDS[change.kind].quantities:
        if change.deployments:
            _no(
                field,
                sentence("A %(kind)s prices no usage of deployments.", kind=_kind(change)),
                sentence("leave it out"),
            )
        return
    if change.wording is None:
        return
    _check_parties(contract, change, where)
    ids = change.deployments or ()
    leaving = {other.ref: other.from_at for other in changes if other is not change}
    bound = TermDeployment.objects.filter(_overlapping(change), deployment_id__in=ids).exclude(term__ref=change.ref)
    for other in bound.select_related("term", "deployment").order_by("deployment__slug"):
        left_at = leaving.get(other.term.ref)
        if left_at is None or left_at > change.from_at:
            detail = sentence(
                "%(slug)s is under %(ref)s, which contradicts this term.",
                slug=other.deployment.slug,
                ref=other.term.ref,
            )
            raise DeploymentTaken(
                detail, field=field, reason=detail, example=sentence("end %(ref)s first", ref=other.term.ref)
            )


def _check_parties(contract: Contract, change: Change, where: str) -> None:
    field = f"{where}.deployments"
    if contract.price_book_id is None:
        _no(
            f"{where}.wording",
            sentence("The contract has no price book, so usage has no list price."),
            sentence("a contract with a book"),
        )
    if getattr(change.wording, "collected_by", None) == CollectedBy.OPERATOR and not contract.tenant.is_operator:
        _no(
            f"{where}.wording.collected_by",
            sentence("The operator owes it, so it must be the contract's tenant."),
            "tenant",
        )
    if not change.deployments and (change.is_new or change.deployments is not None):
        _no(field, sentence("A term that prices usage needs at least one deployment."), _DEPLOYMENT)
    ids = change.deployments or ()
    parties = Deployment.objects.filter(id__in=ids, provider_id=contract.provider_id, tenant_id=contract.tenant_id)
    if parties.count() < len(ids):
        _no(field, sentence("Each must be a deployment between the contract's parties."), _DEPLOYMENT)


def _check_slices(contract: Contract, change: Change, where: str) -> None:
    field = f"{where}.slices"
    if not KINDS[change.kind].takes_slices:
        if change.slices:
            _no(field, sentence("A %(kind)s holds no slices.", kind=_kind(change)), sentence("leave it out"))
        return
    if change.wording is None:
        return
    none_named = not change.slices and (change.is_new or change.slices is not None)
    if none_named and change.kind is TermKind.LEASE:
        _no(field, sentence("A lease needs at least one slice."), _SLICE)
    model = getattr(change.wording, "accelerator_model", "")
    ids = _kept_slices(contract, change) if change.slices is None else change.slices
    fitting = Slice.objects.filter(
        Q(retired_at__isnull=True) | Q(retired_at__gt=change.from_at),
        id__in=ids,
        accelerator__node__cluster__provider_id=contract.provider_id,
        **({"accelerator__model": model} if model else {}),
    )
    if missing := len(ids) - fitting.count():
        _no(
            field,
            sentence(
                "%(missing)s of %(count)s are no %(model)s in service at the provider.",
                missing=missing,
                count=len(ids),
                model=model,
            ),
            _SLICE,
        )
    held = Allocation.objects.filter(_overlapping(change), slice_id__in=ids)
    others = held.exclude(term_allocation__term__ref=change.ref).order_by("from_at")
    taken = others.values_list("slice__accelerator__uuid", "from_at", "to_at").first()
    if taken is not None:
        card, from_at, to_at = taken
        until = to_at.isoformat() if to_at else sentence("further notice")
        detail = sentence(
            "%(card)s is held from %(from_at)s to %(until)s.", card=card, from_at=from_at.isoformat(), until=until
        )
        raise SliceTaken(detail, field=field, reason=detail, example=sentence("another slice, or another time"))


def _check_price_rule(
    contract: Contract, change: Change, where: str, known: Mapping[str, Known], changes: Sequence[Change]
) -> None:
    """One rule at a time decides prices, and none decides what is charged already."""
    if change.kind is not TermKind.PRICE_RULE:
        return
    rule = change.wording if isinstance(change.wording, PriceRule) else None
    try:
        check_price_rule(contract, rule, change.from_at)
    except WrongWording as wrong:
        field = wrong.field if wrong.field == "from_at" else f"wording.{wrong.field}"
        raise refuse(WrongWording(f"{where}.{field}", wrong.reason, wrong.example)) from wrong
    others = {ref: (term.from_at, term.to_at) for ref, term in known.items() if term.kind is TermKind.PRICE_RULE}
    for each in changes:
        if each.kind is TermKind.PRICE_RULE:
            begins_at, _end = others.get(each.ref, (each.from_at, None))
            others[each.ref] = (begins_at, each.to_at if each.wording else each.from_at)
    for ref, (begins_at, to_at) in others.items():
        apart = (to_at is not None and to_at <= change.from_at) or not _after(change.to_at, begins_at)
        if rule is not None and ref != change.ref and not apart:
            _no(
                f"{where}.ref",
                sentence("%(ref)s is the contract's price rule: change it, or end it first.", ref=ref),
                ref,
            )


def _kind(change: Change) -> Name:
    return Name("kind", change.kind, text=change.kind)


def _kept_slices(contract: Contract, change: Change) -> tuple[UUID, ...]:
    """Return what a known term holds from the change on, where the change names no slices."""
    held = Allocation.objects.filter(
        _overlapping(change), term_allocation__term__ref=change.ref, term_allocation__term__contract=contract
    )
    return tuple(sorted(set(held.values_list("slice_id", flat=True))))


def _check_among_themselves(changes: Sequence[Change]) -> None:
    holders: dict[UUID, Change] = {}
    for place, change in enumerate(changes):
        for field, ids in (("slices", change.slices), ("deployments", change.deployments)):
            for each in ids or ():
                other = holders.setdefault(each, change)
                if other is not change and _meet(other, change):
                    reason = sentence("%(each)s is in %(ref)s too, at the same time.", each=each, ref=other.ref)
                    _no(f"changes[{place}].{field}", reason, sentence("each in one term at a time"))


def _meet(left: Change, right: Change) -> bool:
    return (left.to_at is None or right.from_at < left.to_at) and (right.to_at is None or left.from_at < right.to_at)


def _overlapping(change: Change) -> Q:
    later = Q(to_at__isnull=True) | Q(to_at__gt=change.from_at)
    return later if change.to_at is None else later & Q(from_at__lt=change.to_at)


def _after(at: datetime | None, end: datetime) -> bool:
    return at is None or at > end


def terms_by_ref(contract: Contract) -> Mapping[str, Term]:
    """Return the stored terms of a contract by reference."""
    return {term.ref: term for term in Term.objects.filter(contract=contract)}
