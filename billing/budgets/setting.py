"""Setting budgets: made, changed, retired, and their stops lifted; each by somebody, and kept in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from billing.budgets.rules import Measure, Per, Rule, Scope, WrongRule, checked_rule
from billing.models import Budget, BudgetLift, BudgetLook, BudgetStop, Contract, SpendWatch
from billing.queries.usage import Side
from metering.key_models import Project, UsageKey
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

BUDGETS_MAX: Final = 200
REASON_CHARACTERS_MAX: Final = 200


class NoBudget(Problem):
    """There is no such budget of the organization, or it was retired."""

    status = 404
    code = "no_such_budget"
    title = "There is no such budget"


class WrongBudget(Problem):
    """A budget cannot be so."""

    status = 422
    code = "wrong_budget"
    title = "This cannot be a budget"


class NothingStopped(Problem):
    """No stop of the budget stands."""

    status = 409
    code = "nothing_stopped"
    title = "The budget stops nothing now"


@transaction.atomic
def make_budget(*, organization: Organization, side: Side, name: str, rule: Rule, by: str, now: datetime) -> Budget:
    """Set a budget, which counts from the beginning of the running period. Raises `WrongBudget`."""
    watch(organization, side, now)
    _check(organization, side, name, rule, but=None)
    standing = Budget.objects.filter(organization=organization, side=side, retired_at__isnull=True)
    if standing.count() >= BUDGETS_MAX:
        raise WrongBudget(
            sentence("name: an organization has at most %(most)s budgets; retire one first.", most=BUDGETS_MAX),
            field="name",
        )
    budget = Budget.objects.create(
        organization=organization, side=side, name=name, created_at=now, changed_at=now, **_columns(rule)
    )
    _audit(budget, "budget.made", by=by, now=now, after=words_of(budget))
    return budget


@transaction.atomic
def change_budget(
    *, organization: Organization, budget_id: UUID, name: str, rule: Rule, by: str, now: datetime
) -> Budget:
    """Change a budget: what was told stays told, and a stop that the new words do not ask for is lifted.

    What is limited, in what and per what stays; whoever wants that makes another. Raises `NoBudget`, `WrongBudget`.
    """
    budget = _locked(organization, budget_id)
    _check(organization, Side(budget.side), name, rule, but=budget)
    before = rule_of(budget)
    fixed = ("scope", "subject", "measure", "currency", "per", "zone")
    changed = [field for field in fixed if getattr(before, field) != getattr(rule, field)]
    if changed:
        raise WrongBudget(
            sentence("%(changed)s: stays as it is; make another budget instead.", changed=changed[0]), field=changed[0]
        )
    said = words_of(budget)
    columns = {"name": name, "changed_at": now, **_columns(rule)}
    for column, value in columns.items():
        setattr(budget, column, value)
    budget.save(update_fields=list(columns))
    _audit(budget, "budget.changed", by=by, now=now, before=said, after=words_of(budget))
    if not rule.stops or rule.amount > before.amount:
        lift_standing(budget, reason="the budget was changed", by=by, now=now)
    watch(organization, Side(budget.side), now)
    return budget


@transaction.atomic
def retire_budget(*, organization: Organization, budget_id: UUID, by: str, now: datetime) -> None:
    """End a budget and what it stops; what it told stays readable. Raises `NoBudget`."""
    budget = _locked(organization, budget_id)
    budget.retired_at = now
    budget.save(update_fields=["retired_at"])
    lift_standing(budget, reason="the budget was retired", by=by, now=now)
    _audit(budget, "budget.retired", by=by, now=now, before=words_of(budget))


@transaction.atomic
def lift_stop(*, organization: Organization, budget_id: UUID, reason: str, by: str, now: datetime) -> BudgetStop:
    """Let use go on until the period ends, or the budget is raised and used up again.

    Raises `NoBudget`, `WrongBudget` without a reason, and `NothingStopped`.
    """
    budget = _locked(organization, budget_id)
    if not reason.strip():
        raise WrongBudget(sentence("reason: expected why use may go on."), field="reason")
    lifted = lift_standing(budget, reason=reason.strip()[:REASON_CHARACTERS_MAX], by=by, now=now)
    if not lifted:
        raise NothingStopped(sentence("%(name)s stops nothing now.", name=budget.name))
    return lifted[0]


def rule_of(budget: Budget) -> Rule:
    """Return what a budget says."""
    return Rule(
        scope=Scope(budget.scope),
        subject=budget.subject,
        measure=Measure(budget.measure),
        currency=budget.currency,
        per=Per(budget.per),
        zone=budget.zone,
        amount=budget.amount,
        thresholds=tuple(budget.thresholds),
        on_forecast=budget.on_forecast,
        stops=budget.stops,
    )


def words_of(budget: Budget) -> dict[str, Any]:
    """Return a budget as the audit log keeps it."""
    fields = ("name", "scope", "subject", "measure", "currency", "per", "zone", "thresholds", "on_forecast", "stops")
    return {**{field: getattr(budget, field) for field in fields}, "amount": f"{budget.amount.normalize():f}"}


def watch(organization: Organization, side: Side, now: datetime) -> None:
    """Have an organization's use looked at by the next sweep."""
    SpendWatch.objects.bulk_create(
        [SpendWatch(organization=organization, side=side, due_at=now)],
        update_conflicts=True,
        unique_fields=["organization", "side"],
        update_fields=["due_at"],
    )


