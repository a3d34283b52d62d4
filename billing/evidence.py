"""The evidence file of an invoice: a canonical JSON document from which anybody can recompute every line.

It holds the terms, the price versions, what was held and used (in hours, by quality and by band of the
requests' length), where the readings behind the
usage are (numbers and hashes of signed batches), what the other witness counted, and the lines as issued. Amounts,
prices and tokens are strings, instants ISO 8601 in UTC. Its SHA-256 is over the exact bytes of the document.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.basis import LeaseBasis, PeriodBasis, ShareBasis, Usage, rate
from billing.money import CHARGE_DECIMALS
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.lines import Bill, InvoiceLine, make_bill
from clusters.occupancy import Hold

FORMAT = "forecourt-evidence-2"
FORMAT_WITHOUT_TIERS = "forecourt-evidence-1"
"""What was sealed before long requests had prices of their own: still read, and recomputed to the same lines."""

Document = Mapping[str, Any]
"""An evidence document as JSON gives it."""


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


def make_document(header: Header, basis: PeriodBasis, proof: Proof, bill: Bill) -> dict[str, Any]:
    """Return the evidence document of an invoice; `basis` holds usage by the hour."""
    return {
        "format": FORMAT,
        "invoice": {
            "number": header.number,
            "issuer": header.issuer,
            "tenant": header.tenant,
            "issued_at": header.issued_at.isoformat(),
            "subtotal": str(header.subtotal),
            "tax": str(header.tax),
            "total": str(header.total),
        },
        "contract": {
            "number": basis.contract,
            "version": basis.contract_version,
            "currency": basis.currency,
            "time_zone": basis.zone,
        },
        "period": {"from_at": basis.from_at.isoformat(), "to_at": basis.to_at.isoformat()},
        "price_versions": [_version(version, proof.version_numbers) for version in basis.versions],
        "leases": [_lease(lease) for lease in basis.leases],
        "token_shares": [_share(share) for share in basis.shares],
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
    }


def canonical(document: Document) -> str:
    """Return the one text of a document: sorted keys, no spaces, UTF-8 characters as they are."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(text: str) -> str:
    """Return the SHA-256 of a canonical text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def recompute(document: Document) -> Bill:
    """Rate the document's terms, prices, holds and usage anew, and return the bill they give."""
    basis = read_basis(document)
    return make_bill(rate(basis).lines, basis.currency)


def read_basis(document: Document) -> PeriodBasis:
    """Return what the document says the invoice was rated from; its lines are not looked at."""
    document = _with_tiers(document)
    contract, period = document["contract"], document["period"]
    return PeriodBasis(
        contract=contract["number"],
        contract_version=contract["version"],
        currency=contract["currency"],
        zone=contract["time_zone"],
        from_at=datetime.fromisoformat(period["from_at"]),
        to_at=datetime.fromisoformat(period["to_at"]),
        versions=tuple(_read_version(version) for version in document["price_versions"]),
        leases=tuple(_read_lease(lease) for lease in document["leases"]),
        shares=tuple(_read_share(share) for share in document["token_shares"]),
    )


def differences(document: Document) -> list[str]:
    """Return where the document's own lines and totals are not what its usage, terms and prices give.

    A document that makes no sense any more gives one difference that says so.
    """
    try:
        document = _with_tiers(document)
        bill = recompute(document)
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        return [f"cannot be recomputed: {type(error).__name__} {error}"]
    return _compare(document, bill)


def _with_tiers(document: Document) -> Document:
    """Return a document of either format as one of the present format: without tiers everything is in the base tier."""
    if document["format"] == FORMAT:
        return document
    if document["format"] != FORMAT_WITHOUT_TIERS:
        raise ValueError(f"format: found {document['format']!r}, expected {FORMAT!r} or {FORMAT_WITHOUT_TIERS!r}")
    return {
        **document,
        "format": FORMAT,
        "price_versions": [
            {**version, "per_mtok": [{**price, "context_over": 0} for price in version["per_mtok"]]}
            for version in document["price_versions"]
        ],
        "token_shares": [
            {**share, "usage": [[*usage, 0] for usage in share["usage"]]} for share in document["token_shares"]
        ],
        "lines": [
            {**line, "sublines": [{**subline, "context_over": 0} for subline in line["sublines"]]}
            for line in document["lines"]
        ],
    }


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


