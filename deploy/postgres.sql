-- The role and the database of Backscroll. The superuser runs this once, with the role's password in the environment:
--
--   export BACKSCROLL_PASSWORD=$(openssl rand -hex 32)
--   psql --file deploy/postgres.sql
--
-- The address is then postgres://backscroll:PASSWORD@HOST:5432/backscroll?sslmode=verify-full&sslrootcert=FILE.
-- A password with other characters than letters and digits must be percent-encoded there.

\set ON_ERROR_STOP on
\getenv password BACKSCROLL_PASSWORD
\if :{?password}
\else
    DO $$ BEGIN RAISE EXCEPTION 'BACKSCROLL_PASSWORD is not set'; END $$;
\endif

-- It owns its database, because `backscroll migrate` and replays create schemas and tables. It needs no other right.
CREATE ROLE backscroll LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

-- Names are compared by the server itself, so the database needs no language.
CREATE DATABASE backscroll OWNER backscroll TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';

-- Other roles may not connect.
REVOKE ALL ON DATABASE backscroll FROM PUBLIC;
