"""The steps of an invoice's collection: each makes its calls to Stripe through stored intents and says what is next.

customer → draft → lines → guard → finalize → collect → wait → paid. No transaction is open in a step. A step that
is repeated after a crash finds what it had done and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from billing.asking import asked_for, carry_less, lines_of, release, take_up
from billing.models import (
    Collection,
    Invoice,
    NoticeKind,
    Settlement,
    SettlementState,
    StripeCustomer,
    StripeIntent,
)
from billing.push_lines import chunk_bounds
from billing.stripe_amounts import AmountNotRepresentable, is_too_small, minor_units
from billing.stripe_answers import StripeCardDeclined, StripeRefused
from billing.stripe_customers import ensure_customer
from billing.stripe_intents import Result, carry_out
from billing.stripe_results import Applied, apply_stripe_invoice

if TYPE_CHECKING:
    from billing.asking import Asked
    from billing.stripe_answers import StripeInvoice, StripeLine
    from billing.stripe_gateway import StripeGateway

POLL_S = 900
"""How often an invoice that waits for its payment is looked at, in case no webhook comes."""

TOO_LITTLE_LEFT = "Less is left than Stripe charges: a transfer or a credit note settles it."
RESOURCE_MISSING = "resource_missing"
METADATA_REVISION = "forecourt_revision"
BESIDE = "beside"
"""Under this name the intent of added lines keeps what those beside the invoice's own were made of."""


class NeedsPerson(Exception):
    """The collection cannot go on by itself; the message says why."""


class DraftThrownAway(NeedsPerson):
    """The draft at Stripe could not be used and is gone; a new one takes a new revision."""


@dataclass(frozen=True)
class Work:
    """A claimed settlement and what its steps need."""

    settlement: Settlement
    invoice: Invoice
    gateway: StripeGateway
    now: datetime

    @property
    def stripe_invoice_id(self) -> str:
        """The invoice at Stripe; only steps after the draft may ask."""
        assert self.settlement.stripe_invoice_id, self.settlement
        return self.settlement.stripe_invoice_id

    def seen(self) -> StripeInvoice:
        """The invoice as Stripe has it now."""
        return self.gateway.get_invoice(self.stripe_invoice_id)

    def call(
        self,
        step: str,
        key: str,
        *,
        look_up: Callable[[], Result | None],
        call: Callable[[str], Result],
        numbered: bool = False,
    ) -> Result:
        """Carry out one call under `key`; a numbered one has its generation always in the key."""

        def key_of(generation: int) -> str:
            if numbered:
                return f"{key}:{generation}"
            return key if generation == 1 else f"{key}:g{generation}"

        return carry_out(key_of=key_of, step=step, subject_id=self.invoice.pk, look_up=look_up, call=call, now=self.now)


@dataclass(frozen=True)
class Next:
    """What a step leads to; `changes` are further fields of the settlement, `told` what the tenant is told of."""

    state: SettlementState
    next_try_at: datetime
    last_error: str = ""
    told: NoticeKind | None = None
    decline_code: str = ""
    changes: Mapping[str, object] = field(default_factory=dict)


def make_customer(work: Work) -> Next:
    """Make sure that Stripe knows the tenant, if the invoice is one that Stripe can collect."""
    at_rest = _not_for_stripe(work)
    if at_rest is not None:
        return at_rest
    ensure_customer(organization=work.invoice.tenant, gateway=work.gateway, now=work.now)
    return Next(SettlementState.DRAFT, work.now)


def _not_for_stripe(work: Work) -> Next | None:
    """Where an invoice rests that must not be pushed: what Stripe has no integer for, or would not charge."""
    invoice = work.invoice
    try:
        take_up(invoice=invoice, now=work.now)
        asked = asked_for(invoice)
        lines_of(invoice, asked)
        is_small = is_too_small(asked.total, invoice.currency)
    except AmountNotRepresentable as error:
        release(carrier_id=invoice.pk, now=work.now)
        return Next(SettlementState.BY_HAND, work.now, last_error=f"Stripe cannot take {error}.")
    if is_small:
        release(carrier_id=invoice.pk, now=work.now)
        return Next(SettlementState.BELOW_MINIMUM, work.now)
    return None


