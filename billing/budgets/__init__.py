"""Budgets: limits an organization sets to its own use, what is told when they are reached, and what they stop."""
