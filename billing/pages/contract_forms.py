"""The forms of a contract: its header, and one change of a term with the fields of its kind."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from django import forms
from django.db.models import Q
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.agreements.checks import invoiced_to
from billing.contract_headers import WORDS_CHARACTERS_MAX
from billing.local_instants import WrongInstant, read_instant
from billing.models import Contract, PriceBook, Term, TermDeployment
from billing.pages.contract_words import field_words, kind_words, value_words
from billing.pages.local_inputs import LocalInput
from billing.pages.row_fields import Column, JsonField, KnownWordsField, NestedField, RowsField, WordsField
from billing.pages.term_values import KNOWN, LISTED
from billing.rating.kinds import KINDS
from billing.rating.rated import TermKind
from billing.rating.wording import Wording, write_wording
from clusters.capacity import COUNT_MAX, Wish, earliest_start
from clusters.models import Allocation, Deployment, Slice
from portal.figures import moment
from portal.locales import active_locale
from tenants.limits.reader import whole

CARDS_MAX: Final = 10_000
KEPT_SHOWN_MAX: Final = 200
"""Of slices that a form shows one by one; a term that holds more keeps them all."""
TEXT_MAX: Final = 20_000
_CARD = "w-accelerator_model"
CARDS_LIST: Final = "known-cards"
PARTIES_LIST: Final = "known-parties"
"""What the page calls the lists that it offers models of cards and other parties in."""
_PREFIX = "w-"
_PIN = f"{_PREFIX}pin.price_version_id"
_NUMBERS = (msgspec.inspect.DecimalType, msgspec.inspect.IntType, msgspec.inspect.FloatType)
_TEXTS = (
    msgspec.inspect.StrType,
    msgspec.inspect.DateTimeType,
    msgspec.inspect.DateType,
    msgspec.inspect.UUIDType,
)
_SINGLE = (*_NUMBERS, *_TEXTS)
_FLAT = (*_SINGLE, msgspec.inspect.EnumType, msgspec.inspect.LiteralType, msgspec.inspect.BoolType)


class DraftHeaderForm(forms.Form):
    """What a draft of a contract says beside its parties and terms."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=WORDS_CHARACTERS_MAX["name"],
        required=False,
        help_text=gettext_lazy("For people. It is no part of what is agreed."),
    )
    currency = forms.CharField(label=gettext_lazy("Currency"), min_length=3, max_length=3, initial="USD")
    time_zone = forms.CharField(label=gettext_lazy("Time zone"), max_length=64, initial="UTC")
    begins_at = forms.CharField(label=gettext_lazy("Begins, local time"), widget=LocalInput())
    ends_at = forms.CharField(
        label=gettext_lazy("Ends, local time"),
        required=False,
        widget=LocalInput(),
    )
    price_book = forms.ChoiceField(label=gettext_lazy("Price book"), required=False)
    due_days = forms.IntegerField(
        label=gettext_lazy("Payable within, days"), min_value=0, max_value=365, initial=14, required=False
    )
    provider_reference = forms.CharField(
        label=gettext_lazy("Provider's reference"),
        max_length=WORDS_CHARACTERS_MAX["provider_reference"],
        required=False,
    )
    tenant_reference = forms.CharField(
        label=gettext_lazy("Tenant's reference"),
        max_length=WORDS_CHARACTERS_MAX["tenant_reference"],
        required=False,
        help_text=gettext_lazy("For example the number of a purchase order."),
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        *,
        books: Iterable[PriceBook],
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        """Offer the price books that the contract can go by."""
        super().__init__(data, initial=dict(initial or {}))
        shown = [(str(book.id), f"{book.name} ({book.currency})") for book in books]
        self.fields["price_book"].choices = [("", _("none")), *shown]  # type: ignore[attr-defined]  # a ChoiceField's


class HeaderForm(DraftHeaderForm):
    """Who agrees with whom, in what currency, from when."""

    party = forms.SlugField(
        label=gettext_lazy("Other party"),
        help_text=gettext_lazy("Its short name. Those you know are offered; others find theirs under About it."),
        widget=forms.TextInput(attrs={"list": PARTIES_LIST, "autocomplete": "off"}),
    )
    field_order = ("party",)

    def __init__(self, data: Mapping[str, Any] | None, *, books: Iterable[PriceBook], party: str = "") -> None:
        """Offer the price books; `party` is the other one, where it is known already."""
        super().__init__(data, books=books, initial={"party": party})


class ChangeForm(forms.Form):
    """One term from an instant on: what it says, field by field, and what it is about."""

    title = forms.CharField(label=gettext_lazy("Name of the term"), max_length=200, required=False)
    from_at = forms.CharField(
        label=gettext_lazy("From, local time of the contract"),
        widget=LocalInput(step_s=1),
    )
    to_at = forms.CharField(
        label=gettext_lazy("To"),
        required=False,
        widget=LocalInput(step_s=1),
        help_text=gettext_lazy("Left empty, no end is set, and a term that has one keeps it."),
    )
    ends = forms.BooleanField(label=gettext_lazy("The term ends at the first instant"), required=False)
    kept = forms.MultipleChoiceField(label=gettext_lazy("Slices to keep"), required=False)
    cards = forms.IntegerField(
        label=gettext_lazy("Free slices to hold"), required=False, min_value=1, max_value=CARDS_MAX
    )
    deployments = forms.MultipleChoiceField(label=gettext_lazy("Deployments"), required=False)
    note = forms.CharField(label=gettext_lazy("Note to the other party"), max_length=1_000, required=False)

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        *,
        kind: TermKind,
        wording: Wording | None = None,
        known: bool = False,
        deployments: Iterable[Deployment] = (),
        bound: Collection[str] = (),
        held: Collection[tuple[str, str]] = (),
        versions: Collection[tuple[str, str]] = (),
    ) -> None:
        """Offer the fields of a kind of term, filled with what it says now.

        `bound` are the deployments of a known term, `held` its slices with their words; left as they are, they stay.
        `versions` are the price versions that a pin can name, with their words.
        """
        super().__init__(data)
        self.kind = kind
        rule = KINDS[kind]
        said = write_wording(wording) if wording is not None else {}
        for field in msgspec.structs.fields(rule.wording):
            self.fields.update(_fields(field, said.get(field.name)))
        if _CARD in self.fields:
            self.fields[_CARD].widget.attrs["list"] = CARDS_LIST
        if _PIN in self.fields:
            typed = self.fields[_PIN]
            choices = [("", "–"), *versions]
            self.fields[_PIN] = forms.ChoiceField(
                label=typed.label, choices=choices, required=False, initial=typed.initial
            )
        self.held, self.bound = [key for key, _words in held], sorted(bound)
        if not rule.takes_slices:
            del self.fields["cards"]
        if not rule.takes_slices or not 0 < len(held) <= KEPT_SHOWN_MAX:
            del self.fields["kept"]
        else:
            self.fields["kept"].choices = list(held)  # type: ignore[attr-defined]  # a ChoiceField's
            self.fields["kept"].initial = self.held
        if not rule.quantities:
            del self.fields["deployments"]
        else:
            choices = [(str(each.id), each.name) for each in deployments]
            self.fields["deployments"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField's
            self.fields["deployments"].initial = self.bound
        if not known:
            del self.fields["ends"]

    def clean(self) -> dict[str, Any]:
        """Ask for what a new lease holds, in the words of the form."""
        given = super().clean() or {}
        if self.kind == TermKind.LEASE and not self.held and "ends" not in self.fields and not given.get("cards"):
            self.add_error("cards", _("Say how many to hold: a lease holds at least one."))
        return given

    @property
    def wording_fields(self) -> list[forms.BoundField]:
        """The fields of what the term says."""
        return [self[name] for name in self.fields if name.startswith(_PREFIX)]

    @property
    def about_fields(self) -> list[forms.BoundField]:
        """The fields of when and what it is about."""
        return [self[name] for name in self.fields if not name.startswith(_PREFIX)]

    @property
    def is_about_others(self) -> bool:
        """Whether the form asks for other slices or deployments than a known term has."""
        given = self.cleaned_data
        kept = sorted(given.get("kept", self.held)) == sorted(self.held) and not given.get("cards")
        return not kept or sorted(given.get("deployments", self.bound)) != self.bound

    def document(self) -> dict[str, Any] | None:
        """Return the wording as the form says it, without the fields left empty; None where the term ends."""
        given = self.cleaned_data
        if given.get("ends"):
            return None
        values = {
            name.removeprefix(_PREFIX): value
            for name, value in given.items()
            if name.startswith(_PREFIX) and value not in ("", None)
        }
        document: dict[str, Any] = {"kind": str(self.kind)}
        for name, value in values.items():
            outer, _dot, inner = name.partition(".")
            if inner:
                document.setdefault(outer, {})[inner] = value
            else:
                document[outer] = value
        # A box left empty in a part that says nothing else is no part.
        return {
            name: said for name, said in document.items() if not isinstance(said, dict) or set(said.values()) != {False}
        }


@whole("a proposal may name slices that the tenant does not hold yet; who holds the others is not told")
def free_slices(contract: Contract, model: str, form: ChangeForm) -> list[str]:
    """Return the ids of as many free slices of a model as a form asks for; with fewer, an error in the form."""
    wanted = form.cleaned_data.get("cards") or 0
    try:
        from_at = read_instant(form.cleaned_data["from_at"], contract.time_zone)
        to_text = form.cleaned_data["to_at"]
        to_at = read_instant(to_text, contract.time_zone) if to_text else None
    except WrongInstant:
        return []  # said of the field itself when the change is read
    if (to_at is not None and to_at <= from_at) or from_at < (invoiced_to(contract) or from_at):
        return []  # no slice is wanted then: what is wrong is said of the time
    later = Q(to_at__isnull=True) | Q(to_at__gt=from_at)
    held = Allocation.objects.filter(later if to_at is None else later & Q(from_at__lt=to_at))
    whole = Slice.objects.filter(
        accelerator__model=model, accelerator__node__cluster__provider=contract.provider, retired_at__isnull=True
    )
    found = whole.exclude(pk__in=held.values("slice_id")).order_by("accelerator__node__name", "pk")
    ids = [str(key) for key in found.values_list("pk", flat=True)[:wanted]]
    if len(ids) < wanted:
        words = _("Only %(free)s slices of this card model are free then.") % {"free": len(ids)}
        wish = Wish(model, wanted, from_at, to_at)
        earliest = earliest_start(wish, provider_ids=[contract.provider_id]) if wanted <= COUNT_MAX else None
        if earliest is not None:
            zone, locale = ZoneInfo(contract.time_zone), active_locale()
            later_on = _("Enough is free for as long from %(at)s on.")
            words = f"{words} {later_on % {'at': moment(earliest, zone, locale=locale)}}"
        form.add_error("cards", words)
    return ids


def slices_of(term: Term) -> list[tuple[str, str]]:
    """Return the slices that a term holds to its end, with words that tell them apart."""
    rows = Allocation.objects.filter(Q(to_at__isnull=True) | Q(to_at=term.to_at), term_allocation__term=term)
    names = rows.order_by("slice__accelerator__node__name", "slice__accelerator__position", "slice_id").values_list(
        "slice_id", "slice__accelerator__node__name", "slice__accelerator__position", "slice__accelerator__model"
    )
    return [(str(key), f"{node} · {position} · {model}") for key, node, position, model in names.distinct()]


def deployments_of(term: Term) -> list[str]:
    """Return the ids of the deployments that a term prices to its end."""
    rows = TermDeployment.objects.filter(Q(to_at__isnull=True) | Q(to_at=term.to_at), term=term)
    return sorted({str(key) for key in rows.values_list("deployment_id", flat=True)})


def kind_choices() -> list[tuple[str, str]]:
    """Return the kinds of terms that can be agreed, with their words."""
    return [(str(kind), kind_words(kind)) for kind in KINDS]


def versions_of(contract: Contract, locale: str) -> list[tuple[str, str]]:
    """Return the versions of the contract's price book, the latest first, with words that tell them apart."""
    if contract.price_book is None:
        return []
    found: list[tuple[str, str]] = []
    for version in contract.price_book.versions.order_by("-number"):
        start = moment(version.effective_at, ZoneInfo(contract.time_zone), locale=locale)
        found.append((str(version.pk), f"v{version.number} · " + _("from %(start)s") % {"start": start}))
    return found


def deployments_between(contract: Contract) -> list[Deployment]:
    """Return the deployments between the parties of a contract, by name."""
    rows = Deployment.objects.filter(provider_id=contract.provider_id, tenant_id=contract.tenant_id)
    return [row for row in rows.order_by("name", "pk") if isinstance(row, Deployment)]


def _fields(field: msgspec.structs.FieldInfo, value: Any) -> dict[str, forms.Field]:
    """The form's fields for one of a wording; one for each part of what has parts of single values."""
    kind = _kind(field)
    parts = msgspec.structs.fields(kind.cls) if isinstance(kind, msgspec.inspect.StructType) else ()
    if not parts or not all(isinstance(_kind(part), _FLAT) for part in parts):
        return {_PREFIX + field.name: _field(field, value)}
    found: dict[str, forms.Field] = {}
    for part in parts:
        made = _field(part, (value or {}).get(part.name))
        made.required = False
        if value is None and not field.required:
            _leave_open(made)  # a default of one part alone would say the whole
        made.label = capfirst(f"{field_words(field.name)} · {field_words(part.name)}")
        found[f"{_PREFIX}{field.name}.{part.name}"] = made
    return found


def _kind(field: msgspec.structs.FieldInfo) -> Any:
    kind: Any = msgspec.inspect.type_info(field.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        kind = next(each for each in kind.types if not isinstance(each, msgspec.inspect.NoneType))
    return kind


def _field(field: msgspec.structs.FieldInfo, value: Any) -> forms.Field:
    label = capfirst(field_words(field.name))
    kind = _kind(field)
    required = field.required
    shown = value if value is not None else (field.default if field.default is not msgspec.NODEFAULT else None)
    values = _values(field.name, kind, shown)
    if values:
        choices = [(each, value_words(field.name, each)) for each in values]
        if field.name in KNOWN or (not required and shown is None):
            choices.insert(0, ("", "–"))
        return forms.ChoiceField(label=label, choices=choices, required=required, initial=shown and str(shown))
    if isinstance(kind, msgspec.inspect.BoolType):
        return forms.BooleanField(label=label, required=False, initial=bool(shown))
    if isinstance(kind, msgspec.inspect.IntType):
        return forms.IntegerField(label=label, required=required, initial=shown)
    if isinstance(kind, _SINGLE):
        text = forms.CharField(label=label, required=required, initial=shown, max_length=200)
        if isinstance(kind, _NUMBERS):
            text.widget.attrs["inputmode"] = "decimal"
        elif isinstance(kind, msgspec.inspect.DateTimeType):
            text.help_text = _("An instant with its offset from UTC. Example: %(example)s") % {
                "example": "2026-12-01T00:00:00Z"
            }
        return text
    return _list_field(field.name, kind, label=label, required=required, initial=value)


def _values(name: str, kind: Any, shown: Any) -> list[str]:
    """What a field chooses from: its kind's values, or what our code knows of it beside what it says now."""
    if isinstance(kind, msgspec.inspect.LiteralType):
        return [str(each) for each in kind.values]
    if isinstance(kind, msgspec.inspect.EnumType):
        return [str(each.value) for each in kind.cls]
    return list(dict.fromkeys([*KNOWN[name], *([str(shown)] if shown else [])])) if name in KNOWN else []


def _list_field(name: str, kind: Any, **given: Any) -> forms.Field:
    """The field for a list: words, a table of entries, or JSON for what no table can show."""
    entry = getattr(kind, "item_type", None)
    if name in LISTED:
        return KnownWordsField(known={each: value_words(name, each) for each in LISTED[name]}, **given)
    if isinstance(entry, msgspec.inspect.StrType):
        return WordsField(**given)
    if isinstance(entry, msgspec.inspect.StructType):
        parts = msgspec.structs.fields(entry.cls)
        return RowsField(columns=[Column(part.name, _cell_field(part)) for part in parts], **given)
    return JsonField(
        max_length=TEXT_MAX,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("A list or an object, as JSON."),
        **given,
    )


def _cell_field(part: msgspec.structs.FieldInfo) -> forms.Field:
    """The field for one part of a table's rows."""
    entry = getattr(_kind(part), "item_type", None)
    if isinstance(entry, msgspec.inspect.StructType):
        inner = msgspec.structs.fields(entry.cls)
        if all(isinstance(_kind(each), _SINGLE) for each in inner):
            parts = {each.name: _field(each, None) for each in inner}
            return NestedField(parts=parts, label=capfirst(field_words(part.name)), required=False)
        return JsonField(max_length=TEXT_MAX, label=capfirst(field_words(part.name)), required=False)
    made = _field(part, None)
    if isinstance(made, forms.ChoiceField):
        _leave_open(made)
    return made


def _leave_open(field: forms.Field) -> None:
    """Let a field that stands for a part of something optional say nothing until somebody does."""
    field.initial = None
    if isinstance(field, forms.ChoiceField):
        choices = [each for each in field.widget.choices if each[0] != ""]
        field.choices = [("", "–"), *choices]