def _fell_below(work: Work) -> Next | None:
    """Throw the draft away where less is left by now than Stripe charges, and let the rest be carried.

    Since it was looked at a balance or a transfer may have paid a part; finalized, Stripe would call the rest paid and
    keep it as the customer's debt. None where enough is left, and where Stripe has the invoice as final already.
    """
    if not is_too_small(asked_for(work.invoice).total, work.invoice.currency) or not _taken_back(work):
        return None
    release(carrier_id=work.invoice.pk, now=work.now)
    return Next(SettlementState.BELOW_MINIMUM, work.now, changes=_another_draft(work))


def _taken_back(work: Work) -> bool:
    """Delete the draft at Stripe, if it is there; False where Stripe has the invoice as final already."""
    seen = pushed(work)
    if seen is not None and seen.status == "draft":
        work.gateway.delete_draft(seen.id)
    return seen is None or seen.status in ("draft", "void")


def _another_draft(work: Work) -> dict[str, object]:
    """What makes room for the next draft; calls about it have keys of their own."""
    return {"stripe_invoice_id": "", "revision": work.settlement.revision + 1}


def make_draft(work: Work) -> Next:
    """Make the empty draft with our number, for what is left by now of the invoice and of what it carries."""
    carry_less(carrier_id=work.invoice.pk, now=work.now)
    fell_below = _fell_below(work)
    if fell_below is not None:
        return fell_below
    invoice, revision = work.invoice, str(work.settlement.revision)
    customer_id = StripeCustomer.objects.get(pk=invoice.tenant_id).customer_id

    def look_up() -> Result | None:
        found = work.gateway.find_invoice(str(invoice.pk), customer_id)
        if found is None or found.status == "void" or found.metadata.get(METADATA_REVISION) != revision:
            return None
        return {"id": found.id}

    def call(key: str) -> Result:
        made = work.gateway.create_draft_invoice(
            customer_id=customer_id,
            currency=invoice.currency,
            number=invoice.number or "",
            invoice_id=str(invoice.pk),
            days_until_due=_days_until_due(invoice),
            idempotency_key=key,
            metadata={METADATA_REVISION: revision},
        )
        return {"id": made}

    made = work.call(SettlementState.DRAFT, f"inv:{invoice.pk}:draft:{revision}", look_up=look_up, call=call)
    return Next(SettlementState.LINES, work.now, changes={"stripe_invoice_id": made["id"]})


def add_lines(work: Work) -> Next:
    """Add the lines, a chunk a call; how many the draft has says which chunks are in."""
    fell_below = _fell_below(work)
    if fell_below is not None:
        return fell_below
    asked = asked_for(work.invoice)
    lines = lines_of(work.invoice, asked)
    for chunk, (start, end) in enumerate(chunk_bounds(len(lines))):
        _add_chunk(work, lines[start:end], chunk=chunk, end=end, beside=_beside_words(asked))
    return Next(SettlementState.GUARD, work.now)


def _add_chunk(work: Work, lines: tuple[StripeLine, ...], *, chunk: int, end: int, beside: str) -> None:
    def look_up() -> Result | None:
        return {} if work.seen().line_count >= end else None

    def call(key: str) -> Result:
        work.gateway.add_lines(work.stripe_invoice_id, lines, key)
        return {BESIDE: beside}

    work.call(SettlementState.LINES, _lines_key(work, chunk), look_up=look_up, call=call)


def _lines_key(work: Work, chunk: int | str) -> str:
    return f"inv:{work.invoice.pk}:lines:{work.settlement.revision}:{chunk}"


def _beside_words(asked: Asked) -> str:
    """What lines beside an invoice's own were made of: what was settled, and what each earlier one has left."""
    return " ".join((str(asked.settled), *(f"{one.invoice_id}:{one.amount}" for one in asked.carried)))


