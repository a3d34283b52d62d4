"""Who did what: the audit log as pages, a file and the API show it."""
