#!/bin/bash
# Makes the platform's roles and database at the first start. None is a superuser: row-level security would not bind one.
# Jobs own the tables as forecourt, and see by membership when the web's transactions began; the web signs in as
# forecourt_web and reads as forecourt_reader.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" --set web="$POSTGRES_WEB_PASSWORD" --username postgres <<'SQL'
CREATE ROLE forecourt LOGIN CREATEROLE PASSWORD :'password';
CREATE ROLE forecourt_reader;
CREATE ROLE forecourt_web LOGIN PASSWORD :'web';
GRANT forecourt_reader TO forecourt_web, forecourt;
GRANT forecourt_web TO forecourt;
CREATE DATABASE forecourt OWNER forecourt;
SQL
