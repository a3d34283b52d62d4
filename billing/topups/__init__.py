"""Prepaid credit bought through Stripe's page."""
