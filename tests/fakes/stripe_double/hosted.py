"""Stripe's own pages in plain HTML, so that a link to pay, to leave a card or to join leads somewhere without Stripe.

A page answers a GET with HTML and a POST with HTML again or, when the visitor is done, with where to go next.
"""

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.fakes.stripe_double import accounts, controls
from tests.fakes.stripe_double.double import Double
from tests.fakes.stripe_double.objects import JsonObject
from tests.fakes.stripe_double.refusals import Refusal, missing

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; color: #1b1f24; }}
table {{ width: 100%; border-collapse: collapse; }} td {{ padding: .35rem 0; border-bottom: 1px solid #d8dee4; }}
td:last-child {{ text-align: right; font-variant-numeric: tabular-nums; }}
button {{ font: inherit; padding: .6rem 1.2rem; margin: 0 .5rem .5rem 0; }}
[role=alert] {{ border-left: 4px solid #b42318; padding-left: .75rem; }}
</style></head><body><main>
<p><strong>Test page.</strong> No money moves.</p>
<h1>{title}</h1>
{notice}
<table><tbody>
{rows}
</tbody></table>
{actions}
</main></body></html>
"""
ASKS_CONSENT = "pm_card_threeDSecure2Required"
_CARDS = (
    ("pm_card_visa", "{verb}"),
    ("pm_card_chargeDeclined", "{verb} with a card that is declined"),
    (ASKS_CONSENT, "{verb} with a card that asks for consent"),
)


@dataclass(frozen=True)
class Shown:
    """A page, or with ``location`` where the visitor goes from here."""

    body: str = ""
    location: str = ""


def _page(title: str, rows: Mapping[str, object], actions: str, notice: str = "") -> Shown:
    cells = "\n".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(value))}</td></tr>" for name, value in rows.items()
    )
    told = f'<p role="alert">{html.escape(notice)}</p>' if notice else ""
    return Shown(_PAGE.format(title=html.escape(title), notice=told, rows=cells, actions=actions))


def _form(*buttons: tuple[str, str, str], hidden: str = "") -> str:
    shown = "\n".join(
        f'<button name="{name}" value="{html.escape(value)}">{html.escape(label)}</button>'
        for name, value, label in buttons
    )
    return f'<form method="post"><p>{hidden}\n{shown}</p></form>'


def _cards(verb: str) -> str:
    return _form(*(("payment_method", token, label.format(verb=verb)) for token, label in _CARDS))


def _consent() -> str:
    hidden = f'<input type="hidden" name="payment_method" value="{ASKS_CONSENT}">'
    return _form(
        ("consent", "given", "Complete authentication"), ("consent", "refused", "Fail authentication"), hidden=hidden
    )


def _with_card(form: Mapping[str, str], deed: Callable[[str], JsonObject]) -> tuple[JsonObject | None, str, str]:
    """Act with the card that was chosen: what came of it, else the notice, and what to choose from next."""
    card = form.get("payment_method", controls.CARD)
    if card == ASKS_CONSENT and "consent" not in form:
        return None, "Your bank wants you to confirm this payment.", _consent()
    if form.get("consent") == "refused":
        return None, "We are unable to authenticate your payment method. Choose another one and try again.", ""
    try:
        return deed(card), "", ""
    except Refusal as refusal:
        return None, str(refusal), ""


def invoice_page(double: Double, ids: tuple[str, ...], form: Mapping[str, str] | None) -> Shown:
    """The page of a finalized invoice, with buttons while it can be paid."""
    invoice_id, notice, actions = ids[0], "", ""
    if form is not None:
        _, notice, actions = _with_card(
            form,
            lambda card: double.act(lambda work: controls.pay(work, {"invoice": invoice_id, "payment_method": card})),
        )
    invoice = double.shown(invoice_id, "invoice")
    payable = invoice["status"] in ("open", "uncollectible")
    rows = {
        "Billed to": invoice["customer_name"] or invoice["customer"],
        "Lines": double.line_count(invoice_id),
        "Amount due, in minor units": f"{invoice['amount_remaining'] if payable else 0} {invoice['currency'].upper()}",
        "Status": invoice["status"],
    }
    title = f"Invoice {invoice['number'] or invoice['id']}"
    return _page(title, rows, (actions or _cards("Pay")) if payable else "", notice)


def checkout_page(double: Double, ids: tuple[str, ...], form: Mapping[str, str] | None) -> Shown:
    """The page of a Checkout session; done, it leads to where the session says."""
    session_id, notice, actions = ids[0], "", ""
    session = double.shown(session_id, "checkout.session")
    if form is not None and "cancel" in form:
        return Shown(location=session["cancel_url"] or session["success_url"])
    if form is not None:
        done, notice, actions = _with_card(
            form,
            lambda card: double.act(
                lambda work: controls.visit_checkout(work, {"session": session_id, "payment_method": card})
            ),
        )
        if done is not None:
            return Shown(location=session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id))
    keeps = session["mode"] == "setup"
    rows = {"Status": session["status"]}
    if not keeps:
        rows["Amount, in minor units"] = f"{session['amount_total']} {session['currency'].upper()}"
    choices = actions or _cards("Keep this card" if keeps else "Pay") + _form(("cancel", "1", "Go back"))
    title = "Leave a card for later payments" if keeps else "Pay"
    return _page(title, rows, choices if session["status"] == "open" else "", notice)


def onboarding_page(double: Double, ids: tuple[str, ...], form: Mapping[str, str] | None) -> Shown:
    """The pages on which a provider fills in what Stripe asks for, all in one."""
    account = double.shown(ids[0], "account")
    return_url = account.get("_links", {}).get(ids[1] if len(ids) > 1 else "")
    if return_url is None:
        raise missing("account_link", "/".join(ids))
    if form is not None:
        if "finish" in form:
            double.act(lambda work: accounts.onboard(work, ids[0]))
        return Shown(location=return_url)
    rows = {"Country": account["country"], "E-mail": account["email"]}
    rows["Asked for"] = ", ".join(account["requirements"]["currently_due"]) or "nothing"
    return _page("Your payouts", rows, _form(("finish", "1", "Fill in everything"), ("later", "1", "Later")))


Page = Callable[[Double, tuple[str, ...], Mapping[str, str] | None], Shown]
PAGES: Mapping[str, Page] = {
    "hosted": invoice_page,
    "checkout": checkout_page,
    "onboarding": onboarding_page,
}
