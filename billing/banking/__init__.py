"""Money by bank transfer: the reference of an invoice, statements of bank accounts, and what of them paid what."""
