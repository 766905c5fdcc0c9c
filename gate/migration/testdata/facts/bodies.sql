DO $$
DECLARE
  q text := 'DROP TABLE assigned_first';
  r record;
BEGIN
  DELETE FROM a
   WHERE x = 1;
  EXECUTE format('DROP TABLE %I',
    'b');
  EXECUTE 'TRUNCATE ' || quote_ident(q) || '_old';
  q := 'ALTER TABLE t DROP COLUMN c';
  EXECUTE q;
  IF EXISTS (SELECT 1 FROM pg_class) THEN
    PERFORM foo(1);
    DROP TABLE IF EXISTS in_if;
  ELSE
    ALTER TABLE t DROP COLUMN in_else;
  END IF;
  FOR r IN SELECT * FROM x LOOP
    UPDATE t SET a = 1 WHERE id = r.id;
  END LOOP;
  FOR r IN SELECT 'DROP VIEW ' || viewname AS stmt FROM pg_views LOOP
    EXECUTE r.stmt;
  END LOOP;
  EXECUTE $q$DELETE FROM dollar; DROP TABLE second$q$;
  EXECUTE format('ALTER TABLE %s DROP COLUMN %I, DROP COLUMN %2$I', r.tbl, 'Col');
  EXECUTE r.unknown USING 1;
  RAISE NOTICE 'DROP TABLE only_text';
EXCEPTION WHEN others THEN
  DROP TABLE exc;
END $$;
DO $$ BEGIN COMMIT; END $$;
DO $$ BEGIN CALL p(); END $$;
DO $$ BEGIN IF true THEN LOOP ROLLBACK; END LOOP; END IF; END $$;
DO LANGUAGE plpgsql 'BEGIN
  DELETE FROM t WHERE x = ''1'';
END';
DO E'BEGIN\n  DELETE FROM t;\nEND';
DO $$ BEGIN BOGUS; DROP TABLE rough; EXECUTE 'DROP TABLE rough2' USING 1; END $$;
DO LANGUAGE plpython3u $$ plpy.execute("DROP TABLE x") $$;
CREATE FUNCTION purge() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  DELETE FROM logs;
  EXECUTE 'TRUNCATE logs';
  RETURN NEW;
END $f$;
CREATE OR REPLACE FUNCTION shop.wipe(a int) RETURNS void LANGUAGE sql AS '
  DELETE FROM shop.orders WHERE note = ''x'';
  TRUNCATE shop.carts
';
CREATE FUNCTION atomic() RETURNS int LANGUAGE sql
BEGIN ATOMIC
  DELETE FROM x;
  SELECT CASE WHEN true THEN 1 ELSE 2 END AS end;
END;
CREATE FUNCTION ret() RETURNS int RETURN 1;
CREATE PROCEDURE proc() LANGUAGE plpgsql AS $$ BEGIN DROP TABLE z; COMMIT; END $$;
CREATE FUNCTION py() RETURNS int LANGUAGE plpython3u AS $$ return 1 $$;
SELECT purge();
CALL proc();
DO $$ BEGIN PERFORM shop.wipe(1); END $$;
CREATE FUNCTION many() RETURNS SETOF int LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY DELETE FROM q1 RETURNING id;
  RETURN QUERY EXECUTE 'DELETE FROM q2 RETURNING id';
END $$;
DO $$
DECLARE
  stmt text;
BEGIN
  stmt = concat('DROP', ' SCHEMA ', 'app');
  stmt := CASE WHEN true THEN 'DROP TABLE case_a' ELSE 'DROP TABLE case_b' END;
  EXECUTE stmt;
  DO $inner$ BEGIN DROP TABLE inner_do; END $inner$;
END $$;
DO 'BEGIN DELETE FROM a;'
' DELETE FROM b; END';
DO U&'BEGIN DELETE FROM \0063; END';
DO LANGUAGE plpgsql;
CREATE FUNCTION nobody() RETURNS int LANGUAGE plpgsql;
CREATE FUNCTION c() RETURNS int LANGUAGE c AS 'lib', 'sym';
CREATE FUNCTION args(a int, OUT b text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  b := (SELECT note FROM orders WHERE id = a);
  WITH d AS (DELETE FROM orders RETURNING *) SELECT count(*) INTO b FROM d;
  INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 2;
END $$;
CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    UPDATE totals SET n = n - 1 WHERE id = OLD.id;
    RETURN OLD;
  END IF;
  NEW.updated_at = now();
  RETURN NEW;
END $$;
DO $$
BEGIN
  EXECUTE 'ALTER TABLE orders '
    || 'DROP COLUMN total';
  EXECUTE format($f$
    DELETE FROM %I.%I
    WHERE id = %L;
    TRUNCATE %1$I.x
  $f$, 'shop', tbl, 1);
  EXECUTE replace('DROP TABLE XX', 'XX', 'orders');
END $$;