def _locked(organization: Organization, budget_id: UUID) -> Budget:
    found = Budget.objects.select_for_update(no_key=True).filter(
        organization=organization, pk=budget_id, retired_at__isnull=True
    )
    budget = found.first()
    if budget is None:
        raise NoBudget(sentence("The organization has no such budget."))
    return budget


def _check(organization: Organization, side: Side, name: str, rule: Rule, *, but: Budget | None) -> None:
    """The watch's row is written first in the same transaction, so that two of a name do not pass side by side."""
    try:
        checked_rule(rule)
    except WrongRule as wrong:
        raise WrongBudget(str(wrong), said=wrong.message, field=wrong.field) from wrong
    if rule.stops and side is Side.PROVIDER:
        raise WrongBudget(
            sentence("stops: a provider's limit tells only; what a tenant uses it stops itself."), field="stops"
        )
    named = Budget.objects.filter(organization=organization, side=side, name=name, retired_at__isnull=True)
    if but is not None:
        named = named.exclude(pk=but.pk)
    if named.exists():
        raise WrongBudget(sentence("name: another budget is named %(name)s.", name=repr(name)), field="name")
    if rule.scope in (Scope.KEY, Scope.PROJECT) and side is Side.PROVIDER:
        raise WrongBudget(
            sentence("scope: a %(scope)s is a tenant's own; expected another scope.", scope=rule.scope), field="scope"
        )
    if not _is_there(organization, side, rule):
        raise WrongBudget(
            sentence("subject: there is no %(scope)s %(subject)s.", scope=rule.scope, subject=repr(rule.subject)),
            field="subject",
        )


def _is_there(organization: Organization, side: Side, rule: Rule) -> bool:
    """Whether what is limited is known; a model may be limited before it is used."""
    if rule.scope is Scope.CONTRACT:
        return Contract.objects.filter(**{side.value: organization}, number=rule.subject).exists()
    if rule.scope is Scope.KEY:
        return UsageKey.objects.filter(tenant=organization, label=rule.subject).exists()
    if rule.scope is Scope.PROJECT:
        return Project.objects.filter(tenant=organization, slug=rule.subject).exists()
    return True


def _columns(rule: Rule) -> dict[str, Any]:
    columns = {field: getattr(rule, field) for field in Rule.__slots__}
    return {**columns, "thresholds": list(rule.thresholds)}


def lift_standing(budget: Budget, *, reason: str, by: str, now: datetime) -> list[BudgetStop]:
    """Lift what a locked budget stops; return the stops that stood."""
    standing = list(BudgetStop.objects.filter(budget=budget, lift__isnull=True, to_at__gt=now).order_by("pk"))
    BudgetLift.objects.bulk_create([BudgetLift(stop=stop, reason=reason, by=by, at=now) for stop in standing])
    for stop in standing:
        _audit(budget, "budget.lifted", by=by, now=now, after={"stopped_at": stop.at.isoformat(), "reason": reason})
    return standing


def _audit(
    budget: Budget,
    action: str,
    *,
    by: str,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    AuditEntry.objects.create(
        organization_id=budget.organization_id,
        actor=by,
        action=action,
        subject=f"budget {budget.pk}",
        before=before,
        after=after,
        at=now,
    )


def looked_at(budget: Budget) -> BudgetLook | None:
    """Return how a budget stood when it was last looked at; None for one that is new."""
    return BudgetLook.objects.filter(budget=budget).first()
