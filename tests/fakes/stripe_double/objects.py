"""Shapes of Stripe's objects, taken from the classes of the installed ``stripe`` package.

``build`` gives an object every member its class declares: what Stripe may leave null is null unless given,
what Stripe always sends must be given, and a member the class does not know is refused. So an answer of the
double has the shape that the package's types promise.
"""

import functools
import secrets
import string
import typing
from typing import Any

import stripe
import stripe.checkout
import stripe.tax

JsonObject = dict[str, Any]

CLASSES: dict[str, type[stripe.StripeObject]] = {
    "account": stripe.Account,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "credit_note": stripe.CreditNote,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "line_item": stripe.InvoiceLineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "tax.calculation": stripe.tax.Calculation,
    "transfer": stripe.Transfer,
    "transfer_reversal": stripe.TransferReversal,
    "webhook_endpoint": stripe.WebhookEndpoint,
}
ID_PREFIXES = {
    "account": "acct",
    "balance_transaction": "txn",
    "charge": "ch",
    "checkout.session": "cs_test",
    "credit_note": "cn",
    "customer": "cus",
    "dispute": "dp",
    "event": "evt",
    "invoice": "in",
    "invoice_payment": "inpay",
    "line_item": "il",
    "payment_intent": "pi",
    "payment_method": "pm",
    "refund": "re",
    "setup_intent": "seti",
    "tax.calculation": "taxcalc",
    "transfer": "tr",
    "transfer_reversal": "trr",
    "webhook_endpoint": "we",
}
# Members that Stripe sends only on request (expand), on deletion, or for one variant of the object.
_LEFT_OUT: dict[str, frozenset[str]] = {
    "account": frozenset({"deleted", "external_accounts", "groups", "individual"}),
    "charge": frozenset({"refunds", "level3", "authorization_code"}),
    "customer": frozenset(
        {"deleted", "sources", "subscriptions", "tax", "tax_ids", "cash_balance", "invoice_credit_balance"}
    ),
    "event": frozenset({"account", "context"}),
    "invoice": frozenset({"deleted", "payments", "confirmation_secret"}),
    "checkout.session": frozenset({"line_items"}),
    "tax.calculation": frozenset({"line_items"}),
    "webhook_endpoint": frozenset({"deleted", "secret"}),
}
_ALPHABET = string.ascii_letters + string.digits


def new_id(kind: str) -> str:
    """A fresh id with Stripe's prefix for the kind."""
    return f"{ID_PREFIXES[kind]}_{''.join(secrets.choice(_ALPHABET) for _ in range(24))}"


def new_secret(prefix: str) -> str:
    """A fresh secret such as ``whsec_…``."""
    return f"{prefix}_{secrets.token_hex(16)}"


@functools.cache
def members_of(kind: str) -> dict[str, Any]:
    """Member → annotation, as the package's class for the object declares them."""
    declared: dict[str, Any] = dict(CLASSES[kind].__annotations__)
    return {name: annotation for name, annotation in declared.items() if not _is_class_variable(annotation)}


def _is_class_variable(annotation: Any) -> bool:
    return typing.get_origin(annotation) is typing.ClassVar


def _may_be_null(annotation: Any) -> bool:
    return type(None) in typing.get_args(annotation)


@functools.cache
def _nulls(kind: str) -> tuple[str, ...]:
    # A calculation's id may be null in the package's eyes; the double keeps every object, so each has one.
    left_out = _LEFT_OUT.get(kind, frozenset()) | {"id"}
    return tuple(name for name, kind_ in members_of(kind).items() if _may_be_null(kind_) and name not in left_out)


def build(kind: str, *, created: int | None = None, **given: Any) -> JsonObject:
    """A new object of the kind with an id; ``given`` names starting with ``_`` stay inside the double.

    Raises AssertionError when a member is unknown to the package, missing, or of another scalar type.
    """
    built: JsonObject = {"id": new_id(kind), "object": kind}
    members = members_of(kind)
    built.update(dict.fromkeys(_nulls(kind) if kind != "payment_method" else ("allow_redisplay", "customer")))
    if created is not None:
        built["created"] = created
    if "livemode" in members:
        built["livemode"] = False
    built.update(given)
    public_names = {name for name in built if not name.startswith("_")}
    assert public_names <= set(members), f"{kind}: unknown members {public_names - set(members)}"
    required = {name for name, annotation in members.items() if not _may_be_null(annotation)}
    assert required <= public_names, f"{kind}: missing members {required - public_names}"
    for name in public_names:
        _assert_scalar(kind, name, built[name], members[name])
    return built


def _assert_scalar(kind: str, name: str, value: Any, annotation: Any) -> None:
    optional = typing.get_origin(annotation) is typing.Union
    wanted = (
        [member for member in typing.get_args(annotation) if member is not type(None)] if optional else [annotation]
    )
    if len(wanted) == 1 and wanted[0] in (int, str, bool) and value is not None:
        assert type(value) is wanted[0], f"{kind}.{name}: {value!r} is not {wanted[0].__name__}"


def public(value: Any) -> Any:
    """The object as Stripe would show it: without the members the double keeps for itself."""
    match value:
        case dict():
            return {name: public(member) for name, member in value.items() if not str(name).startswith("_")}
        case list():
            return [public(member) for member in value]
        case _:
            return value


@functools.cache
def event_types() -> frozenset[str]:
    """The event types that the package knows."""
    named = typing.get_args(stripe.Event.__annotations__["type"])
    return frozenset(name for name in named if isinstance(name, str))


def merged_metadata(old: dict[str, str] | None, given: dict[str, str] | str) -> dict[str, str]:
    """Metadata after an update: an empty value drops one key, an empty string drops all."""
    if not given:
        return {}
    assert isinstance(given, dict)
    merged = {**(old or {}), **given}
    return {name: value for name, value in merged.items() if value != ""}
