"""The evidence file of an invoice: a canonical JSON document from which anybody can recompute every line.

It holds the terms with their wordings, the price versions, what was held and used (in hours, by quality and by band of
the requests' length), facts and what the period before handed over, where the readings behind the usage are (numbers
and hashes of signed batches), what the other witness counted, the lines as issued and what the next period is handed.
Amounts, prices and tokens are strings, instants ISO 8601 in UTC. Its SHA-256 is over the exact bytes of the document.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.basis import PeriodBasis, rate
from billing.canonical import Document
from billing.evidence_adjustments import Restated, billed_differences, section_differences, write_restated
from billing.evidence_formats import FORMAT, present
from billing.evidence_taxes import Taxes, tax_differences, write_taxes
from billing.evidence_terms import read_term, read_version, write_term, write_version
from billing.money import CHARGE_DECIMALS
from billing.rating.inputs import RatingWindow
from billing.rating.kinds import read_fact, write_fact
from billing.rating.lines import Bill, InvoiceLine, by_term_and_model, by_term_model_and_grant, make_bill
from billing.rating.rated import Carry, Rated, TermKind
from billing.rating.wording import plain


@dataclass(frozen=True, slots=True)
class Header:
    """What the invoice says of itself."""

    number: str
    issuer: str
    tenant: str
    issued_at: datetime
    subtotal: Decimal
    tax: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class BatchRange:
    """The signed batches of a node behind the usage: their numbers, and the hashes that chain them."""

    node: str
    first_seq: int
    last_seq: int
    first_hash: str
    last_hash: str


@dataclass(frozen=True, slots=True)
class Residual:
    """What the billing and the other witness counted of a deployment's tokens; None where it saw nothing."""

    deployment: str
    model: str
    token_class: str
    billed: int
    control: int | None

    @property
    def residual(self) -> int | None:
        """Billed less control, in tokens."""
        return None if self.control is None else self.billed - self.control


@dataclass(frozen=True, slots=True)
class Proof:
    """Where the usage comes from, and what is known to be missing."""

    version_numbers: Mapping[str, int] = field(default_factory=dict)
    batches: tuple[BatchRange, ...] = ()
    residuals: tuple[Residual, ...] = ()
    usage_records: int = 0
    usage_gaps: tuple[Mapping[str, Any], ...] = ()
    accepted_gaps: tuple[Mapping[str, Any], ...] = ()
    unpriced: Mapping[str, Decimal] = field(default_factory=dict)


def make_document(
    header: Header,
    basis: PeriodBasis,
    proof: Proof,
    bill: Bill,
    *,
    carries: Iterable[Carry] = (),
    restated: Iterable[Restated] = (),
    taxes: Taxes | None = None,
) -> dict[str, Any]:
    """Return the evidence document of an invoice; `basis` holds usage by the hour, `carries` go to the next period.

    `restated` are the closed periods that its adjustments come from.
    """
    return {
        "format": FORMAT,
        "invoice": _header(header),
        **_basis(basis, proof.version_numbers),
        "usage_records": str(proof.usage_records),
        "batches": [
            {
                "node": batch.node,
                "first_seq": batch.first_seq,
                "last_seq": batch.last_seq,
                "first_hash": batch.first_hash,
                "last_hash": batch.last_hash,
            }
            for batch in proof.batches
        ],
        "residuals": [_residual(residual) for residual in proof.residuals],
        "usage_gaps": list(proof.usage_gaps),
        "accepted_gaps": list(proof.accepted_gaps),
        "unpriced": {name: str(quantity) for name, quantity in proof.unpriced.items()},
        "lines": [_line(line) for line in bill.lines],
        "carries": [_carry(carry) for carry in carries],
        "adjustments": [write_restated(each, _basis(each.basis, {})) for each in restated],
        "grants_apart": True,
        "taxes": None if taxes is None else write_taxes(taxes),
    }


def issued_again(document: Document, header: Header, taxes: Taxes) -> dict[str, Any]:
    """Return the evidence of an invoice that bills what another billed: all of that one's but its header and taxes."""
    return {**present(document), "invoice": _header(header), "taxes": write_taxes(taxes)}


def _header(header: Header) -> dict[str, str]:
    return {
        "number": header.number,
        "issuer": header.issuer,
        "tenant": header.tenant,
        "issued_at": header.issued_at.isoformat(),
        "subtotal": str(header.subtotal),
        "tax": str(header.tax),
        "total": str(header.total),
    }


def _basis(basis: PeriodBasis, version_numbers: Mapping[str, int]) -> dict[str, Any]:
    """Return what a period was rated from."""
    return {
        "contract": {
            "number": basis.contract,
            "version": basis.contract_version,
            "currency": basis.currency,
            "time_zone": basis.zone,
        },
        "period": {
            "from_at": basis.from_at.isoformat(),
            "to_at": basis.to_at.isoformat(),
            "whole_seconds": basis.window.whole_seconds,
        },
        "price_versions": [write_version(version, version_numbers) for version in basis.versions],
        "terms": [write_term(term) for term in basis.terms],
        "facts": [write_fact(fact) for fact in basis.facts],
        "discounts_divide": sorted(basis.discounts_divide),
    }


def recompute(document: Document) -> Bill:
    """Rate the document's terms, prices, holds and usage anew, and return the bill they give."""
    document = present(document)
    basis = read_basis(document)
    return _bill(document, rate(basis), basis.currency)


def read_basis(document: Document) -> PeriodBasis:
    """Return what the document says the invoice was rated from; its lines are not looked at."""
    return _read_basis(present(document))