def _made_of_other_dues(work: Work) -> bool:
    """Whether our books have moved since the lines were added: by a transfer, a credit note, or a payment taken back.

    What no call is known to have added, because its answer was lost, is not said to be of other dues.
    """
    added = StripeIntent.objects.filter(key__startswith=_lines_key(work, ""), result__has_key=BESIDE)
    beside = _beside_words(asked_for(work.invoice))
    return any(one != beside for one in added.values_list(f"result__{BESIDE}", flat=True))


def compare(work: Work) -> Next:
    """Compare what Stripe made of the draft with ours; if anything differs, delete it and raise DraftThrownAway.

    A draft of other dues than those of now, because a transfer came between lines and comparison, is nobody's fault:
    it is deleted and the next one made, which is compared as a whole.
    """
    fell_below = _fell_below(work)
    if fell_below is not None:
        return fell_below
    if _made_of_other_dues(work) and _taken_back(work):
        return Next(SettlementState.DRAFT, work.now, changes=_another_draft(work))
    seen = work.seen()
    invoice = work.invoice
    asked = asked_for(invoice)
    expected = {
        "number": invoice.number,
        "currency": invoice.currency,
        "line_count": len(lines_of(invoice, asked)),
        "subtotal_minor": minor_units(invoice.subtotal + asked.beside, invoice.currency),
        "tax_minor": minor_units(invoice.tax, invoice.currency),
        "total_minor": minor_units(asked.total, invoice.currency),
    }
    found = {name: getattr(seen, name) for name in expected}
    if found == expected:
        return Next(SettlementState.FINALIZE, work.now)
    differences = ", ".join(
        f"{name} {found[name]} instead of {expected[name]}" for name in expected if found[name] != expected[name]
    )
    if seen.status != "draft":
        raise NeedsPerson(f"Invoice {seen.id} is {seen.status} at Stripe with {differences}.")
    work.gateway.delete_draft(seen.id)
    raise DraftThrownAway(f"Stripe made {differences}; its draft was deleted.")


def finalize(work: Work) -> Next:
    """Close the draft at Stripe for good; what it then asks for must be the total.

    A balance of the customer at Stripe, which nothing of ours ever makes, would change what is asked for.
    """
    fell_below = _fell_below(work)
    if fell_below is not None:
        return fell_below

    def look_up() -> Result | None:
        return _finalized(work.seen())

    def call(key: str) -> Result:
        done = _finalized(work.gateway.finalize(work.stripe_invoice_id, key))
        assert done is not None, "Stripe answered that a draft was finalized"
        return done

    key = f"inv:{work.invoice.pk}:fin:{work.settlement.revision}"
    done = work.call(SettlementState.FINALIZE, key, look_up=look_up, call=call)
    if done["amount_due_minor"] != done["total_minor"]:
        raise NeedsPerson(
            f"Invoice {work.stripe_invoice_id} asks for {done['amount_due_minor']} instead of {done['total_minor']} "
            "minor units: the customer's balance at Stripe is not 0."
        )
    return Next(SettlementState.COLLECT, work.now, changes={"hosted_url": done["hosted_url"]})


def _finalized(seen: StripeInvoice) -> Result | None:
    if seen.status == "draft":
        return None
    return {
        "hosted_url": seen.hosted_url or "",
        "amount_due_minor": str(seen.amount_due_minor),
        "total_minor": str(seen.total_minor),
    }


