"""Pull a month of invoices: `python month_of_invoices.py ADDRESS FROM TO`, instants as `2026-03-01T00:00:00Z`."""

import os
import sys

from forecourt_client import Forecourt

api = Forecourt(sys.argv[1], os.environ["FORECOURT_KEY"])
for invoice in api.each(api.invoices_list, issued_from=sys.argv[2], issued_to=sys.argv[3]):
    lines = api.invoices_lines_list(invoice_id=invoice["id"])["lines"]
    sys.stdout.write(f"{invoice['number']} {invoice['total']} {invoice['currency']}, {len(lines)} lines\n")
