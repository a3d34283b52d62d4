#!/bin/bash
# Makes the platform's role and database at the first start. The role is no superuser: row-level security would not
# bind one.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" --username postgres <<'SQL'
CREATE ROLE forecourt LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE forecourt OWNER forecourt;
SQL
