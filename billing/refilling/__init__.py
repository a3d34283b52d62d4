"""Credit that runs low: tenants are told of it, and where they wish it more is bought from their card."""
