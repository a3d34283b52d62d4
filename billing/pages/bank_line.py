"""One bank movement: what the bank told, what it was matched to, what it could be, and the forms to decide."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing.banking.accounts import printed_number
from billing.banking.candidates import proposals_for
from billing.banking.deciding import NOTE_CHARACTERS_MAX, keep_for_tenant, match_by_hand, set_aside, unmatch
from billing.banking.lists import find_line
from billing.banking.matching import Part
from billing.models import BankMatchKind, Contract, Invoice
from billing.pages.bank import may_match
from billing.pages.bank_words import rule_words, state_pill
from portal.figures import day, moment, money
from portal.locales import active_locale
from portal.selects import LongSelect
from portal.shell import Crumb
from tenants.limits.reader import within_own
from tenants.models import Organization as TenantOrganization
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import MATCH_PAYMENTS, READ_INVOICES, NotAllowed
from tenants.scoping import provider_page
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from billing.banking.matching import Proposal
    from billing.models import BankLine, BankMatch
    from tenants.models import Organization

PARTS_SHOWN: Final = 5
DIGITS_MAX: Final = 20


class PayForm(forms.Form):
    """What of the movement pays which invoices: one a row."""

    def __init__(self, data: Any = None) -> None:
        """Make a number and an amount for each row."""
        super().__init__(data)
        for place in range(PARTS_SHOWN):
            self.fields[f"number_{place}"] = forms.CharField(
                label=_("Invoice %(place)s") % {"place": place + 1}, max_length=32, required=False
            )
            self.fields[f"amount_{place}"] = forms.DecimalField(
                label=_("Amount %(place)s") % {"place": place + 1},
                max_digits=DIGITS_MAX,
                decimal_places=4,
                min_value=Decimal(0),
                required=False,
                widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            )
        self.fields["note"] = forms.CharField(
            label=_("Note"), max_length=NOTE_CHARACTERS_MAX, required=False, help_text=_("How it is known, for later.")
        )

    def pairs(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Return the fields of each row."""
        return [(self[f"number_{place}"], self[f"amount_{place}"]) for place in range(PARTS_SHOWN)]

    def parts(self, provider: Organization) -> list[Part]:
        """Return the rows that are filled in; an empty amount is all that the invoice has left, so it must be given.

        Errors are put beside the rows.
        """
        given = self.cleaned_data
        rows = {place: given[f"number_{place}"].strip() for place in range(PARTS_SHOWN) if given[f"number_{place}"]}
        issued = dict(Invoice.objects.filter(issuer=provider, number__in=rows.values()).values_list("number", "pk"))
        parts = []
        for place, number in rows.items():
            amount = given[f"amount_{place}"]
            if number not in issued:
                self.add_error(f"number_{place}", _("No invoice of yours has this number."))
            elif amount is None:
                self.add_error(f"amount_{place}", _("Say how much of the movement is for it."))
            else:
                parts.append(Part(issued[number], amount))
        return parts


class TenantForm(forms.Form):
    """Whose balance the money goes to."""

    tenant = forms.ChoiceField(label=gettext_lazy("Tenant"), widget=LongSelect)

    def __init__(self, data: Any = None, *, provider: Organization) -> None:
        """Offer everyone who had a contract with the provider."""
        super().__init__(data)
        tenant = self.fields["tenant"]
        assert isinstance(tenant, forms.ChoiceField)
        taken = Contract.objects.filter(provider=provider).values("tenant")
        found = TenantOrganization.objects.filter(pk__in=taken).order_by("name")
        with within_own(provider.pk, "whom a provider has contracts with"):
            tenant.choices = [(str(key), name) for key, name in found.values_list("pk", "name")]


