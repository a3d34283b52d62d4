"""Taking public prices in by page: a file is shown with what it would change, and taken on a second word.

Between the two the reader's page holds the file, packed: nothing is kept here of a file that nobody took.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing.models import IndexSource
from billing.pages.price_index import changes_words, imported_words, left_out_words
from billing.price_index import FILE_BYTES_MAX, WrongPriceFile, import_prices, preview_import
from billing.queries.price_index import latest_imports
from portal.figures import day, number
from portal.locales import active_locale
from portal.parts import Empty
from tenants.acting import person_acting
from tenants.problems import Problem
from tenants.roles import MANAGE_ORGANIZATIONS
from tenants.scoping import operator_page
from tenants.telling import told

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Organization

PACKED_CHARACTERS_MAX: Final = 2_000_000
"""Django takes no field that is longer by much; a price file packs to a tenth of itself."""


class ImportForm(forms.Form):
    """A file of public prices."""

    source = forms.ChoiceField(label=gettext_lazy("What it is"))
    as_of = forms.DateField(label=gettext_lazy("As of"), widget=forms.DateInput(attrs={"type": "date"}))
    document = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("LiteLLM's price file (JSON), or a table of GPU-hours (CSV); at most 8 MiB."),
        widget=forms.FileInput(attrs={"accept": ".json,.csv,application/json,text/csv"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the sources that are known."""
        super().__init__(*args, **kwargs)
        source = self.fields["source"]
        assert isinstance(source, forms.ChoiceField)
        source.choices = [
            (IndexSource.LITELLM.value, _("LiteLLM's price file")),
            (IndexSource.GPU_HOURS.value, _("GPU-hour table")),
        ]

    def clean_document(self) -> bytes:
        """Read the file, which has a limit."""
        found = self.cleaned_data["document"]
        if found.size > FILE_BYTES_MAX:
            raise forms.ValidationError(_("The file is too large: at most 8 MiB."))
        content: bytes = found.read()
        return content


class TakeForm(forms.Form):
    """The second word for a file that was shown."""

    source = forms.ChoiceField(choices=IndexSource.choices)
    as_of = forms.DateField()
    packed = forms.CharField(max_length=PACKED_CHARACTERS_MAX)

    def clean_packed(self) -> bytes:
        """Return the file again."""
        return unpacked(self.cleaned_data["packed"])


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page(MANAGE_ORGANIZATIONS)
def operator_price_index(request: HttpRequest, organization: Organization) -> HttpResponse:  # noqa: ARG001  every page takes it
    """Show what was imported last; a POST shows what a file would change, and a second one takes it."""
    locale, posted, now = active_locale(), request.method == "POST", datetime.now(UTC)
    if posted and "packed" in request.POST:
        return _take(request, locale, now)
    form = ImportForm(request.POST if posted else None, request.FILES if posted else None)
    preview = _preview(form, locale, now) if posted and form.is_valid() else None
    status = 422 if posted and preview is None else 200
    return _show(request, form, locale, preview=preview, status=status)


def packed(content: bytes) -> str:
    """Return a file as a field of a form."""
    return base64.b64encode(zlib.compress(content, 9)).decode()


def unpacked(text: str) -> bytes:
    """Return the file that a field holds; raises `ValidationError` for what is none, or too large."""
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(base64.b64decode(text, validate=True), FILE_BYTES_MAX)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise forms.ValidationError(_("The file did not come back whole: choose it again.")) from error
    if not reader.eof:
        raise forms.ValidationError(_("The file is too large: at most 8 MiB."))
    return content


def _preview(form: ImportForm, locale: str, now: datetime) -> dict[str, Any] | None:
    given = form.cleaned_data
    held = packed(given["document"])
    if len(held) > PACKED_CHARACTERS_MAX:
        form.add_error("document", _("The file is too large: at most 8 MiB."))
        return None
    try:
        found = preview_import(
            source=IndexSource(given["source"]), content=given["document"], as_of=given["as_of"], now=now
        )
    except WrongPriceFile as refused:
        form.add_error("as_of" if refused.extra.get("field") == "as_of" else "document", told(refused.said))
        return None
    return {
        "packed": held,
        "source": given["source"],
        "as_of": given["as_of"].isoformat(),
        "as_of_words": day(given["as_of"], "yMMMd", locale),
        "prices": number(found.prices),
        "read": number(found.imported.read),
        "known": found.known,
        "left_out": left_out_words(found.imported.skipped),
        "left_out_count": number(len(found.imported.skipped)),
        **changes_words(found.imported, found.changes, locale),
    }


def _take(request: HttpRequest, locale: str, now: datetime) -> HttpResponse:
    form = TakeForm(request.POST)
    refused = ""
    if form.is_valid():
        given = form.cleaned_data
        try:
            import_prices(
                source=IndexSource(given["source"]),
                content=given["packed"],
                as_of=given["as_of"],
                now=now,
                actor=person_acting(request),
            )
        except Problem as problem:
            refused = told(problem.said)
        else:
            messages.success(request, _("The prices are taken. Providers see theirs beside them."))
            return redirect("operator-price-index")
    problem_words = refused or " ".join(str(one) for errors in form.errors.values() for one in errors)
    return _show(request, ImportForm(), locale, problem=problem_words, status=422)


def _show(request: HttpRequest, form: ImportForm, locale: str, *, status: int, **more: Any) -> HttpResponse:
    imports = latest_imports()
    context = {
        "form": form,
        "imports": [
            {
                "words": imported_words(row, locale),
                "prices": number(row.prices.count()),
                "left_out": number(len(row.skipped)),
            }
            for row in imports.values()
        ],
        "empty": Empty(
            _("No public prices yet"),
            _("Choose a file below: you see what it holds before it is taken."),
            icon="scale",
        ),
        **more,
    }
    return render(request, "billing/price_index_import.html", context, status=status)
