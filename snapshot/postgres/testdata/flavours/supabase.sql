--
-- PostgreSQL database dump
--

-- Dumped from database version 15.8
-- Dumped by pg_dump version 15.8

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

-- The schemas, extensions and event triggers of migrations/schema-15.sql in
-- github.com/supabase/postgres, which is such a dump; bodies are shorter here.
CREATE SCHEMA auth;
ALTER SCHEMA auth OWNER TO supabase_admin;
CREATE SCHEMA extensions;
ALTER SCHEMA extensions OWNER TO postgres;
CREATE SCHEMA graphql;
ALTER SCHEMA graphql OWNER TO supabase_admin;
CREATE SCHEMA graphql_public;
ALTER SCHEMA graphql_public OWNER TO supabase_admin;
CREATE SCHEMA pgsodium;
ALTER SCHEMA pgsodium OWNER TO supabase_admin;
CREATE SCHEMA storage;
ALTER SCHEMA storage OWNER TO supabase_admin;
CREATE SCHEMA vault;
ALTER SCHEMA vault OWNER TO supabase_admin;
CREATE EXTENSION IF NOT EXISTS pg_net WITH SCHEMA extensions;
COMMENT ON EXTENSION pg_net IS 'Async HTTP';
CREATE EXTENSION IF NOT EXISTS pgsodium WITH SCHEMA pgsodium;
COMMENT ON EXTENSION pgsodium IS 'Pgsodium is a modern cryptography library for Postgres.';
CREATE EXTENSION IF NOT EXISTS pg_graphql WITH SCHEMA graphql;
COMMENT ON EXTENSION pg_graphql IS 'pg_graphql: GraphQL support';
CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS supabase_vault WITH SCHEMA vault;
COMMENT ON EXTENSION supabase_vault IS 'Supabase Vault Extension';
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA extensions;

CREATE FUNCTION auth.uid() RETURNS uuid
    LANGUAGE sql STABLE
    AS $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
ALTER FUNCTION auth.uid() OWNER TO supabase_auth_admin;
CREATE FUNCTION extensions.grant_pg_graphql_access() RETURNS event_trigger
    LANGUAGE plpgsql
    AS $$
begin
  if (select n.proname = 'resolve' from pg_event_trigger_ddl_commands() ev left join pg_catalog.pg_proc n on ev.objid = n.oid limit 1) then
    grant usage on schema graphql to postgres, anon, authenticated, service_role;
  end if;
end;
$$;
ALTER FUNCTION extensions.grant_pg_graphql_access() OWNER TO supabase_admin;
CREATE FUNCTION extensions.pgrst_ddl_watch() RETURNS event_trigger
    LANGUAGE plpgsql
    AS $$
declare
  cmd record;
begin
  for cmd in select * from pg_event_trigger_ddl_commands() loop
    if cmd.command_tag in ('CREATE TABLE', 'ALTER TABLE') and cmd.schema_name is distinct from 'pg_temp' then
      notify pgrst, 'reload schema';
    end if;
  end loop;
