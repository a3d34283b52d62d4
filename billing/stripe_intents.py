"""Calls to Stripe that survive a crash: the intent is stored before the call, its result after.

An intent's key is the Idempotency-Key of the call and is made from what the call is about, never at random, so that
a second worker or a restarted one asks for the same thing under the same key. Stripe keeps the first answer given
under a key, refusals and server errors included, and forgets keys after 24 hours or later; so whatever the stored
intent says, a call that was begun before is first looked up, and only what is not there is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import connection

from billing.models import IntentState, StripeIntent
from billing.stripe_answers import StripeError, StripeRefused, StripeUnavailable
from tenants.limits.reader import whole

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

Result = dict[str, str]
"""What is kept of an answer: ids, as JSON."""

ERROR_CHARACTERS_MAX = 500
REFUSED = "refused"


@whole("calls to Stripe are kept for the whole installation, each committed before it is made")
def carry_out(
    *,
    key_of: Callable[[int], str],
    step: str,
    subject_id: UUID,
    look_up: Callable[[], Result | None],
    call: Callable[[str], Result],
    now: datetime,
    kept_refusal: Callable[[StripeRefused], str] | None = None,
) -> Result:
    """Make one call to Stripe at most once in effect, and return what is kept of its answer.

    1. A stored result is returned without a call.
    2. An intent that was begun before is looked up; what is found there counts as its result.
    3. `call` is made with the intent's key; after a refusal or a server error that Stripe keeps under the key,
       with the key of the next generation: `key_of(1)`, `key_of(2)`, …
    4. A refusal of something that turns out to be done already counts as success. Where it is to be the last try,
       `kept_refusal` says by which word it is kept with the intent, for `refusal_of`.

    No transaction may be open, so that the intent is on disk before the call and no lock is held over it. Raises
    what the gateway raises.
    """
    assert not connection.in_atomic_block, "the intent must be committed before the call"
    intent, is_new = _begin(key_of=key_of, step=step, subject_id=subject_id, now=now)
    if intent.state == IntentState.DONE:
        return dict(intent.result or {})
    if not is_new:
        found = look_up()
        if found is not None:
            return _done(intent, found, now)
        if intent.state == IntentState.FAILED:
            intent = _next_generation(intent, key_of=key_of, now=now)
    try:
        result = call(intent.key)
    except StripeRefused as error:
        found = look_up()
        if found is not None:
            return _done(intent, found, now)
        word = kept_refusal(error) if kept_refusal else ""
        _not_done(intent, error, IntentState.FAILED, now, {REFUSED: word} if word else None)
        raise
    except StripeUnavailable as error:
        _not_done(intent, error, IntentState.FAILED if error.is_kept else IntentState.PENDING, now)
        raise
    return _done(intent, result, now)


def _begin(*, key_of: Callable[[int], str], step: str, subject_id: UUID, now: datetime) -> tuple[StripeIntent, bool]:
    """Return the intent of the latest generation, and whether this call stored it as the first."""
    intent, is_new = StripeIntent.objects.get_or_create(
        key=key_of(1), defaults={"step": step, "subject_id": subject_id, "created_at": now}
    )
    generation = 2
    while following := StripeIntent.objects.filter(key=key_of(generation)).first():
        intent, generation = following, generation + 1
    return intent, is_new


def _next_generation(intent: StripeIntent, *, key_of: Callable[[int], str], now: datetime) -> StripeIntent:
    generation = 1
    while key_of(generation) != intent.key:
        generation += 1
    following, _ = StripeIntent.objects.get_or_create(
        key=key_of(generation + 1),
        defaults={"step": intent.step, "subject_id": intent.subject_id, "created_at": now},
    )
    return following


def _done(intent: StripeIntent, result: Result, now: datetime) -> Result:
    StripeIntent.objects.filter(pk=intent.pk).update(state=IntentState.DONE, result=result, error="", finished_at=now)
    return result


def refusal_of(*, step: str, subject_id: UUID) -> str | None:
    """Return the word by which a refusal of a call was kept, or None where none was: it decides, whoever asks later."""
    refused = StripeIntent.objects.filter(step=step, subject_id=subject_id, state=IntentState.FAILED)
    kept = refused.filter(result__has_key=REFUSED).values_list("result", flat=True).first()
    return str(kept[REFUSED]) if kept else None


def _not_done(
    intent: StripeIntent, error: StripeError, state: IntentState, now: datetime, result: Result | None = None
) -> None:
    # A call that another worker saw succeed stays done.
    StripeIntent.objects.filter(pk=intent.pk).exclude(state=IntentState.DONE).update(
        state=state,
        error=str(error)[:ERROR_CHARACTERS_MAX],
        result=result,
        finished_at=now if state == IntentState.FAILED else None,
    )
