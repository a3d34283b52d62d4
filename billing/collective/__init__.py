"""Collective invoices: several contracts' invoices of one tenant, asked for together."""