class NoteForm(forms.Form):
    """Words that say why."""

    note = forms.CharField(
        label=gettext_lazy("What it is"),
        max_length=NOTE_CHARACTERS_MAX,
        help_text=gettext_lazy("Such as interest, or a transfer between own accounts."),
    )

    def __init__(self, data: Any = None) -> None:
        """Take ids of its own: the form beside it has a note, too."""
        super().__init__(data, auto_id="aside_%s")


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_bank_line(request: HttpRequest, organization: Organization, *, line_id: UUID) -> HttpResponse:
    """Show a movement; a POST confirms a proposal, pays invoices by hand, sets it aside, or takes a match back."""
    line = find_line(organization, line_id)
    if line is None:
        raise Http404
    decides = may_match(request)
    if request.method == "POST":
        if not decides:
            raise NotAllowed(MATCH_PAYMENTS)
        answer = _decided(request, organization, line)
        if answer is not None:
            return answer
    forms_shown = (PayForm(), NoteForm())
    return render(request, "billing/bank_line.html", _context(line, decides, *forms_shown))


def _decided(request: HttpRequest, organization: Organization, line: BankLine) -> HttpResponse | None:
    action = request.POST.get("action", "")
    acts: dict[str, Callable[[], HttpResponse | None]] = {
        "confirm": lambda: _confirm(request, organization, line),
        "pay": lambda: _pay(request, organization, line),
        "keep": lambda: _keep(request, organization, line),
        "aside": lambda: _aside(request, organization, line),
        "unmatch": lambda: _unmatch(request, organization, line),
    }
    if action not in acts:
        raise Http404
    return acts[action]()


def _confirm(request: HttpRequest, organization: Organization, line: BankLine) -> HttpResponse | None:
    """Take a proposal as the page showed it: its parts come with it, so that nobody confirms what they did not see."""
    parts: list[Part] = []
    for text in request.POST.getlist("part"):
        invoice, _separator, amount = text.partition(":")
        try:
            parts.append(Part(UUID(invoice), Decimal(amount)))
        except (ValueError, ArithmeticError):
            raise Http404 from None
    return _done(
        request,
        line,
        _("Matched."),
        lambda by, now: match_by_hand(provider=organization, line_id=line.pk, parts=parts, by=by, now=now),
    )


def _pay(request: HttpRequest, organization: Organization, line: BankLine) -> HttpResponse | None:
    form = PayForm(request.POST)
    parts = form.parts(organization) if form.is_valid() else []
    if form.errors or not parts:
        if not form.errors:
            form.add_error(None, _("Name at least one invoice."))
        context = _context(line, True, form, NoteForm())
        return render(request, "billing/bank_line.html", context, status=422)
    note = form.cleaned_data["note"]
    return _done(
        request,
        line,
        _("Matched."),
        lambda by, now: match_by_hand(provider=organization, line_id=line.pk, parts=parts, by=by, now=now, note=note),
    )


def _keep(request: HttpRequest, organization: Organization, line: BankLine) -> HttpResponse | None:
    form = TenantForm(request.POST, provider=organization)
    if not form.is_valid():
        raise Http404
    tenant_id = UUID(form.cleaned_data["tenant"])
    return _done(
        request,
        line,
        _("Kept for the tenant: its next invoices are paid with it."),
        lambda by, now: keep_for_tenant(provider=organization, line_id=line.pk, tenant_id=tenant_id, by=by, now=now),
    )


def _aside(request: HttpRequest, organization: Organization, line: BankLine) -> HttpResponse | None:
    form = NoteForm(request.POST)
    if not form.is_valid():
        return render(request, "billing/bank_line.html", _context(line, True, PayForm(), form), status=422)
    note = form.cleaned_data["note"]
    return _done(
        request,
        line,
        _("Set aside: it is no money of a tenant."),
        lambda by, now: set_aside(provider=organization, line_id=line.pk, note=note, by=by, now=now),
    )


def _unmatch(request: HttpRequest, organization: Organization, line: BankLine) -> HttpResponse | None:
    try:
        match_id = UUID(request.POST.get("match", ""))
    except ValueError:
        raise Http404 from None
    reason = request.POST.get("reason", "")
    return _done(
        request,
        line,
        _("Taken back. What was paid by it is owed again."),
        lambda by, now: unmatch(provider=organization, match_id=match_id, reason=reason, by=by, now=now),
    )


