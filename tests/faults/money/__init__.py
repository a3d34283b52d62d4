"""Faults between a priced hour and money in the bank."""
