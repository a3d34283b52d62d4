"""A provider's bank: movements to decide on, the statement files that brought them, and the accounts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing.banking.accounts import close_account, open_account, printed_number
from billing.banking.deciding import match_new
from billing.banking.entries import DOCUMENT_BYTES_MAX
from billing.banking.importing import import_statement
from billing.banking.lists import (
    IMPORTS_SHOWN,
    PAGE_ROWS,
    Shown,
    accounts_of,
    counts_of,
    imports_of,
    line_list,
    shown_of,
    unmatched_of,
)
from billing.models import BankAccount
from billing.money import MINOR_DIGITS
from billing.pages.bank_words import fault_words, import_words, line_entry
from portal.figures import moment, money, number
from portal.locales import active_locale
from portal.paging import address, pagination, read_page
from portal.parts import Choice, Empty, Kpi
from portal.shell import Crumb
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import MATCH_PAYMENTS, READ_INVOICES, NotAllowed, allows
from tenants.scoping import acting_membership, provider_page
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Organization

MATCHED_AT_ONCE_MAX: Final = 200
"""Movements of a file that are looked at before the page answers; the sweep takes the rest."""
SEARCH_CHARACTERS_MAX: Final = 100


class ImportForm(forms.Form):
    """A statement file."""

    document = forms.FileField(
        label=gettext_lazy("Statement file"),
        help_text=gettext_lazy("camt.053 (XML), or CSV with the columns booked_on, amount, currency and more."),
        widget=forms.FileInput(attrs={"accept": ".xml,.csv,text/csv,text/xml,application/xml"}),
    )
    account = forms.ChoiceField(
        label=gettext_lazy("Account"),
        required=False,
        help_text=gettext_lazy("Only for CSV: a camt.053 file names its accounts."),
    )

    def __init__(self, data: Any, files: Any, *, accounts: Sequence[BankAccount]) -> None:
        """Offer the open accounts."""
        super().__init__(data, files)
        account = self.fields["account"]
        assert isinstance(account, forms.ChoiceField)
        account.choices = [(one.number, f"{printed_number(one.number)} {one.currency}") for one in accounts]

    def clean_document(self) -> bytes:
        """Read the file, which has a limit."""
        found = self.cleaned_data["document"]
        if found.size > DOCUMENT_BYTES_MAX:
            raise forms.ValidationError(_("The file is too large: at most 8 MiB."))
        content: bytes = found.read()
        return content


class AccountForm(forms.Form):
    """An account that tenants pay to."""

    number = forms.CharField(label=gettext_lazy("IBAN or account number"), max_length=60)
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=[(code, code) for code in sorted(MINOR_DIGITS)], initial="USD"
    )
    holder = forms.CharField(label=gettext_lazy("Account holder"), max_length=140)
    bic = forms.CharField(label=gettext_lazy("BIC"), max_length=20, required=False)


def may_match(request: HttpRequest) -> bool:
    """Whether who reads the page may also decide."""
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, MATCH_PAYMENTS)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_bank(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show movements, those to decide on first; a POST takes a statement file."""
    if request.method == "POST" and not may_match(request):
        raise NotAllowed(MATCH_PAYMENTS)
    accounts = [one for one in accounts_of(organization) if one.closed_at is None]
    posted = request.method == "POST"
    form = ImportForm(request.POST if posted else None, request.FILES if posted else None, accounts=accounts)
    if posted and form.is_valid():
        taken = _taken(request, organization, form)
        if taken is not None:
            return redirect("provider-bank-import", import_id=taken)
    locale = active_locale()
    shown = shown_of(request.GET.get("show", ""))
    search = request.GET.get("q", "").strip()[:SEARCH_CHARACTERS_MAX]
    found = line_list(organization, shown=shown, search=search, page=read_page(request.GET.get("page", "")))
    kept = {"show": shown.value, "q": search}
    context = {
        "kpis": _kpis(organization, locale),
        "choices": _choices(shown, search),
        "shown": shown.value,
        "q": search,
        "query": address("", kept),
        "entries": [line_entry(line, locale) for line in found.lines],
        "pagination": pagination(request.path, kept, found.page, found.found, PAGE_ROWS),
        "empty": _empty(accounts, shown),
        "imports": [import_words(one, locale) for one in imports_of(organization)[:IMPORTS_SHOWN]],
        "form": form if accounts and may_match(request) else None,
    }
    return render(request, "billing/bank.html", context, status=422 if posted else 200)


