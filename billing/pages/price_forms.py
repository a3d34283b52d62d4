"""The forms of a price list: its prices one by one, some new ones, and a percentage for many at once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.money import PRICE_DECIMALS_MAX, UnknownCurrency, minor_digits
from billing.pages.price_words import counted_words, mark_words, name_of, unit_words, what_of
from billing.pages.refused_fields import refused_words
from billing.rating.price_lists import FACTOR, PriceKey, PriceList
from billing.rating.price_rows import PRICE_EXAMPLE, check_list, check_price
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit
from billing.rating.wording import WrongWording, plain
from metering.context_bands import CONTEXT_BANDS
from portal.punctuation import between

NEW_ROWS: Final = 3
PRICE_CHARS_MAX: Final = 40
PERCENT_LEAST: Final = Decimal(-100)
PERCENT_MOST: Final = Decimal(1_000)
STAMP: Final = "%Y-%m-%dT%H:%M"
PRECISION: Final = 60


class BookForm(forms.Form):
    """A name and a currency."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        min_length=3,
        max_length=3,
        initial="USD",
        help_text=gettext_lazy("Three letters, such as USD, EUR or CNY. It cannot be changed later."),
    )

    def clean_currency(self) -> str:
        """Read the currency in any letter case."""
        currency = str(self.cleaned_data["currency"]).upper()
        try:
            minor_digits(currency)
        except UnknownCurrency as unknown:
            raise forms.ValidationError(_("This is no currency. Example: USD")) from unknown
        return currency


class DraftForm(forms.Form):
    """Every price of a draft as a field, and rows for new ones. An emptied field takes its price out."""

    effective_at = forms.DateTimeField(
        label=gettext_lazy("In force from, UTC"),
        input_formats=[STAMP, f"{STAMP}:%S"],
        widget=forms.DateTimeInput(format=f"{STAMP}:%S", attrs={"type": "datetime-local", "step": "1"}),
        help_text=gettext_lazy("Usage is split at this very instant, each part at its own price."),
    )
    revision = forms.IntegerField(widget=forms.HiddenInput)
    percent = forms.DecimalField(
        label=gettext_lazy("Change all prices by, %"), required=False, min_value=PERCENT_LEAST, max_value=PERCENT_MOST
    )

    def __init__(self, data: Mapping[str, Any] | None, *, prices: PriceList, effective_at: datetime, revision: int):
        """Offer the prices of a draft at one of its revisions."""
        shown = effective_at.astimezone(UTC).replace(tzinfo=None)
        super().__init__(data, initial={"effective_at": shown, "revision": revision})
        self.keys = sorted(prices)
        for place, key in enumerate(self.keys):
            self._add(f"price-{place}", f"{name_of(key)}{between('colon')}{what_of(key)}", plain(prices[key]))
        for place in range(NEW_ROWS):
            self._add(f"new-model-{place}", _("Model, card or storage"), size=200)
            lengths = [("", _("all lengths")), *((f"{over}", f"{over:,}") for over in CONTEXT_BANDS[1:])]
            for name, label, choices in (
                (f"new-what-{place}", _("Price of"), _choices()),
                (f"new-over-{place}", _("Of requests above"), lengths),
            ):
                self.fields[name] = forms.ChoiceField(label=label, choices=choices, required=False)
            self._add(f"new-price-{place}", _("Price"))

    def _add(self, name: str, label: str, initial: str = "", size: int = PRICE_CHARS_MAX) -> None:
        field = forms.CharField(label=label, initial=initial, required=False, max_length=size)
        # The table's own cells say what a field is of; those who cannot see them hear it.
        field.widget.attrs.update({"aria-label": label, "autocomplete": "off"})
        if size == PRICE_CHARS_MAX:
            field.widget.attrs["inputmode"] = "decimal"
        self.fields[name] = field

    @property
    def rows(self) -> list[tuple[PriceKey, forms.BoundField]]:
        """Each price with its field."""
        return [(key, self[f"price-{place}"]) for place, key in enumerate(self.keys)]

    @property
    def new_rows(self) -> list[list[forms.BoundField]]:
        """The fields of each row for a new price."""
        return [
            [self[f"new-{part}-{place}"] for part in ("model", "what", "over", "price")] for place in range(NEW_ROWS)
        ]

    def clean(self) -> dict[str, Any]:
        """Put the list together in `prices`, raised by the percentage if one is given."""
        given = super().clean() or {}
        prices: dict[PriceKey, Decimal] = {}
        for place, key in enumerate(self.keys):
            self._take(prices, key, f"price-{place}")
        for place in range(NEW_ROWS):
            model = str(given.get(f"new-model-{place}") or "").strip()
            unit, _bar, quantity = str(given.get(f"new-what-{place}") or "").partition("|")
            if unit and (model or given.get(f"new-price-{place}")):
                over = int(given.get(f"new-over-{place}") or 0)
                self._take(prices, PriceKey(unit, model, quantity, over), f"new-price-{place}")
        if given.get("percent"):
            prices = {key: changed(price, given["percent"]) for key, price in prices.items() if key.unit != FACTOR} | {
                key: price for key, price in prices.items() if key.unit == FACTOR
            }
        try:
            check_list(prices, where="prices")
        except WrongWording as wrong:
            self.add_error(None, refused_words(wrong.reason, wrong.example))
        given["prices"] = prices
        return given

    def _take(self, prices: dict[PriceKey, Decimal], key: PriceKey, name: str) -> None:
        text = str(self.cleaned_data.get(name) or "").strip()
        if not text:
            if name.startswith("new-"):
                self.add_error(name, _("Enter a price. Example: %(example)s") % {"example": PRICE_EXAMPLE})
            return
        try:
            price = Decimal(text)
            check_price(key, price, where=name)
        except InvalidOperation:
            self.add_error(name, _("Enter a price. Example: %(example)s") % {"example": PRICE_EXAMPLE})
        except WrongWording as wrong:
            self.add_error(name, refused_words(wrong.reason, wrong.example))
        else:
            if key in prices:
                self.add_error(name, _("This price is in the list already."))
            prices.setdefault(key, price)


def changed(price: Decimal, percent: Decimal) -> Decimal:
    """Return a price changed by a percentage, rounded half-even to the decimals that a price may have."""
    with localcontext() as exact:
        exact.prec = PRECISION
        return round(price * (100 + percent) / 100, PRICE_DECIMALS_MAX)


def _choices() -> Sequence[tuple[str, str]]:
    counted = [
        (f"{row.price_unit}|{row.name}", f"{counted_words(row.name)}{between('comma')}{unit_words(row.price_unit)}")
        for row in QUANTITIES.values()
    ]
    held = [(f"{unit}|", unit_words(unit)) for unit in (PriceUnit.PER_GPU_HOUR, PriceUnit.PER_GB_MONTH)]
    marks = [
        (f"{FACTOR}|{mark}", _("%(mark)s, times the price") % {"mark": mark_words(mark)})
        for mark in ("batch", "priority", "off_peak")
    ]
    return [("", _("Choose")), *counted, *held, *marks]
