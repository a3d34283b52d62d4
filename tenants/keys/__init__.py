"""API keys of an organization as people and programs handle them; what a key is, is in `tenants.api_keys`."""
