"""Webhooks out: programs of an organization are told what happens, signed as Standard Webhooks says."""
