-- One of every kind of object that a dump of production may hold, beside what
-- rich.sql has: what is bound to the machine, to other servers, to other roles.
-- contents_test.go says of each whether it is restored, or left out by name.
DO $$ DECLARE r text; BEGIN
  FOREACH r IN ARRAY '{shop_owner,shop_reader,shop_writer,"Shop Admin"}'::text[] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I', r); END IF;
  END LOOP;
  EXECUTE format('ALTER DATABASE %I OWNER TO shop_owner', current_database());
  EXECUTE format('ALTER DATABASE %I SET work_mem = ''7MB''', current_database());
  EXECUTE format('ALTER DATABASE %I SET session_preload_libraries = ''auto_explain''', current_database());
  EXECUTE format('ALTER DATABASE %I SET app.region = ''eu''', current_database());
  EXECUTE format('ALTER ROLE shop_owner IN DATABASE %I SET search_path = shop, public', current_database());
  EXECUTE format('ALTER ROLE shop_reader IN DATABASE %I SET statement_timeout = ''9s''', current_database());
END $$;
SET allow_system_table_mods = on;

CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE SCHEMA ext;
CREATE EXTENSION pgcrypto WITH SCHEMA ext;
GRANT EXECUTE ON FUNCTION ext.gen_random_bytes(int) TO shop_reader;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO shop_reader;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO shop_reader;
CREATE EXTENSION btree_gist;
CREATE EXTENSION postgres_fdw;

-- Text of another machine.
CREATE COLLATION shop.posix (provider = libc, locale = 'C.utf8');
CREATE COLLATION shop.natural (provider = icu, locale = 'en-u-kn-true');
CREATE COLLATION shop.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE shop.words (
  id int GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5) PRIMARY KEY,
  plain text COLLATE "C.utf8",
  own text COLLATE shop.posix,
  version text COLLATE shop.natural,
  name text COLLATE shop.nocase UNIQUE,
  german text COLLATE "de-x-icu",
  upper text GENERATED ALWAYS AS (upper(plain COLLATE "C")) STORED
);
CREATE INDEX words_plain ON shop.words (plain COLLATE shop.posix DESC);