end;
$$;
ALTER FUNCTION extensions.pgrst_ddl_watch() OWNER TO supabase_admin;
CREATE FUNCTION graphql_public.graphql("operationName" text DEFAULT NULL::text, query text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE sql
    AS $$ select graphql.resolve(query := query, "operationName" := "operationName"); $$;
ALTER FUNCTION graphql_public.graphql("operationName" text, query text) OWNER TO supabase_admin;
CREATE FUNCTION public.on_order() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    AS $$ begin perform net.http_post('http://localhost', '{}'::jsonb); return new; end; $$;
ALTER FUNCTION public.on_order() OWNER TO postgres;

SET default_tablespace = '';
SET default_table_access_method = heap;

CREATE TABLE auth.users (
    instance_id uuid,
    id uuid NOT NULL,
    email character varying(255)
);
ALTER TABLE auth.users OWNER TO supabase_auth_admin;
CREATE TABLE public.orders (
    id bigint NOT NULL,
    user_id uuid DEFAULT auth.uid(),
    token uuid DEFAULT extensions.uuid_generate_v4(),
    total numeric(10,2)
);
ALTER TABLE public.orders OWNER TO postgres;
CREATE TABLE storage.objects (
    id uuid DEFAULT extensions.uuid_generate_v4() NOT NULL,
    bucket_id text,
    path_tokens text[] GENERATED ALWAYS AS (string_to_array(bucket_id, '/'::text)) STORED
);
ALTER TABLE storage.objects OWNER TO supabase_storage_admin;

COPY auth.users (instance_id, id, email) FROM stdin;
\N	11111111-1111-1111-1111-111111111111	a@example.com
\.
-- Tables of extensions whose rows are dumped.
COPY pgsodium.key (id, status, created, expires, key_type, key_id, key_context, name, associated_data, raw_key, raw_key_nonce, parent_key, comment, user_data) FROM stdin;
\.
COPY public.orders (id, user_id, total) FROM stdin;
1	11111111-1111-1111-1111-111111111111	10.00
2	11111111-1111-1111-1111-111111111111	20.50
\.
COPY vault.secrets (id, name, description, secret, key_id, nonce, created_at, updated_at) FROM stdin;
22222222-2222-2222-2222-222222222222	k	\N	c2VjcmV0	\N	\N	2024-01-01 00:00:00+00	2024-01-01 00:00:00+00
\.
SELECT pg_catalog.setval('pgsodium.key_key_id_seq', 1, false);

ALTER TABLE ONLY auth.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY storage.objects
    ADD CONSTRAINT objects_pkey PRIMARY KEY (id);
CREATE TRIGGER on_order AFTER INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.on_order();
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id);
ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
CREATE POLICY "own orders" ON public.orders FOR SELECT TO authenticated USING ((auth.uid() = user_id));
CREATE PUBLICATION supabase_realtime WITH (publish = 'insert, update, delete, truncate');
ALTER PUBLICATION supabase_realtime OWNER TO postgres;
ALTER PUBLICATION supabase_realtime ADD TABLE ONLY public.orders;

GRANT USAGE ON SCHEMA auth TO anon;
GRANT USAGE ON SCHEMA auth TO authenticated;
GRANT ALL ON SCHEMA auth TO supabase_auth_admin;
GRANT ALL ON SCHEMA auth TO dashboard_user;
GRANT USAGE ON SCHEMA public TO postgres;
GRANT USAGE ON SCHEMA public TO anon;
GRANT USAGE ON SCHEMA public TO service_role;
GRANT ALL ON FUNCTION extensions.armor(bytea) TO dashboard_user;
-- github.com/supabase/cli issue: the argument list differs between versions.
GRANT ALL ON FUNCTION extensions.pg_stat_statements_reset(userid oid, dbid oid, queryid bigint, other int) TO dashboard_user;
GRANT ALL ON FUNCTION net.http_get(url text, params jsonb, headers jsonb, timeout_milliseconds integer) TO anon;
GRANT ALL ON FUNCTION graphql.resolve(query text, variables jsonb, "operationName" text, extensions jsonb) TO anon;
GRANT ALL ON TABLE extensions.pg_stat_statements TO postgres WITH GRANT OPTION;
GRANT ALL ON TABLE public.orders TO anon;
GRANT ALL ON TABLE public.orders TO authenticated;
GRANT ALL ON TABLE public.orders TO service_role;
GRANT SELECT ON TABLE pgsodium.decrypted_key TO pgsodium_keyholder;
GRANT ALL ON FUNCTION pg_catalog.pg_reload_conf() TO postgres WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE supabase_admin IN SCHEMA public GRANT ALL ON TABLES TO anon;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO authenticated;

CREATE EVENT TRIGGER issue_pg_graphql_access ON ddl_command_end
         WHEN TAG IN ('CREATE FUNCTION')
   EXECUTE FUNCTION extensions.grant_pg_graphql_access();
ALTER EVENT TRIGGER issue_pg_graphql_access OWNER TO supabase_admin;
CREATE EVENT TRIGGER pgrst_ddl_watch ON ddl_command_end
   EXECUTE FUNCTION extensions.pgrst_ddl_watch();
ALTER EVENT TRIGGER pgrst_ddl_watch OWNER TO supabase_admin;
-- Of pgsodium before 3.1.
CREATE EVENT TRIGGER pgsodium_trg_mask_update ON ddl_command_end
   EXECUTE FUNCTION pgsodium.trg_mask_update();
ALTER EVENT TRIGGER pgsodium_trg_mask_update OWNER TO supabase_admin;
SECURITY LABEL FOR pgsodium ON COLUMN public.orders.total IS 'ENCRYPT WITH KEY ID 22222222-2222-2222-2222-222222222222';

--
-- PostgreSQL database dump complete
--

