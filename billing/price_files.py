"""Public prices as files have them: LiteLLM's price file, and a table of GPU-hour prices. Exact, and never a guess.

LiteLLM's file (BerriAI/litellm, `model_prices_and_context_window.json`, MIT) is one JSON object: an entry per model,
its prices per single token in USD under names such as `input_cost_per_token` and
`cache_read_input_token_cost_above_200k_tokens_priority`, and `sample_spec`, which explains them. Prices are read as
decimals, never as binary fractions, and kept per 1M tokens. A price that is no number, not finite, negative or too
fine is reported and left out; it never becomes zero. Zeros are kept as stated: the file says 0 of what is free, and of
much that its authors do not know.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from billing.money import TOKENS_PER_PRICE_UNIT
from billing.rating.rated import PriceUnit
from tenants.sentences import sentence

SPEC: Final = "sample_spec"
USD: Final = "USD"
DECIMALS_MAX: Final = 18
WHOLE_DIGITS_MAX: Final = 18
NAME_CHARS_MAX: Final = 200
SELLER_CHARS_MAX: Final = 100
SOURCE_CHARS_MAX: Final = 500
ENTRIES_MAX: Final = 100_000

_TOKENS: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "output_cost_per_reasoning_token": "reasoning",
}
_OTHERS: Final = {
    "output_cost_per_image": (PriceUnit.PER_IMAGE, "images"),
    "output_cost_per_video_per_second": (PriceUnit.PER_SECOND, "video_seconds"),
    "input_cost_per_audio_per_second": (PriceUnit.PER_SECOND, "audio_seconds"),
    "input_cost_per_request": (PriceUnit.PER_REQUEST, "requests"),
}
_FIELD: Final = re.compile(
    rf"(?P<name>{'|'.join(_TOKENS)})(_above_(?P<over>[0-9]{{1,4}})k_tokens)?(_(?P<mark>batches|priority|flex))?"
)
_MARKS: Final = {"batches": "batch", "priority": "priority", "flex": "flex"}
GPU_HEAD: Final = ("seller", "card", "price_per_gpu_hour", "currency", "mark", "stated_on", "source")


class WrongFile(ValueError):
    """The file as a whole cannot be read."""


@dataclass(frozen=True, slots=True)
class PublicPrice:
    """One public price for one of its unit; `model` is what own models and cards are compared by."""

    seller: str
    name: str
    model: str
    unit: str
    quantity: str
    currency: str
    price: Decimal
    stated_on: date
    context_over: int = 0
    mark: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What of a file was left out: where, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class PriceFile:
    """What a file says: how many entries it has, their prices, and what could not be taken."""

    read: int
    prices: tuple[PublicPrice, ...]
    skipped: tuple[Skipped, ...]


def model_name(name: str) -> str:
    """Return by what a served model is compared: its name without who serves it, in small letters."""
    return name.rpartition("/")[2].strip().lower()


def card_words(name: str) -> frozenset[str]:
    """Return the words of a card's name: "NVIDIA A100-SXM4-80GB" and "A100 80GB" share a100 and 80gb."""
    return frozenset(re.findall(r"[a-z0-9]+", name.lower()))


def read_litellm(content: bytes, *, as_of: date) -> PriceFile:
    """Read LiteLLM's price file. Raises `WrongFile`."""
    entries = _load(content)
    prices: list[PublicPrice] = []
    skipped: list[Skipped] = []
    for name, entry in entries.items():
        for found in _entry(name, entry, as_of):
            if isinstance(found, Skipped):
                skipped.append(found)
            else:
                prices.append(found)
    return PriceFile(len(entries), tuple(prices), tuple(skipped))