def _read_basis(document: Document) -> PeriodBasis:
    contract, period = document["contract"], document["period"]
    to_at = datetime.fromisoformat(period["to_at"])
    return PeriodBasis(
        contract=contract["number"],
        contract_version=contract["version"],
        window=RatingWindow(
            currency=contract["currency"],
            zone=contract["time_zone"],
            from_at=datetime.fromisoformat(period["from_at"]),
            to_at=to_at,
            period_to_at=to_at,
            versions=tuple(read_version(version) for version in document["price_versions"]),
            whole_seconds=period["whole_seconds"],
        ),
        terms=tuple(read_term(term) for term in document["terms"]),
        facts=tuple(read_fact(fact) for fact in document["facts"]),
        discounts_divide=frozenset(map(TermKind, document["discounts_divide"])),
    )


def differences(document: Document) -> list[str]:
    """Return where the document's own lines and totals are not what its usage, terms and prices give.

    A document that makes no sense any more gives one difference that says so.
    """
    try:
        document = present(document)
        basis = read_basis(document)
        rated = rate(basis)
        bill = _bill(document, rated, basis.currency)
        return [
            *_compare(document, bill),
            *tax_differences(document, basis, bill),
            *_compare_carries(document, rated),
            *_compare_adjustments(document, basis),
        ]
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        return [f"cannot be recomputed: {type(error).__name__} {error}"]


def _bill(document: Document, rated: Rated, currency: str) -> Bill:
    gather = by_term_model_and_grant if document["grants_apart"] else by_term_and_model
    return make_bill(rated.lines, currency, gather)


def _compare(document: Document, bill: Bill) -> list[str]:
    stated = list(document["lines"])
    computed = [_line(line) for line in bill.lines]
    found = [f"lines: {len(stated)} stated, {len(computed)} computed"] if len(stated) != len(computed) else []
    for position, (left, right) in enumerate(zip(stated, computed, strict=False), 1):
        found.extend(f"line {position}: {what}" for what in _unequal(left, right))
    invoice = document["invoice"]
    if Decimal(invoice["subtotal"]) != bill.total:
        found.append(f"subtotal: {invoice['subtotal']} stated, {bill.total} computed")
    if Decimal(invoice["total"]) != Decimal(invoice["subtotal"]) + Decimal(invoice["tax"]):
        found.append(f"total: {invoice['total']} is not subtotal and tax")
    return found


def _compare_adjustments(document: Document, basis: PeriodBasis) -> list[str]:
    sections = [(section, _read_basis(section)) for section in document["adjustments"]]
    found = [difference for section in sections for difference in section_differences(*section)]
    for _, restated in sections:
        if (restated.contract, restated.currency, restated.zone) != (basis.contract, basis.currency, basis.zone):
            found.append(f"adjustment of {restated.contract} on a bill of {basis.contract}")
        if restated.to_at > basis.from_at:
            found.append(f"adjustment of a period to {restated.to_at.isoformat()}, after the bill's began")
    return [*found, *billed_differences(sections, basis)]


def _compare_carries(document: Document, rated: Rated) -> list[str]:
    computed = [_carry(carry) for carry in rated.carries]
    return [] if document["carries"] == computed else [f"carries: {document['carries']} stated, {computed} computed"]


def _unequal(stated: Mapping[str, Any], computed: Mapping[str, Any]) -> Iterable[str]:
    for name in sorted({*stated, *computed}):
        if name == "sublines":
            for number, (left, right) in enumerate(_paired(stated[name], computed[name]), 1):
                if left != right:
                    yield f"subline {number}: {left} stated, {right} computed"
        elif stated.get(name) != computed.get(name):
            yield f"{name}: {stated.get(name)} stated, {computed.get(name)} computed"


def _paired(left: list[Any], right: list[Any]) -> Iterable[tuple[Any, Any]]:
    longest = max(len(left), len(right))
    return zip([*left, *[None] * (longest - len(left))], [*right, *[None] * (longest - len(right))], strict=True)


def _residual(residual: Residual) -> dict[str, Any]:
    return {
        "deployment": residual.deployment,
        "model": residual.model,
        "class": residual.token_class,
        "billed": str(residual.billed),
        "control": None if residual.control is None else str(residual.control),
        "residual": None if residual.residual is None else str(residual.residual),
    }


def _line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "term": line.term_ref,
        "rule": line.sublines[0].rule,
        "model": line.model,
        "quantity": None if line.quantity is None else plain(line.quantity),
        "unit": line.unit,
        "share_percent": None if line.share_percent is None else plain(line.share_percent),
        "quality": {quality: plain(quantity) for quality, quantity in sorted(line.quality_mix.items())},
        "base_amount": _exact(line.base_amount),
        "exact_amount": _exact(line.exact_amount),
        "amount": str(line.amount),
        "sublines": [
            {
                "class": subline.token_class,
                "context_over": subline.context_over,
                "price_version": subline.price_version_id,
                "from_at": subline.from_at.isoformat(),
                "to_at": subline.to_at.isoformat(),
                "quantity": plain(subline.quantity),
                "unit_price": plain(subline.price.amount),
                "unit_price_unit": subline.price.unit,
                "base_amount": _exact(subline.base_amount),
                "exact_amount": _exact(subline.amount),
            }
            for subline in line.sublines
        ],
    }


def _carry(carry: Carry) -> dict[str, str]:
    return {"ref": carry.term_ref, "name": carry.name, "value": plain(carry.value)}


def _exact(amount: Decimal) -> str:
    return f"{amount:.{CHARGE_DECIMALS}f}"