-- Types, operators, languages.
CREATE DOMAIN shop.email AS text COLLATE "C" CONSTRAINT has_at CHECK (VALUE ~ '@');
CREATE TYPE shop.size AS ENUM ('s', 'm', 'l');
CREATE TYPE shop.span AS RANGE (subtype = numeric, multirange_type_name = shop.spans);
CREATE FUNCTION shop.size_int(shop.size) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT CASE $1 WHEN 's' THEN 1 ELSE 2 END $$;
CREATE CAST (shop.size AS int) WITH FUNCTION shop.size_int(shop.size);
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE OPERATOR FAMILY shop.numbers USING btree;
CREATE CONVERSION shop.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY shop.plain_words (TEMPLATE = pg_catalog.simple, ACCEPT = false);
CREATE TEXT SEARCH CONFIGURATION shop.search (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION shop.search ALTER MAPPING FOR asciiword WITH shop.plain_words, english_stem;

-- Tables.
CREATE TABLE shop.rooms (id int PRIMARY KEY, room int, at tsrange, mail shop.email, sizes shop.spans,
  EXCLUDE USING gist (room WITH =, at WITH &&) WHERE (room > 0));
CREATE TABLE shop.kept (id int PRIMARY KEY) USING heap2;
CREATE STATISTICS shop.rooms_stats (ndistinct, mcv) ON room, (room % 10) FROM shop.rooms;
CREATE TABLE shop.events (at date NOT NULL, kind text NOT NULL, id bigint NOT NULL, PRIMARY KEY (at, kind, id)) PARTITION BY RANGE (at);
CREATE TABLE shop.events_1 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (kind);
CREATE TABLE shop.events_1_a PARTITION OF shop.events_1 FOR VALUES IN ('a');
CREATE TABLE shop.events_1_rest PARTITION OF shop.events_1 DEFAULT;
CREATE TABLE shop.events_rest PARTITION OF shop.events DEFAULT;
CREATE UNLOGGED TABLE shop.cache (k text PRIMARY KEY);
CREATE VIEW shop.big_rooms WITH (security_barrier) AS SELECT * FROM shop.rooms WHERE room > 10 WITH LOCAL CHECK OPTION;
CREATE RULE keep AS ON DELETE TO shop.rooms DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW shop.counts AS SELECT kind, count(*) FROM shop.events GROUP BY kind;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = shop AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON shop.rooms FOR EACH ROW WHEN (OLD.room IS DISTINCT FROM NEW.room) EXECUTE FUNCTION shop.touch();

-- Who sees what.
ALTER TABLE shop.rooms ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.rooms FORCE ROW LEVEL SECURITY;
CREATE POLICY readers ON shop.rooms FOR SELECT TO shop_reader, "Shop Admin" USING (room < 100);
GRANT USAGE ON SCHEMA shop TO shop_reader, shop_writer, "Shop Admin";
GRANT SELECT (id, room), UPDATE (room) ON shop.rooms TO shop_writer;
GRANT ALL ON ALL SEQUENCES IN SCHEMA shop TO "Shop Admin" WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop GRANT SELECT ON TABLES TO shop_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY '{words,rooms,kept,events,cache}'::text[] LOOP EXECUTE format('ALTER TABLE shop.%I OWNER TO shop_owner', t); END LOOP;
END $$;
ALTER FUNCTION shop.touch() OWNER TO "Shop Admin";

-- Other servers.
CREATE SERVER warehouse FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'w');
CREATE USER MAPPING FOR shop_owner SERVER warehouse OPTIONS (user 'shop', password 'hunter2''s');
CREATE USER MAPPING FOR PUBLIC SERVER warehouse OPTIONS (user 'guest', password_required 'true');
CREATE FOREIGN TABLE shop.stock (id int OPTIONS (column_name 'no'), amount numeric) SERVER warehouse OPTIONS (table_name 's');
CREATE VIEW shop.stock_view AS SELECT amount FROM shop.stock;
CREATE MATERIALIZED VIEW shop.stock_sums AS SELECT sum(amount) AS sum FROM shop.stock_view WITH NO DATA;
CREATE MATERIALIZED VIEW shop.stock_doubled AS SELECT sum * 2 AS twice FROM shop.stock_sums WITH NO DATA;
UPDATE pg_class SET relispopulated = true WHERE relname IN ('stock_sums', 'stock_doubled');
CREATE PUBLICATION changes FOR TABLE shop.words (id, plain) WHERE (id > 0) WITH (publish = 'insert, update');
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE SUBSCRIPTION from_hq CONNECTION 'host=127.0.0.1 port=1 user=u password=hunter2' PUBLICATION hq WITH (connect = false);
COMMENT ON SUBSCRIPTION from_hq IS 'from headquarters';
ALTER SUBSCRIPTION from_hq OWNER TO postgres;

-- The server's own.
CREATE TABLE shop.hot (id int PRIMARY KEY USING INDEX TABLESPACE fast) TABLESPACE fast;
INSERT INTO pg_seclabel VALUES ('shop.words'::regclass, 'pg_class'::regclass, 3, 'anon', 'MASKED WITH VALUE ''x''');
CREATE FUNCTION shop.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION shop.watch();

COMMENT ON SCHEMA shop IS 'the shop; with a semicolon';
COMMENT ON COLLATION shop.natural IS 'numbers in order';
COMMENT ON EVENT TRIGGER watch IS 'watches';
COMMENT ON SERVER warehouse IS 'elsewhere';
COMMENT ON CONSTRAINT has_at ON DOMAIN shop.email IS 'needs an @';

INSERT INTO shop.words (plain, own, version, name, german) SELECT 'w' || i, 'o' || i, 'v' || i, 'Name' || i, 'ä' || i FROM generate_series(1, 50) i;
INSERT INTO shop.rooms SELECT i, i, tsrange('2024-01-01', '2024-01-02'), 'a@b', '{[1,2]}' FROM generate_series(1, 20) i;
INSERT INTO shop.events SELECT date '2024-12-01' + i, chr(97 + i % 3), i FROM generate_series(1, 60) i;
INSERT INTO shop.kept VALUES (1);
INSERT INTO shop.hot VALUES (1);
REFRESH MATERIALIZED VIEW shop.counts;
SELECT lo_from_bytea(815, '\x00ff00ff');
GRANT SELECT ON LARGE OBJECT 815 TO shop_reader;
COMMENT ON LARGE OBJECT 815 IS 'a large one';
