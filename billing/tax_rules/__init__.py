"""Which tax stands on which line: dated rates, rules by the countries of both parties, one rounding per rate. Pure."""
