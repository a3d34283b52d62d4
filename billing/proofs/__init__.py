"""Invariants of the books, each proved from stored rows; `billing.books` runs them all."""
