"""Comparing our books with Stripe's each night: what differs is listed, each with its way out."""
