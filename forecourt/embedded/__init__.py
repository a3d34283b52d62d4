"""PostgreSQL, the broker, web, worker and beat as processes of one command, from Python packages alone."""
