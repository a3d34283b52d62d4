"""Collecting through Stripe beside the invoices' own steps: cards on file, notices, chargebacks."""