@require_safe
@provider_page(READ_INVOICES)
def provider_bank_import(request: HttpRequest, organization: Organization, *, import_id: UUID) -> HttpResponse:
    """Show what became of one file: what was new, known, pending, and each entry that was refused."""
    imported = imports_of(organization).filter(pk=import_id).first()
    if imported is None:
        raise Http404
    locale = active_locale()
    lines = imported.lines.select_related("account").order_by("-booked_on", "-pk")[:100]
    context = {
        "imported": import_words(imported, locale),
        "faults": [fault_words(one) for one in imported.faults],
        "more_faults": imported.refused - len(imported.faults),
        "entries": [line_entry(line, locale, of_file=True) for line in lines],
        "crumbs": (Crumb(_("Bank"), reverse("provider-bank")), Crumb(_("Statement file"))),
    }
    return render(request, "billing/bank_import.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_bank_accounts(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show the accounts; a POST notes another one, or closes one."""
    edits = may_match(request)
    if request.method == "POST" and not edits:
        raise NotAllowed(MATCH_PAYMENTS)
    form = AccountForm(request.POST if request.method == "POST" and "close" not in request.POST else None)
    if request.method == "POST" and _changed(request, organization, form):
        return redirect("provider-bank-accounts")
    locale = active_locale()
    context = {
        "accounts": [
            {
                "id": one.pk,
                "number": printed_number(one.number),
                "currency": one.currency,
                "holder": one.holder,
                "bic": one.bic,
                "since": moment(one.opened_at, UTC, locale=locale),
                "closed": moment(one.closed_at, UTC, locale=locale) if one.closed_at else "",
            }
            for one in accounts_of(organization)
        ],
        "form": form if edits else None,
        "empty": Empty(
            _("No account yet"),
            _("Note the account that tenants pay to: invoices name it, and statements of it are matched.")
            if edits
            else _("Whoever may match payments notes the account that tenants pay to."),
            icon="bank",
        ),
        "crumbs": (Crumb(_("Bank"), reverse("provider-bank")), Crumb(_("Accounts"))),
    }
    return render(request, "billing/bank_accounts.html", context, status=422 if request.method == "POST" else 200)


def _taken(request: HttpRequest, organization: Organization, form: ImportForm) -> UUID | None:
    """Take the file; what refuses it is shown above the form."""
    assert isinstance(request.user, User)
    now = datetime.now(UTC)
    try:
        imported, is_new = import_statement(
            provider=organization,
            content=form.cleaned_data["document"],
            name=str(getattr(form.files["document"], "name", "")),
            by=request.user.email,
            now=now,
            account_number=form.cleaned_data["account"],
        )
    except Problem as problem:
        form.add_error(None, told(problem.said))
        return None
    match_new(now=now, limit=MATCHED_AT_ONCE_MAX, import_id=imported.pk)
    if not is_new:
        messages.info(request, _("This very file was taken before; nothing has changed."))
    return imported.pk


def _changed(request: HttpRequest, organization: Organization, form: AccountForm) -> bool:
    assert isinstance(request.user, User)
    now = datetime.now(UTC)
    if "close" in request.POST:
        try:
            close_account(
                provider=organization, account_id=_uuid(request.POST["close"]), by=request.user.email, now=now
            )
        except BankAccount.DoesNotExist:
            raise Http404 from None
        messages.success(request, _("The account is closed: no statement of it is taken any more."))
        return True
    if not form.is_valid():
        return False
    try:
        open_account(provider=organization, by=request.user.email, now=now, **form.cleaned_data)
    except Problem as problem:
        form.add_error(None, told(problem.said))
        return False
    messages.success(request, _("Noted. Tenants are told to pay to it from now on."))
    return True


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def _kpis(organization: Organization, locale: str) -> list[Kpi]:
    counts = counts_of(organization)
    kpis = [
        Kpi(
            _("Unmatched, %(currency)s") % {"currency": currency},
            money(amount, currency, locale=locale),
            lead=not place,
        )
        for place, (currency, amount) in enumerate(sorted(unmatched_of(organization).items()))
        if amount
    ]
    titles = (("suggested", _("To confirm")), ("unmatched", _("Without an idea")), ("matched", _("Matched")))
    return [*kpis, *(Kpi(title, number(counts.get(state, 0))) for state, title in titles)]


def _choices(shown: Shown, search: str) -> list[Choice]:
    titles = {
        Shown.TO_DECIDE: _("To decide"),
        Shown.MATCHED: _("Matched"),
        Shown.OUTGOING: _("Went out"),
        Shown.ALL: _("All"),
    }
    bank = reverse("provider-bank")
    return [
        Choice(title, address(bank, {"show": one.value, "q": search}), one is shown) for one, title in titles.items()
    ]


def _empty(accounts: Sequence[BankAccount], shown: Shown) -> Empty:
    if not accounts:
        return Empty(
            _("No bank account yet"), _("Note the account that tenants pay to; then take its statements."), icon="bank"
        )
    if shown is Shown.TO_DECIDE:
        return Empty(_("Nothing to decide"), _("Every movement that came in has its place."), icon="check")
    return Empty(_("No movements"), _("No movement is like this."), icon="bank")