def read_gpu_hours(content: bytes) -> PriceFile:
    """Read a table of GPU-hour prices: CSV (RFC 4180, UTF-8) with the columns of `GPU_HEAD`. Raises `WrongFile`."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise WrongFile(sentence("It is no CSV file in UTF-8: %(error)s.", error=error)) from error
    if not rows or tuple(rows[0]) != GPU_HEAD:
        raise WrongFile(sentence("Its first line must be: %(gpu_head)s.", gpu_head=",".join(GPU_HEAD)))
    prices: dict[tuple[str, ...], PublicPrice] = {}
    skipped: list[Skipped] = []
    read = 0
    for line, row in enumerate(rows[1:], 2):
        if not row:
            continue
        read += 1
        found = _gpu_row(row)
        if isinstance(found, PublicPrice) and (found.seller, found.name, found.mark) in prices:
            found = "the same seller, card and mark stand above already"
        if isinstance(found, str):
            skipped.append(Skipped(f"line {line}", found))
        else:
            prices[found.seller, found.name, found.mark] = found
    return PriceFile(read, tuple(prices.values()), tuple(skipped))


class _NotFinite:
    """Stands where a JSON file has NaN or Infinity, which JSON does not know."""


def _load(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content, parse_float=Decimal, parse_constant=lambda _: _NotFinite())
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise WrongFile(sentence("It is no JSON file: %(error)s.", error=error)) from error
    if not isinstance(document, dict):
        raise WrongFile(sentence('It must be one JSON object: {"model": {"input_cost_per_token": 1e-06, …}, …}.'))
    entries = {name: entry for name, entry in document.items() if name != SPEC}
    if not entries or len(entries) > ENTRIES_MAX:
        raise WrongFile(
            sentence("It has %(count)s models; expected 1 to %(most)s.", count=len(entries), most=ENTRIES_MAX)
        )
    return entries


def _entry(name: str, entry: object, as_of: date) -> Iterator[PublicPrice | Skipped]:
    model = model_name(name)
    if not isinstance(entry, dict):
        yield Skipped(name[:NAME_CHARS_MAX], "it is no object")
        return
    seller = entry.get("litellm_provider")
    if not _is_name(name, NAME_CHARS_MAX) or not model:
        yield Skipped(repr(name)[:NAME_CHARS_MAX], "it is no name of a model")
        return
    if not isinstance(seller, str) or not _is_name(seller, SELLER_CHARS_MAX):
        yield Skipped(name, "litellm_provider: expected a name")
        return
    taken = 0
    for field, value in sorted(entry.items()):
        about = _about(field)
        if about is None:
            continue
        taken += 1
        unit, quantity, over, mark = about
        price = _price(value, TOKENS_PER_PRICE_UNIT if unit == PriceUnit.PER_MTOK else 1)
        if isinstance(price, str):
            yield Skipped(f"{name}: {field}", price)
        else:
            yield PublicPrice(seller, name, model, unit, quantity, USD, price, as_of, over, mark)
    if not taken:
        yield Skipped(name, "it has no price that is compared here")


def _about(field: str) -> tuple[str, str, int, str] | None:
    """Return (unit, quantity, threshold, mark) of a field that is a price known here."""
    if field in _OTHERS:
        unit, quantity = _OTHERS[field]
        return (unit, quantity, 0, "")
    found = _FIELD.fullmatch(field)
    if found is None:
        return None
    return (
        PriceUnit.PER_MTOK,
        _TOKENS[found["name"]],
        int(found["over"] or 0) * 1_000,
        _MARKS[found["mark"]] if found["mark"] else "",
    )


def _price(value: object, units: int) -> Decimal | str:
    """Return a price times a number of units, exactly, or why it cannot be taken."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        shown = "not finite" if isinstance(value, _NotFinite) else type(value).__name__
        return f"expected a number, found {shown}"
    exact = Decimal(value)
    if not exact.is_finite() or exact < 0:
        return f"{value} is no price"
    if not exact:
        return Decimal(0)
    sign, digits, exponent = exact.as_tuple()
    shifted = int(exponent) + len(str(units)) - 1
    while digits[-1] == 0:
        digits, shifted = digits[:-1], shifted + 1
    if shifted < -DECIMALS_MAX or len(digits) + shifted > WHOLE_DIGITS_MAX:
        return f"{value} is too fine or too large: at most {DECIMALS_MAX} decimals are kept"
    return Decimal((sign, digits, shifted))


def _gpu_row(row: Sequence[str]) -> PublicPrice | str:
    if len(row) != len(GPU_HEAD):
        return f"expected {len(GPU_HEAD)} columns, found {len(row)}"
    seller, card, written, currency, mark, stated, source = (cell.strip() for cell in row)
    wrong = _wrong_words(seller, card, currency, mark, source)
    if wrong:
        return wrong
    try:
        stated_on = date.fromisoformat(stated)
        price = _price(Decimal(written), 1)
    except ValueError:
        return f"stated_on: expected a date such as 2026-11-09, found {stated!r}"
    except InvalidOperation:
        return f"price_per_gpu_hour: expected a number, found {written!r}"
    if isinstance(price, str) or not price:
        return f"price_per_gpu_hour: {written} is no price"
    unit = PriceUnit.PER_GPU_HOUR
    return PublicPrice(seller, card, card.lower(), unit, "", currency, price, stated_on, mark=mark, link=source)


def _wrong_words(seller: str, card: str, currency: str, mark: str, source: str) -> str:
    """Return what is wrong with the words of a row, "" where nothing is."""
    if not _is_name(seller, SELLER_CHARS_MAX) or not _is_name(card, SELLER_CHARS_MAX):
        return "seller and card: expected names"
    if not re.fullmatch(r"[A-Z]{3}", currency):
        return f"currency: expected three capital letters, found {currency!r}"
    if not re.fullmatch(r"[a-z_]{1,16}", mark):
        return f"mark: expected on_demand, spot or reserved, found {mark!r}"
    if not _is_name(source, SOURCE_CHARS_MAX):
        return f"source: expected where it stands, at most {SOURCE_CHARS_MAX} characters"
    return ""


def _is_name(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and text.isprintable()
