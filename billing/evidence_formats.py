"""Earlier formats of evidence, read as the present one: what was sealed then recomputes to the same lines now."""

from collections.abc import Mapping
from typing import Any

from billing.canonical import Document

FORMAT = "forecourt-evidence-6"
FORMAT_WITHOUT_SHARES_DIVIDED = "forecourt-evidence-5"
"""What was sealed while a percentage off divided neither shares of revenue nor spot, whose lines went by the day."""
FORMAT_WITHOUT_DIVIDING = "forecourt-evidence-4"
"""What was sealed while a percentage off was that of the moment at which a line began."""
FORMAT_WITHOUT_ADJUSTMENTS = "forecourt-evidence-3"
"""What was sealed before usage that came late was billed on later invoices."""
FORMAT_WITHOUT_WORDINGS = "forecourt-evidence-2"
"""What was sealed while a contract held leases and token shares only, each with one wording."""
FORMAT_WITHOUT_TIERS = "forecourt-evidence-1"
"""What was sealed before long requests had prices of their own."""

EARLIER = (
    FORMAT_WITHOUT_SHARES_DIVIDED,
    FORMAT_WITHOUT_DIVIDING,
    FORMAT_WITHOUT_ADJUSTMENTS,
    FORMAT_WITHOUT_WORDINGS,
    FORMAT_WITHOUT_TIERS,
)
FIRST_DIVIDED = ("lease", "on_demand", "storage", "token_price")
"""The kinds of terms that a percentage off divided first."""

WITHOUT_TAXES = {"taxes": None, "grants_apart": False}
"""What was sealed before taxes were worked out, while what was drawn from all grants of a term was one line."""


def present(document: Document) -> Document:
    """Return a document of any format as one of the present format; raises ValueError for an unknown format."""
    if document["format"] == FORMAT_WITHOUT_TIERS:
        document = _with_tiers(document)
    if document["format"] == FORMAT_WITHOUT_WORDINGS:
        document = _with_wordings(document)
    if document["format"] == FORMAT_WITHOUT_ADJUSTMENTS:
        document = _with_adjustments(document)
    if document["format"] == FORMAT_WITHOUT_DIVIDING:
        document = _without_dividing(document)
    if document["format"] == FORMAT_WITHOUT_SHARES_DIVIDED:
        document = _with_kinds_divided(document)
    if document["format"] != FORMAT:
        known = ", ".join((FORMAT, *EARLIER))
        raise ValueError(f"format: found {document['format']!r}, expected one of {known}")
    return document


def _with_tiers(document: Document) -> Document:
    """Without tiers everything is in the base tier."""
    return {
        **document,
        "format": FORMAT_WITHOUT_WORDINGS,
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


def _with_adjustments(document: Document) -> Document:
    """Nothing was billed of earlier periods, and nothing taxed."""
    return {**document, "format": FORMAT_WITHOUT_DIVIDING, "adjustments": [], **WITHOUT_TAXES}


def _without_dividing(document: Document) -> Document:
    """No term was divided where a percentage off it changed, of this period and of those that were restated."""
    sections = [{**section, "discounts_divide": False} for section in document["adjustments"]]
    return {
        **document,
        "format": FORMAT_WITHOUT_SHARES_DIVIDED,
        "adjustments": sections,
        "discounts_divide": False,
    }


def _with_kinds_divided(document: Document) -> Document:
    """What was divided at all were the kinds that were divided then, of each period as it was sealed."""

    def kinds(section: Mapping[str, Any]) -> dict[str, Any]:
        return {**section, "discounts_divide": [*FIRST_DIVIDED] if section["discounts_divide"] else []}

    return {**kinds(document), "format": FORMAT, "adjustments": [kinds(each) for each in document["adjustments"]]}


def _with_wordings(document: Document) -> Document:
    """Every lease and share is a term with one wording, by the contract's version, over the whole period."""
    leases, shares = document["leases"], document["token_shares"]
    terms = [
        *(_term(document, lease, {"kind": "lease", **_lease(lease)}, holds=lease["holds"]) for lease in leases),
        *(
            _term(
                document, share, {"kind": "token_share", **_share(share)}, usage=[[*row, ""] for row in share["usage"]]
            )
            for share in shares
        ),
    ]
    rules = {lease["ref"]: "lease_book_rate" for lease in leases if lease["rate_per_gpu_hour"] is None}
    rules |= {lease["ref"]: "lease_fixed_rate" for lease in leases if lease["rate_per_gpu_hour"] is not None}
    return {
        **document,
        "format": FORMAT_WITHOUT_ADJUSTMENTS,
        "period": {**document["period"], "whole_seconds": None},
        "terms": terms,
        "facts": [],
        "carries": [],
        "lines": [{**line, "rule": rules.get(line["term"], "token_share_list_price")} for line in document["lines"]],
    }


def _term(document: Document, term: Document, wording: Mapping[str, Any], **rated_from: list[Any]) -> dict[str, Any]:
    period = document["period"]
    return {
        "ref": term["ref"],
        "title": term["title"],
        "from_at": period["from_at"],
        "to_at": None,
        "wordings": [
            {
                "version": document["contract"]["version"],
                "from_at": period["from_at"],
                "to_at": period["to_at"],
                "wording": wording,
            }
        ],
        "holds": [],
        "usage": [],
        "facts": [],
        **rated_from,
    }


def _lease(lease: Document) -> dict[str, Any]:
    return {
        "accelerator_model": lease["holds"][0]["model"] if lease["holds"] else "",
        "price_per_gpu_hour": lease["rate_per_gpu_hour"],
    }


def _share(share: Document) -> dict[str, Any]:
    return {name: share[name] for name in ("share_percent", "collected_by", "witness")}


def _usage(share: Document) -> list[Any]:
    return [[*row, ""] for row in share["usage"]]