def _done(
    request: HttpRequest, line: BankLine, words: str, act: Callable[[str, datetime], object]
) -> HttpResponse | None:
    """Do it and say so; what refuses it is said on the page, which is then read anew."""
    assert isinstance(request.user, User)
    try:
        act(request.user.email, datetime.now(UTC))
    except Problem as problem:
        messages.error(request, told(problem.said))
    else:
        messages.success(request, words)
    return redirect("provider-bank-line", line_id=line.pk)


def _context(line: BankLine, decides: bool, pay: PayForm, aside: NoteForm) -> dict[str, Any]:
    locale = active_locale()
    left: Decimal = getattr(line, "left_amount")  # noqa: B009  an annotation, which the type does not know
    proposals = proposals_for(line, left)
    facts = [
        (_("Booked"), day(line.booked_on, "yMMMd", locale)),
        (_("Value date"), day(line.value_on, "yMMMd", locale) if line.value_on else ""),
        (_("Account"), f"{printed_number(line.account.number)} {line.account.currency}"),
        (_("From"), line.payer),
        (_("Their account"), printed_number(line.payer_account)),
        (_("Reference"), line.structured),
        (_("Their words"), line.text),
        (_("End-to-end id"), line.end_to_end),
        (_("The bank's id"), line.reference),
    ]
    return {
        "line": line,
        "title": money(line.amount, line.currency, locale=locale),
        "sub": " · ".join(filter(None, (line.payer, day(line.booked_on, "yMMMd", locale)))),
        "pill": state_pill(line.state, in_part=0 < left < line.amount),
        "facts": [(name, value) for name, value in facts if value],
        "is_return": line.is_return,
        "left": money(left, line.currency, locale=locale),
        "waits": left > 0,
        "matches": [_match(one, line.currency, locale) for one in line.matches.all()],
        "proposals": [_proposal(one, line.currency, locale) for one in proposals],
        "decides": decides,
        "pay": pay,
        "aside": aside,
        "keep": TenantForm(provider=line.account.provider),
        "crumbs": (Crumb(_("Bank"), reverse("provider-bank")), Crumb(_("Movement"))),
    }


def _match(match: BankMatch, currency: str, locale: str) -> dict[str, Any]:
    what = {
        BankMatchKind.INVOICE: lambda: (
            _("Invoice %(number)s of %(tenant)s") % {"number": match.invoice, "tenant": match.tenant}
        ),
        BankMatchKind.BALANCE: lambda: _("Balance of %(tenant)s") % {"tenant": match.tenant},
        BankMatchKind.ASIDE: lambda: _("Set aside"),
    }[BankMatchKind(match.kind)]()
    undone = getattr(match, "unmatch", None)
    return {
        "id": match.pk,
        "what": what,
        "amount": money(match.amount, currency, locale=locale),
        "why": " · ".join(filter(None, (rule_words(match.rule), match.note))),
        "by": match.by,
        "at": moment(match.at, UTC, locale=locale),
        "undone": ""
        if undone is None
        else _("Taken back %(moment)s by %(by)s: %(reason)s")
        % {"moment": moment(undone.at, UTC, locale=locale), "by": undone.by, "reason": undone.reason},
    }


def _proposal(proposal: Proposal, currency: str, locale: str) -> dict[str, Any]:
    numbers = {
        one.pk: one
        for one in Invoice.objects.filter(pk__in=[part.invoice_id for part in proposal.parts]).select_related("tenant")
    }
    lines = [
        {
            "number": numbers[part.invoice_id].number,
            "tenant": numbers[part.invoice_id].tenant.name,
            "due": day(due.date(), "yMMMd", locale) if (due := numbers[part.invoice_id].due_at) else "",
            "amount": money(part.amount, currency, locale=locale),
            "value": f"{part.invoice_id}:{part.amount}",
        }
        for part in proposal.parts
    ]
    return {
        "why": rule_words(proposal.rule),
        "lines": lines,
        "tenant": proposal.tenant_id,
        "surplus": money(proposal.surplus, currency, locale=locale) if proposal.surplus else "",
    }
