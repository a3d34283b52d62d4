"""How much: what was metered, from a counter on a GPU server to a validated hour of usage."""
