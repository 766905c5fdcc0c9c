--
-- PostgreSQL database dump
--

-- Dumped from database version 15.4
-- Dumped by pg_dump version 15.4

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

-- docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Optimize.html
CREATE SCHEMA apg_plan_mgmt;
ALTER SCHEMA apg_plan_mgmt OWNER TO rdsadmin;
CREATE EXTENSION IF NOT EXISTS apg_plan_mgmt WITH SCHEMA apg_plan_mgmt;
COMMENT ON EXTENSION apg_plan_mgmt IS 'Amazon Aurora with PostgreSQL compatibility Query Plan Management';
-- docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/PostgreSQL-Lambda.html
CREATE EXTENSION IF NOT EXISTS aws_commons WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS aws_lambda WITH SCHEMA public;
-- docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/postgresql-ml.html
CREATE EXTENSION IF NOT EXISTS aws_ml WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS aurora_stat_utils WITH SCHEMA public;
COMMENT ON EXTENSION aurora_stat_utils IS 'Statistics utility functions';

CREATE FUNCTION public.tell() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
  perform aws_lambda.invoke(aws_commons.create_lambda_function_arn('f'), '{}'::json, 'Event');
  return null;
end;
$$;
ALTER FUNCTION public.tell() OWNER TO app;

SET default_tablespace = '';
SET default_table_access_method = heap;

CREATE TABLE public.orders (
    id integer NOT NULL,
    total numeric(10,2)
);
ALTER TABLE public.orders OWNER TO app;

COPY public.orders (id, total) FROM stdin;
1	10.00
2	20.50
\.

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
CREATE TRIGGER tell AFTER INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.tell();

GRANT ALL ON SCHEMA public TO rds_superuser;
GRANT SELECT ON TABLE apg_plan_mgmt.dba_plans TO app;
GRANT SELECT ON TABLE public.orders TO rds_iam;

--
-- PostgreSQL database dump complete
--

