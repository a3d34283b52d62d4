"""The shapes of the billing API: what its answers hold, for programs and for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from billing.api_words import money
from billing.queries.invoice_taxes import RateRow
from billing.rating.wording import plain

MONEY = "a decimal in the invoice's currency, as a string"
EXACT = "unrounded, to 18 decimals, as a string"


class ActionSerializer(serializers.Serializer[Any]):
    """Something that may be done with an invoice now."""

    name = serializers.CharField(help_text="read_lines, read_evidence, pay, retry_stripe_push or retry_collect")
    method = serializers.CharField()
    url = serializers.CharField()


class InvoiceSerializer(serializers.Serializer[Any]):
    """An issued invoice."""

    id = serializers.UUIDField()
    number = serializers.CharField(help_text="gapless per issuer")
    issuer_id = serializers.UUIDField()
    issuer = serializers.CharField()
    issuer_name = serializers.CharField()
    tenant_id = serializers.UUIDField()
    tenant = serializers.CharField()
    tenant_name = serializers.CharField()
    contract = serializers.CharField(help_text="number")
    kind = serializers.CharField(help_text="lease, token_share or mixed")
    state = serializers.CharField(help_text="issued, paid, uncollectible or void")
    overdue = serializers.BooleanField(help_text="issued, and not paid when it was due")
    currency = serializers.CharField()
    time_zone = serializers.CharField(help_text="whose days its lines are by")
    period_from = serializers.DateTimeField()
    period_to = serializers.DateTimeField(help_text="the period is [from, to)")
    subtotal = serializers.CharField(help_text=MONEY)
    tax = serializers.CharField(help_text=MONEY)
    total = serializers.CharField(help_text=MONEY)
    outstanding = serializers.CharField(help_text="what is left to pay; " + MONEY)
    issued_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)
    updated_at = serializers.DateTimeField(help_text="when it was last written, by the database's clock")
    collection = serializers.CharField(help_text="charge_automatically or send_invoice")


class TaxSerializer(serializers.Serializer[Any]):
    """The tax of one rate on an invoice or a draft."""

    position = serializers.IntegerField()
    category = serializers.CharField(help_text="of EN 16931: S, Z, E, AE, K, G or O")
    percent = serializers.CharField()
    country = serializers.CharField(help_text="whose tax it is; empty where it is nobody's")
    said_by = serializers.CharField(help_text="who says so: none, built_in, provider, certificate or stripe")
    reason_code = serializers.CharField(help_text="VATEX code, or empty")
    reason = serializers.CharField()
    taxable = serializers.CharField(help_text=MONEY)
    tax = serializers.CharField(help_text="rounded once; " + MONEY)


def tax_row(rate: RateRow, currency: str) -> dict[str, object]:
    """Return the tax of one rate as `TaxSerializer` says it."""
    return {
        "position": rate.position,
        "category": rate.category,
        "percent": plain(rate.percent),
        "country": rate.country,
        "said_by": rate.source,
        "reason_code": rate.reason_code,
        "reason": rate.reason,
        "taxable": money(rate.taxable, currency),
        "tax": money(rate.tax, currency),
    }


class LineTaxSerializer(serializers.Serializer[Any]):
    """A line's rate and its part of that rate's tax; parts of a rate sum to it."""

    rate = serializers.IntegerField(help_text="position among the invoice's taxes")
    category = serializers.CharField()
    percent = serializers.CharField()
    tax = serializers.CharField(help_text=MONEY)


class InvoiceStepSerializer(serializers.Serializer[Any]):
    """A step of an issued invoice; each stands, fails and is tried again by itself."""

    name = serializers.CharField(help_text="tax, document, stripe_push or collect")
    state = serializers.CharField(help_text="not_needed, waiting, done or failed")
    detail = serializers.CharField(help_text="where within the step, for people")
    error = serializers.CharField(help_text="what went wrong last")
    attempts = serializers.IntegerField()
    next_try_at = serializers.DateTimeField(allow_null=True)


class InvoiceWithActionsSerializer(InvoiceSerializer):
    """An issued invoice, the steps that follow its issue, and what may be done with it now."""

    taxes = TaxSerializer(many=True)
    steps = InvoiceStepSerializer(many=True)
    actions = ActionSerializer(many=True)


class InvoicesSerializer(serializers.Serializer[Any]):
    """Invoices in the order they changed."""

    invoices = InvoiceSerializer(many=True)
    has_more = serializers.BooleanField(help_text="whether more are there already")
    next_cursor = serializers.CharField(
        allow_null=True, help_text="where to go on, now or later; null only where nothing was found without a cursor"
    )


class SublineSerializer(serializers.Serializer[Any]):
    """A part of a line: one class, tier, price version and day. Parts sum to the line's exact amount."""

    day = serializers.DateField(help_text="in the invoice's time zone")
    token_class = serializers.CharField(help_text="empty for a lease")
    tier = serializers.CharField(
        help_text="over_200k: of requests over 200,000 input tokens, which the price list prices apart; else empty"
    )
    quantity = serializers.CharField()
    unit_price = serializers.CharField()
    price_version = serializers.IntegerField(allow_null=True, help_text="null where the contract agreed the price")
    base_amount = serializers.CharField(help_text="before the share; " + EXACT)
    exact_amount = serializers.CharField(help_text=EXACT)


class LineSerializer(serializers.Serializer[Any]):
    """A line as issued, rounded once."""

    position = serializers.IntegerField()
    heading = serializers.CharField()
    description = serializers.CharField()
    term_kind = serializers.CharField(help_text="lease or token_share")
    term_ref = serializers.CharField()
    model = serializers.CharField()
    quantity = serializers.CharField()
    unit = serializers.CharField(help_text="tokens or gpu_seconds")
    unit_price = serializers.CharField(allow_null=True, help_text="null where the parts have several")
    unit_price_unit = serializers.CharField(help_text="per_mtok or per_gpu_hour")
    share_percent = serializers.CharField(allow_null=True)
    rule = serializers.CharField()
    quality = serializers.DictField(child=serializers.CharField(), help_text="quantity by quality: A, E, S")
    base_amount = serializers.CharField(help_text="before the share; " + EXACT)
    exact_amount = serializers.CharField(help_text=EXACT)
    amount = serializers.CharField(help_text="rounded once, half to even; " + MONEY)
    tax = LineTaxSerializer(allow_null=True)
    sublines = SublineSerializer(many=True)


class LinesSerializer(serializers.Serializer[Any]):
    """All lines of an invoice."""

    invoice_id = serializers.UUIDField()
    number = serializers.CharField()
    currency = serializers.CharField()
    lines = LineSerializer(many=True)