def _version(version: PriceVersion, numbers: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": version.version_id,
        "number": numbers.get(version.version_id),
        "effective_at": version.effective_at.isoformat(),
        "per_mtok": [
            {"model": model, "class": str(token_class), "context_over": over, "price": _plain(price)}
            for (model, token_class, over), price in sorted(_all_prices(version).items())
        ],
        "per_gpu_hour": {model: _plain(price) for model, price in sorted(version.gpu_prices.items())},
    }


def _all_prices(version: PriceVersion) -> dict[tuple[str, TokenClass, int], Decimal]:
    return {(*about, 0): price for about, price in version.token_prices.items()} | dict(version.tier_prices)


def _read_version(version: Document) -> PriceVersion:
    prices = {
        (price["model"], TokenClass(price["class"]), price["context_over"]): Decimal(price["price"])
        for price in version["per_mtok"]
    }
    return PriceVersion(
        version["id"],
        datetime.fromisoformat(version["effective_at"]),
        {(model, token_class): price for (model, token_class, over), price in prices.items() if not over},
        {model: Decimal(price) for model, price in version["per_gpu_hour"].items()},
        {about: price for about, price in prices.items() if about[-1]},
    )


def _lease(lease: LeaseBasis) -> dict[str, Any]:
    return {
        "ref": lease.ref,
        "title": lease.title,
        "rate_per_gpu_hour": None if lease.rate_per_gpu_hour is None else _plain(lease.rate_per_gpu_hour),
        "holds": [
            {
                "slice": hold.slice_ref,
                "card": hold.card_ref,
                "model": hold.accelerator_model,
                "share_permille": hold.share_permille,
                "from_at": hold.from_at.isoformat(),
                "to_at": hold.to_at.isoformat() if hold.to_at else None,
            }
            for hold in lease.holds
        ],
    }


def _read_lease(lease: Document) -> LeaseBasis:
    holds = tuple(
        Hold(
            hold["slice"],
            hold["share_permille"],
            datetime.fromisoformat(hold["from_at"]),
            datetime.fromisoformat(hold["to_at"]) if hold["to_at"] else None,
            hold["card"],
            hold["model"],
        )
        for hold in lease["holds"]
    )
    given = lease["rate_per_gpu_hour"]
    return LeaseBasis(lease["ref"], lease["title"], None if given is None else Decimal(given), holds)


def _share(share: ShareBasis) -> dict[str, Any]:
    return {
        "ref": share.ref,
        "title": share.title,
        "share_percent": _plain(share.share_percent),
        "collected_by": share.collected_by,
        "witness": share.witness,
        "usage": [
            [
                usage.deployment,
                usage.model,
                str(usage.token_class),
                usage.quality,
                usage.from_at.isoformat(),
                usage.to_at.isoformat(),
                str(usage.tokens),
                usage.context_over,
            ]
            for usage in share.usage
        ],
    }


def _read_share(share: Document) -> ShareBasis:
    return ShareBasis(
        ref=share["ref"],
        title=share["title"],
        share_percent=Decimal(share["share_percent"]),
        collected_by=share["collected_by"],
        witness=share["witness"],
        usage=tuple(
            Usage(
                deployment,
                model,
                TokenClass(token_class),
                quality,
                datetime.fromisoformat(from_at),
                datetime.fromisoformat(to_at),
                int(tokens),
                context_over,
            )
            for deployment, model, token_class, quality, from_at, to_at, tokens, context_over in share["usage"]
        ),
    )


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
        "model": line.model,
        "quantity": None if line.quantity is None else _plain(line.quantity),
        "unit": line.unit,
        "share_percent": None if line.share_percent is None else _plain(line.share_percent),
        "quality": {quality: _plain(quantity) for quality, quantity in sorted(line.quality_mix.items())},
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
                "quantity": _plain(subline.quantity),
                "unit_price": _plain(subline.price.amount),
                "unit_price_unit": subline.price.unit,
                "base_amount": _exact(subline.base_amount),
                "exact_amount": _exact(subline.amount),
            }
            for subline in line.sublines
        ],
    }


def _plain(number: Decimal) -> str:
    """A number without exponent and trailing zeros, so that one value has one text."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exact(amount: Decimal) -> str:
    return f"{amount:.{CHARGE_DECIMALS}f}"
