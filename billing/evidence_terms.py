"""Terms and price versions as evidence has them: wordings, holds, usage and facts, each with one text."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.canonical import Document
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import TermInput, Used
from billing.rating.kinds import kind_of, read_any_wording, read_fact, write_fact
from billing.rating.price_lists import PriceKey, prices_of, version_of
from billing.rating.price_rows import read_rows, rows_of
from billing.rating.price_rules import row_id
from billing.rating.rated import PriceUnit
from billing.rating.wording import Stretch, plain, write_wording
from clusters.occupancy import Hold


def write_term(term: TermInput) -> dict[str, Any]:
    """Return what a term was rated from."""
    return {
        "ref": term.ref,
        "kind": str(kind_of(term)),
        "title": term.title,
        "from_at": term.from_at.isoformat(),
        "to_at": term.to_at.isoformat() if term.to_at else None,
        "wordings": [
            {
                "version": stretch.contract_version,
                "from_at": stretch.from_at.isoformat(),
                "to_at": stretch.to_at.isoformat(),
                "wording": write_wording(stretch.wording),
            }
            for stretch in term.stretches
        ],
        "holds": [_hold(hold) for hold in term.holds],
        "usage": _usage(term.usage),
        "facts": [write_fact(fact) for fact in term.facts],
    }


def read_term(term: Document) -> TermInput:
    """Return the term that the evidence holds."""
    return TermInput(
        ref=term["ref"],
        title=term["title"],
        from_at=datetime.fromisoformat(term["from_at"]),
        to_at=datetime.fromisoformat(term["to_at"]) if term["to_at"] else None,
        stretches=read_stretches(term),
        holds=tuple(_read_hold(hold) for hold in term["holds"]),
        usage=_read_usage(term["usage"]),
        facts=tuple(read_fact(fact) for fact in term["facts"]),
    )


def read_stretches(term: Document) -> tuple[Stretch[Any], ...]:
    """Return a term's wordings over time, of all that the evidence holds of it."""
    return tuple(
        Stretch(
            each["version"],
            datetime.fromisoformat(each["from_at"]),
            datetime.fromisoformat(each["to_at"]),
            read_any_wording(each["wording"]),
        )
        for each in term["wordings"]
    )


PER_MTOK, PER_GPU_HOUR = PriceUnit.PER_MTOK, PriceUnit.PER_GPU_HOUR


def write_version(version: PriceVersion, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Return a price version as the evidence has it; `numbers` are those of the book's versions by id.

    One that a contract's price rule made bears the number of the book's version that it comes from.
    """
    others = {key: price for key, price in prices_of(version).items() if key.unit not in (PER_MTOK, PER_GPU_HOUR)}
    return {
        "id": version.version_id,
        "number": numbers.get(row_id(version.version_id)),
        "effective_at": version.effective_at.isoformat(),
        "per_mtok": [
            {"model": model, "class": str(token_class), "context_over": over, "price": plain(price)}
            for (model, token_class, over), price in sorted(_all_prices(version).items())
        ],
        "per_gpu_hour": {model: plain(price) for model, price in sorted(version.gpu_prices.items())},
        **({"others": rows_of(others)} if others else {}),
    }


def _all_prices(version: PriceVersion) -> dict[tuple[str, TokenClass, int], Decimal]:
    return {(*about, 0): price for about, price in version.token_prices.items()} | dict(version.tier_prices)


def read_version(version: Document) -> PriceVersion:
    """Return the price version that the evidence holds."""
    prices = {
        (price["model"], TokenClass(price["class"]), price["context_over"]): Decimal(price["price"])
        for price in version["per_mtok"]
    }
    found = {PriceKey(PER_MTOK, *about): price for about, price in prices.items()}
    found |= {PriceKey(PER_GPU_HOUR, model): Decimal(price) for model, price in version["per_gpu_hour"].items()}
    found |= read_rows(version.get("others", []), where="price_versions")
    return version_of(version["id"], datetime.fromisoformat(version["effective_at"]), found)


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "slice": hold.slice_ref,
        "card": hold.card_ref,
        "model": hold.accelerator_model,
        "share_permille": hold.share_permille,
        "from_at": hold.from_at.isoformat(),
        "to_at": hold.to_at.isoformat() if hold.to_at else None,
    }


def _read_hold(hold: Document) -> Hold:
    return Hold(
        hold["slice"],
        hold["share_permille"],
        datetime.fromisoformat(hold["from_at"]),
        datetime.fromisoformat(hold["to_at"]) if hold["to_at"] else None,
        hold["card"],
        hold["model"],
    )


def _usage(usage: Sequence[Used]) -> list[list[Any]]:
    """Usage as rows, since an invoice may have tens of thousands of them."""
    known: dict[datetime, str] = {}
    return [
        [
            used.deployment,
            used.model,
            used.quantity,
            used.quality,
            _text(used.from_at, known),
            _text(used.to_at, known),
            str(used.count),
            used.context_over,
            used.marks,
        ]
        for used in usage
    ]


def _text(at: datetime, known: dict[datetime, str]) -> str:
    """The text of an instant: a month of usage names the same few hundred hours again and again."""
    if at.tzinfo is not UTC:  # the same instant in another zone has another text
        return at.isoformat()
    text = known.get(at)
    if text is None:
        text = known[at] = at.isoformat()
    return text


def _read_usage(rows: Iterable[Sequence[Any]]) -> tuple[Used, ...]:
    at = _Instants()
    return tuple(
        Used(deployment, model, quantity, quality, at[from_at], at[to_at], int(count), context_over, marks)
        for deployment, model, quantity, quality, from_at, to_at, count, context_over, marks in rows
    )


class _Instants(dict[str, datetime]):
    """Instants by their texts, each worked out once."""

    def __missing__(self, text: str) -> datetime:
        at = self[text] = datetime.fromisoformat(text)
        return at
