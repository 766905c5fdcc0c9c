--
-- PostgreSQL database dump
--

-- Dumped from database version 14.10
-- Dumped by pg_dump version 14.10

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

-- As in dumps of Cloud SQL that people published: the extension is there without
-- anybody having asked for it.
CREATE SCHEMA google_vacuum_mgmt;
ALTER SCHEMA google_vacuum_mgmt OWNER TO cloudsqladmin;
CREATE EXTENSION IF NOT EXISTS google_vacuum_mgmt WITH SCHEMA google_vacuum_mgmt;
COMMENT ON EXTENSION google_vacuum_mgmt IS 'extension for assistive operational tooling';
-- cloud.google.com/sql/docs/postgres/extensions
CREATE EXTENSION IF NOT EXISTS google_ml_integration WITH SCHEMA public;

SET default_tablespace = '';
SET default_table_access_method = heap;

CREATE TABLE public.orders (
    id integer NOT NULL,
    total numeric(10,2)
);
ALTER TABLE public.orders OWNER TO cloudsqlsuperuser;

COPY public.orders (id, total) FROM stdin;
1	10.00
2	20.50
\.

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

-- cloud.google.com/sql/docs/postgres/users: all users are members of
-- cloudsqlsuperuser, and public belongs to it.
REVOKE ALL ON SCHEMA public FROM cloudsqladmin;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO cloudsqlsuperuser;
GRANT ALL ON SCHEMA public TO PUBLIC;
GRANT SELECT ON TABLE public.orders TO "sa@project.iam";
ALTER DEFAULT PRIVILEGES FOR ROLE cloudsqlsuperuser IN SCHEMA public GRANT SELECT ON TABLES TO "sa@project.iam";

--
-- PostgreSQL database dump complete
--

