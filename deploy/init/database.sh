#!/bin/sh
# Makes the service's own role and its database, in the postgres image, as the superuser. Bears repetition, and sets the
# role's password to what the secret file says. The role owns its database and may do nothing else on the server.
set -eu
secrets="${SECRETS_DIR:-/run/secrets}"
PGPASSWORD="$(cat "$secrets/postgres_password")"
export PGPASSWORD

# The password goes in by standard input: arguments can be read in the list of processes.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set database="${DATABASE:-hoteldb}" --dbname postgres <<SQL
\set password $(cat "$secrets/database_password")
SELECT 'CREATE ROLE cv' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cv') \gexec
ALTER ROLE cv LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER cv', :'database')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
SQL
