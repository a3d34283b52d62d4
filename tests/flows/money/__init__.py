"""Seeded runs of the whole flow of money: what can happen, and what holds after each of it."""
