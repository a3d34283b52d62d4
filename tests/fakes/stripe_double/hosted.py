"""The hosted invoice page: plain HTML, so that a pay link leads somewhere without Stripe."""

import html

from tests.fakes.stripe_double.objects import JsonObject

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Invoice {number}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; color: #1b1f24; }}
table {{ width: 100%; border-collapse: collapse; }} td {{ padding: .35rem 0; border-bottom: 1px solid #d8dee4; }}
td:last-child {{ text-align: right; font-variant-numeric: tabular-nums; }}
button {{ font: inherit; padding: .6rem 1.2rem; margin-right: .5rem; }}
[role=alert] {{ border-left: 4px solid #b42318; padding-left: .75rem; }}
</style></head><body><main>
<p><strong>Test payment page.</strong> No money moves.</p>
<h1>Invoice {number}</h1>
{notice}
<table><tbody>
<tr><td>Billed to</td><td>{customer}</td></tr>
<tr><td>Lines</td><td>{lines}</td></tr>
<tr><td>Amount due, in minor units</td><td>{due} {currency}</td></tr>
<tr><td>Status</td><td>{status}</td></tr>
</tbody></table>
{actions}
</main></body></html>
"""
_BUTTONS = """<form method="post" action="/_double/hosted/{id}/pay"><p>
<button name="payment_method" value="pm_card_visa">Pay</button>
<button name="payment_method" value="pm_card_chargeDeclined">Pay with a card that is declined</button>
</p></form>"""


def hosted_page(invoice: JsonObject, line_count: int, notice: str = "") -> str:
    """The page of a finalized invoice, with a Pay button while it can be paid."""
    payable = invoice["status"] in ("open", "uncollectible")
    return _PAGE.format(
        number=html.escape(invoice["number"] or invoice["id"]),
        customer=html.escape(invoice["customer_name"] or invoice["customer"]),
        lines=line_count,
        due=invoice["amount_remaining"] if payable else 0,
        currency=html.escape(invoice["currency"].upper()),
        status=html.escape(invoice["status"]),
        notice=f'<p role="alert">{html.escape(notice)}</p>' if notice else "",
        actions=_BUTTONS.format(id=html.escape(invoice["id"])) if payable else "",
    )