def collect(work: Work) -> Next:
    """Charge the card on file, or leave it to the tenant to pay the hosted page.

    An invoice that the card did not pay is still open and payable on its page, so it waits with the reason shown.
    What came by bank or was credited meanwhile is taken off first; no card is charged with less than Stripe takes.
    """
    _ask_less(work, work.seen())
    if work.invoice.contract.collection == Collection.SEND_INVOICE:
        return Next(SettlementState.WAIT, work.now + timedelta(seconds=POLL_S))
    if is_too_small(asked_for(work.invoice).total, work.invoice.currency):
        return Next(SettlementState.WAIT, work.now + timedelta(seconds=POLL_S), last_error=TOO_LITTLE_LEFT)

    def look_up() -> Result | None:
        return {} if work.seen().status == "paid" else None

    def call(key: str) -> Result:
        work.gateway.pay(work.stripe_invoice_id, key)
        return {}

    try:
        work.call(SettlementState.COLLECT, f"inv:{work.invoice.pk}:pay", look_up=look_up, call=call, numbered=True)
    except StripeRefused as refused:
        told, poll_at = _what_to_tell(refused), work.now + timedelta(seconds=POLL_S)
        state = SettlementState.ACTION if told == NoticeKind.CONSENT_NEEDED else SettlementState.WAIT
        return Next(state, poll_at, last_error=str(refused), told=told, decline_code=refused.declined_for)
    return Next(SettlementState.WAIT, work.now)


def _what_to_tell(refused: StripeRefused) -> NoticeKind:
    """Why the tenant must do something: consent, another card, or a first one."""
    if not isinstance(refused, StripeCardDeclined):
        return NoticeKind.CARD_MISSING
    return NoticeKind.CONSENT_NEEDED if refused.needs_customer else NoticeKind.CARD_DECLINED


def wait(work: Work) -> Next | None:
    """Look whether it was paid, whatever webhooks came; None where the books have moved the settlement on.

    What was credited or came by bank since is taken off what Stripe asks for.
    """
    seen = work.seen()
    if apply_stripe_invoice(invoice_id=work.invoice.pk, seen=seen, now=work.now) != Applied.UNCHANGED:
        return None
    _ask_less(work, seen)
    poll_at = work.now + timedelta(seconds=POLL_S)
    return Next(SettlementState(work.settlement.state), poll_at, last_error=work.settlement.last_error)


def _ask_less(work: Work, seen: StripeInvoice) -> None:
    """Lower what an open invoice asks for to what is left in our books; never to nothing, which closes it."""
    if seen.status == "open" and not seen.amount_paid_minor:
        carry_less(carrier_id=work.invoice.pk, now=work.now)
    left_minor = minor_units(asked_for(work.invoice).total, work.invoice.currency)
    surplus = seen.amount_remaining_minor - left_minor
    if seen.status != "open" or surplus <= 0 or left_minor <= 0:
        return
    reference = f"{work.invoice.pk}:{left_minor}"

    def look_up() -> Result | None:
        found = work.gateway.find_credit(work.stripe_invoice_id, reference)
        return {"id": found} if found else None

    def call(key: str) -> Result:
        made = work.gateway.credit(
            work.stripe_invoice_id, amount_minor=surplus, reference=reference, idempotency_key=key
        )
        return {"id": made}

    work.call("ask_less", f"inv:{work.invoice.pk}:less:{left_minor}", look_up=look_up, call=call)


def pushed(work: Work) -> StripeInvoice | None:
    """Return the invoice as Stripe has it now, None where it has none: none was pushed, or its draft is gone."""
    if work.settlement.stripe_invoice_id:
        try:
            return work.seen()
        except StripeRefused as refused:
            if refused.code != RESOURCE_MISSING:
                raise
            return None
    customer = StripeCustomer.objects.filter(pk=work.invoice.tenant_id).first()
    return work.gateway.find_invoice(str(work.invoice.pk), customer.customer_id) if customer else None


def _days_until_due(invoice: Invoice) -> int | None:
    if invoice.contract.collection != Collection.SEND_INVOICE:
        return None
    assert invoice.issued_at is not None, invoice
    assert invoice.due_at is not None, invoice
    return max((invoice.due_at - invoice.issued_at).days, 0)


STEPS: Mapping[SettlementState, Callable[[Work], Next | None]] = {
    SettlementState.CUSTOMER: make_customer,
    SettlementState.DRAFT: make_draft,
    SettlementState.LINES: add_lines,
    SettlementState.GUARD: compare,
    SettlementState.FINALIZE: finalize,
    SettlementState.COLLECT: collect,
    SettlementState.WAIT: wait,
    SettlementState.ACTION: wait,
}
